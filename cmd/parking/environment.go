package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"parking/repl"
)

// envPrefix begins the names of the program's environment variables.
const envPrefix = "PARKING_"

// variable is the name of a setting's environment variable.
func variable(setting string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(setting, "-", "_"))
}

// fromEnvironment reads the variables of the settings that there are flags for.
func fromEnvironment(flags *pflag.FlagSet) func(*koanf.Koanf) error {
	return func(k *koanf.Koanf) error {
		return k.Load(env.Provider(delimiter, env.Opt{Prefix: envPrefix, TransformFunc: func(key, value string) (string, any) {
			name := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(key, envPrefix), "_", "-"))
			switch {
			case key != variable(name) || setting(flags, name) == nil:
				return "", nil
			case value == "" && name != "cookie": // an empty secret is a mistake
				return "", nil
			case name == "join":
				return name, strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
			}
			return name, value
		}}), nil)
	}
}

// fromKubernetes are the variables by which Kubernetes tells a pod of its
// services, one called parking among them.
var fromKubernetes = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT|PORT)(_|$)`)

// strayVariables remarks on the program's variables that are set and that no
// sub-command knows, in a line each: most often a name is misspelt.
func strayVariables(root *cobra.Command) (remarks []string) {
	known := []string{envPrefix + "RUNTIME_DIR", envPrefix + "ACTIVE_HELP", envPrefix + "COMPLETION_DESCRIPTIONS"} // the last two are cobra's
	for _, c := range append([]*cobra.Command{root}, root.Commands()...) {                                         // a node's are the likeliest
		for _, name := range settingNames(c.Flags()) {
			known = append(known, variable(name))
		}
	}
	inPod := os.Getenv("KUBERNETES_SERVICE_HOST") != ""
	for _, assignment := range os.Environ() {
		name, value, _ := strings.Cut(assignment, "=")
		if !strings.HasPrefix(name, envPrefix) || value == "" || slices.Contains(known, name) || inPod && fromKubernetes.MatchString(name) {
			continue
		}
		hint := repl.DidYouMean(name, known, "parking help config lists them")
		remarks = append(remarks, fmt.Sprintf("note: %.60s is no setting; %s", name, hint))
	}
	slices.Sort(remarks)
	return remarks
}

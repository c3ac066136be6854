package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"parking/node/discover"
)

// delimiter is in no setting's name: settings are not nested.
const delimiter = "\x00"

// load reads the settings that there are flags for, each from the last of the
// layers that has it: defaults, file, environment, flags. Where some are wrong, it
// returns the rest with the error: how the log is formatted that is to tell it.
func load(flags *pflag.FlagSet) (settings, error) {
	s := defaults()
	s.found = make(map[string]found)
	file := configFile(flags)
	var wrong error // the first
	for _, l := range []struct {
		layer layer
		load  func(*koanf.Koanf) error
		name  func(setting string) string // where in the layer it stands
	}{
		{byDefault, fromFlags(flags, func(*pflag.Flag) bool { return true }), func(string) string { return "" }},
		{byFile, fromFile(file, flags), func(string) string { return file }},
		{byEnvironment, fromEnvironment(flags), variable},
		{byFlag, fromFlags(flags, func(f *pflag.Flag) bool { return f.Changed }), func(setting string) string { return "--" + setting }},
	} {
		k := koanf.New(delimiter)
		if err := l.load(k); err != nil {
			wrong = cmp.Or(wrong, err)
			continue
		}
		for name, value := range k.All() {
			s.found[name] = found{value, source{l.layer, l.name(name)}}
		}
	}
	if s.typed("command") != s.typed("file") { // what was typed rules over what was not
		for _, name := range []string{"command", "file"} {
			if !s.typed(name) {
				s.found[name] = found{value: []string{}}
			}
		}
	}
	k := koanf.New(delimiter)
	for _, name := range slices.Sorted(maps.Keys(s.found)) {
		f := s.found[name]
		value, err := parse(flags.Lookup(name), f.value)
		if err != nil {
			wrong = cmp.Or(wrong, s.wrong(name, err))
			continue
		}
		f.value = value
		s.found[name] = f
		if err := k.Set(name, f.value); err != nil {
			return s, err
		}
	}
	err := k.Unmarshal("", &s)
	return s, cmp.Or(wrong, err)
}

// setting returns the flag of a setting, or nil where flags has none of that
// name: --help and --version are no settings.
func setting(flags *pflag.FlagSet, name string) *pflag.Flag {
	f := flags.Lookup(name)
	if f == nil || f.Annotations[cobra.FlagSetByCobraAnnotation] != nil {
		return nil
	}
	return f
}

// fromFlags reads the flags that are wanted.
func fromFlags(flags *pflag.FlagSet, wanted func(*pflag.Flag) bool) func(*koanf.Koanf) error {
	return func(k *koanf.Koanf) error {
		return k.Load(posflag.ProviderWithFlag(flags, delimiter, k, func(f *pflag.Flag) (string, any) {
			if setting(flags, f.Name) == nil || !wanted(f) {
				return "", nil
			}
			if list, ok := f.Value.(pflag.SliceValue); ok {
				return f.Name, list.GetSlice() // an empty one among them too
			}
			return f.Name, posflag.FlagVal(flags, f)
		}), nil)
	}
}

// parse makes a value from a file or the environment what the flag would make
// of it.
func parse(f *pflag.Flag, value any) (any, error) {
	text, single := value.(string)
	_, list := value.([]string)
	switch kind := f.Value.Type(); {
	case kind == "stringArray" && single:
		return []string{text}, nil
	case kind != "stringArray" && list:
		return nil, fmt.Errorf("the setting %s is a list, not one value", f.Name)
	case kind == "int" && single:
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("the setting %s is %.40q, not a whole number", f.Name, text)
		}
		return n, nil
	case kind == "bool" && single:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return nil, fmt.Errorf("the setting %s is %.40q, not true or false", f.Name, text)
		}
		return b, nil
	case kind == "duration" && single:
		d, err := time.ParseDuration(text)
		if err != nil {
			return nil, fmt.Errorf("the setting %s is %.40q, not a duration such as 300ms", f.Name, text)
		}
		return d, nil
	}
	return value, nil
}

// runtimeDir returns the directory in which this host's nodes find each other,
// and what decides it.
func runtimeDir() (dir string, from source, err error) {
	own, xdg := envPrefix+"RUNTIME_DIR", "XDG_RUNTIME_DIR"
	given, err := expand(os.Getenv(own))
	if err != nil {
		return "", from, err
	}
	dir, err = discover.RuntimeDir(given, os.Getenv(xdg))
	switch {
	case given != "":
		from = source{byEnvironment, own}
	case dir == filepath.Join(os.Getenv(xdg), "parking"): // it need not be usable
		from = source{byEnvironment, xdg}
	}
	return dir, from, err
}

// errNoHome is the error of a path below the home directory where there is none.
var errNoHome = errors.New("no home directory")

// expand resolves ~ at the start of a path.
func expand(path string) (string, error) {
	rest, ok := strings.CutPrefix(path, "~/")
	if !ok {
		return path, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("%w for %s: %w", errNoHome, path, err)
	}
	return filepath.Join(home, rest), nil
}

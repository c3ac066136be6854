package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"

	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"parking/repl"
)

// maxConfig bounds a file of settings, in bytes.
const maxConfig = 1 << 20

// configFile returns the path of the file of settings, where the program takes
// one and one is given.
func configFile(flags *pflag.FlagSet) string {
	f := setting(flags, "config")
	switch {
	case f == nil:
		return ""
	case f.Changed:
		return f.Value.String()
	}
	return os.Getenv(variable(f.Name))
}

// fromFile reads the file of settings at path; without a path there is none.
func fromFile(path string, flags *pflag.FlagSet) func(*koanf.Koanf) error {
	return func(k *koanf.Koanf) error {
		if path == "" {
			return nil
		}
		full, err := expand(path)
		if err != nil {
			return err
		}
		if info, err := os.Stat(full); err == nil && (!info.Mode().IsRegular() || info.Size() > maxConfig) {
			return fmt.Errorf("the settings in %s are no file of at most %d bytes", path, maxConfig)
		}
		err = k.Load(file.Provider(full), asWritten{})
		var unreadable *fs.PathError
		switch {
		case errors.As(err, &unreadable):
			return fmt.Errorf("cannot read the settings: %w", err)
		case err != nil:
			return &usageError{fmt.Errorf("the settings in %s are no YAML of settings%s", path, where(err))}
		}
		for _, key := range k.Keys() {
			if key != "config" && setting(flags, key) != nil {
				continue
			}
			if !likeASetting.MatchString(key) { // it may be a secret: another file, or a line gone wrong
				return &usageError{fmt.Errorf("%s: a line names no setting; settings are named as the flags are, and set as in spaces: 30", path)}
			}
			names := slices.DeleteFunc(settingNames(flags), func(name string) bool { return name == "config" })
			hint := repl.DidYouMean(key, names, "settings are named as the flags are")
			return &usageError{fmt.Errorf("%s: there is no setting %q; %s", path, key, hint)}
		}
		return nil
	}
}

// likeASetting is what a setting may be called.
var likeASetting = regexp.MustCompile(`^[a-z][a-z_-]{0,23}$`)

// inLine is where the YAML library says that something is wrong. What it says
// of it may quote the file, and so a secret.
var inLine = regexp.MustCompile(`line (\d+)`)

// where tells where a file of settings is wrong.
func where(err error) string {
	if odd, ok := errors.AsType[*oddValueError](err); ok {
		return ": " + odd.Error()
	}
	if m := inLine.FindStringSubmatch(err.Error()); m != nil {
		return "; look at line " + m[1]
	}
	return ""
}

// oddValueError is a setting that is neither a value nor a list of them.
type oddValueError struct{ setting string }

func (e *oddValueError) Error() string {
	return e.setting + " is neither a value nor a list of them"
}

// asWritten reads YAML and leaves values as they were written: a cookie of 012
// is not the number ten.
type asWritten struct{}

// Unmarshal implements koanf.Parser.
func (asWritten) Unmarshal(b []byte) (map[string]any, error) {
	var nodes map[string]yaml.Node
	if err := yaml.Unmarshal(b, &nodes); err != nil {
		return nil, err
	}
	out := make(map[string]any, len(nodes))
	for key, n := range nodes {
		switch n.Kind {
		case yaml.ScalarNode:
			out[key] = n.Value
		case yaml.SequenceNode:
			var list []string
			if err := n.Decode(&list); err != nil {
				return nil, err
			}
			out[key] = list
		default:
			if !likeASetting.MatchString(key) {
				key = "a setting"
			}
			return nil, &oddValueError{key}
		}
	}
	return out, nil
}

// Marshal implements koanf.Parser.
func (asWritten) Marshal(map[string]any) ([]byte, error) { return nil, errors.ErrUnsupported }

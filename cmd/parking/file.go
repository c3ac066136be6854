package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

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
			return &usageError{fmt.Errorf("the settings in %s are no YAML: %w", path, err)}
		}
		for _, key := range k.Keys() {
			if key != "config" && setting(flags, key) != nil {
				continue
			}
			hint := repl.DidYouMean(key, settingNames(flags), "settings are named as the flags are")
			key = strings.ReplaceAll(key, delimiter, ".")
			return &usageError{fmt.Errorf("%s: there is no setting %.40q; %s", path, key, hint)}
		}
		return nil
	}
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
			return nil, fmt.Errorf("%s is neither a value nor a list of them", key)
		}
	}
	return out, nil
}

// Marshal implements koanf.Parser.
func (asWritten) Marshal(map[string]any) ([]byte, error) { return nil, errors.ErrUnsupported }

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"parking/node/discover"
)

// envPrefix begins the environment variable of each flag.
const envPrefix = "PARKING_"

// load reads the settings, the later layers over the earlier: defaults, file,
// environment, flags.
func load(flags *pflag.FlagSet) (settings, error) {
	s := defaults()
	k := koanf.New(delimiter)
	if err := loadFile(k, flags); err != nil {
		return s, err
	}
	layers := []koanf.Provider{
		env.Provider(delimiter, env.Opt{Prefix: envPrefix, TransformFunc: func(key, value string) (string, any) {
			name := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(key, envPrefix), "_", "-"))
			switch {
			case flags.Lookup(name) == nil, value == "" && name != "cookie": // an empty secret is a mistake
				return "", nil
			case name == "join":
				return name, strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
			}
			return name, value
		}}),
		posflag.ProviderWithFlag(flags, delimiter, k, func(f *pflag.Flag) (string, any) {
			if !f.Changed {
				return "", nil
			}
			if list, ok := f.Value.(pflag.SliceValue); ok {
				return f.Name, list.GetSlice() // an empty one among them too
			}
			return f.Name, posflag.FlagVal(flags, f)
		}),
	}
	for _, l := range layers {
		if err := k.Load(l, nil); err != nil {
			return s, err
		}
	}
	s.given, s.typed = make(map[string]bool), make(map[string]bool)
	flags.Visit(func(f *pflag.Flag) { s.typed[f.Name] = true })
	for _, key := range k.Keys() {
		if err := checkType(flags.Lookup(key), k.Get(key)); err != nil {
			return s, &usageError{err}
		}
		s.given[key] = true
	}
	if s.typed["command"] != s.typed["file"] { // what was typed rules over what was not
		for _, name := range []string{"command", "file"} {
			if !s.typed[name] {
				k.Delete(name)
			}
		}
	}
	err := k.UnmarshalWithConf("", &s, koanf.UnmarshalConf{DecoderConfig: &mapstructure.DecoderConfig{
		Result: &s, WeaklyTypedInput: true, TagName: "koanf", Squash: true,
	}})
	if err != nil {
		return s, &usageError{err}
	}
	return s, nil
}

// delimiter is in no setting's name: settings are not nested.
const delimiter = "\x00"

// maxConfig bounds a file of settings, in bytes.
const maxConfig = 1 << 20

// loadFile reads the file of settings, where the program takes one and one is
// given.
func loadFile(k *koanf.Koanf, flags *pflag.FlagSet) error {
	f := flags.Lookup("config")
	if f == nil {
		return nil
	}
	path := f.Value.String()
	if !f.Changed {
		path = os.Getenv(envPrefix + "CONFIG")
	}
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
		if key == "config" || key == "help" || flags.Lookup(key) == nil {
			key = strings.ReplaceAll(key, delimiter, ".")
			return &usageError{fmt.Errorf("%s: there is no setting %.40q; settings are named as the flags are", path, key)}
		}
	}
	return nil
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

// checkType refuses a value, from a file or the environment, that the flag of
// that name would not take.
func checkType(f *pflag.Flag, value any) (err error) {
	text := fmt.Sprint(value)
	switch f.Value.Type() {
	case "int":
		if _, err = strconv.Atoi(text); err != nil {
			return fmt.Errorf("the setting %s is %.40q, not a whole number", f.Name, text)
		}
	case "bool":
		if _, err = strconv.ParseBool(text); err != nil {
			return fmt.Errorf("the setting %s is %.40q, not true or false", f.Name, text)
		}
	}
	return nil
}

// runtimeDir returns the directory in which this host's nodes find each other.
func runtimeDir() (string, error) {
	dir, err := expand(os.Getenv(envPrefix + "RUNTIME_DIR"))
	if err != nil {
		return "", err
	}
	return discover.RuntimeDir(dir, os.Getenv("XDG_RUNTIME_DIR"))
}

// expand resolves ~ at the start of a path.
func expand(path string) (string, error) {
	rest, ok := strings.CutPrefix(path, "~/")
	if !ok {
		return path, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no home directory for %s: %w", path, err)
	}
	return filepath.Join(home, rest), nil
}

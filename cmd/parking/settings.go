package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"

	"parking/lot"
	"parking/node/discover"
	"parking/repl"
)

// envPrefix begins the environment variable of each flag.
const envPrefix = "PARKING_"

// settings are what flags, environment, file and defaults say, in that order.
// The names of the fields' tags are those of the flags.
type settings struct {
	Name       string   `koanf:"sname"`
	Cookie     string   `koanf:"cookie"`
	CookieFile string   `koanf:"cookie-file"`
	Cluster    string   `koanf:"cluster"`
	Join       []string `koanf:"join"`
	Bind       string   `koanf:"bind"`
	Gates      int      `koanf:"gates"`
	Spaces     int      `koanf:"spaces"`
	NoFaults   bool     `koanf:"no-faults"`
	LogLevel   string   `koanf:"log-level"`
	terminal   `koanf:",squash"`

	given map[string]bool // which of them somebody chose
	level slog.Level
	addr  netip.Addr
	port  int
}

// terminal is the part of the settings that attach has too.
type terminal struct {
	Commands []string `koanf:"command"`
	File     string   `koanf:"file"`
	Format   string   `koanf:"format"`
	NoColor  bool     `koanf:"no-color"`
}

func defaults() settings {
	return settings{
		CookieFile: "~/.parking.cookie",
		Cluster:    "parking",
		Bind:       "127.0.0.1",
		Gates:      4,
		Spaces:     100,
		LogLevel:   "error",
		terminal:   terminal{Format: string(repl.Table)},
	}
}

// addNodeFlags adds the flags of a node.
func addNodeFlags(f *pflag.FlagSet) {
	d := defaults()
	f.String("sname", "", "this node's `NAME`: 1 to 32 of a-z, 0-9 and -")
	f.String("cookie", "", "the secret that the cluster's nodes share")
	f.String("cookie-file", d.CookieFile, "`FILE` with the cookie, if none is given; made at first use")
	f.String("cluster", d.Cluster, "the cluster's `NAME`")
	f.StringArray("join", nil, "a node to join, as `HOST:PORT` (repeatable)")
	f.String("bind", d.Bind, "`ADDR[:PORT]` to listen on; a free port, if none is given")
	f.Int("gates", d.Gates, "gates, if this node founds the cluster")
	f.Int("spaces", d.Spaces, "spaces, if this node founds the cluster")
	f.Bool("no-faults", false, "refuse kill-node")
	f.String("log-level", d.LogLevel, "debug, info, warn or error")
	f.String("config", "", "YAML `FILE` with settings, named as the flags")
	addTerminalFlags(f)
}

func addTerminalFlags(f *pflag.FlagSet) {
	f.StringArrayP("command", "c", nil, "run a `COMMAND`, then end (repeatable)")
	f.StringP("file", "f", "", "run the commands in a `FILE`, then end")
	f.String("format", defaults().Format, "table or json")
	f.Bool("no-color", false, "no colours (NO_COLOR does the same)")
}

// load reads the settings, the later layers over the earlier: defaults, file,
// environment, flags.
func load(flags *pflag.FlagSet) (settings, error) {
	s := defaults()
	k := koanf.New("\x00")
	path := os.Getenv(envPrefix + "CONFIG")
	if f := flags.Lookup("config"); f != nil && f.Changed {
		path = f.Value.String()
	}
	if path != "" {
		if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
			return s, fmt.Errorf("cannot read the settings in %s: %w", path, err)
		}
		for _, key := range k.Keys() {
			if flags.Lookup(key) == nil {
				return s, fmt.Errorf("%s: there is no setting %q; settings are named as the flags are", path, key)
			}
		}
	}
	layers := []koanf.Provider{
		env.Provider("\x00", env.Opt{Prefix: envPrefix, TransformFunc: func(key, value string) (string, any) {
			name := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(key, envPrefix), "_", "-"))
			switch {
			case flags.Lookup(name) == nil:
				return "", nil
			case name == "join":
				return name, strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
			}
			return name, value
		}}),
		posflag.ProviderWithFlag(flags, "\x00", k, func(f *pflag.Flag) (string, any) {
			if !f.Changed {
				return "", nil
			}
			return f.Name, posflag.FlagVal(flags, f)
		}),
	}
	for _, l := range layers {
		if err := k.Load(l, nil); err != nil {
			return s, err
		}
	}
	s.given = make(map[string]bool)
	for _, key := range k.Keys() {
		s.given[key] = true
	}
	err := k.UnmarshalWithConf("", &s, koanf.UnmarshalConf{DecoderConfig: &mapstructure.DecoderConfig{
		Result: &s, WeaklyTypedInput: true, TagName: "koanf", Squash: true,
	}})
	if err != nil {
		return s, &usageError{errors.New(strings.Join(strings.Fields(err.Error()), " "))}
	}
	return s, nil
}

// check refuses what no node can be started with.
func (s *settings) check() (err error) {
	wrong := func(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }
	switch {
	case s.Name == "":
		return wrong("a node needs a name: --sname larry")
	case !lot.ValidName(s.Name):
		return wrong("the name %.40q is not 1 to %d of a-z, 0-9 and -", s.Name, lot.MaxName)
	case !lot.ValidName(s.Cluster):
		return wrong("the cluster %.40q is not 1 to %d of a-z, 0-9 and -", s.Cluster, lot.MaxName)
	case s.given["cookie"] && s.Cookie == "":
		return wrong("the cookie is empty; give one, or none for that in %s", s.CookieFile)
	case len(s.Commands) > 0 && s.File != "":
		return wrong("-c and -f exclude each other")
	}
	if err := errors.Join(lot.CheckGates(s.Gates), lot.CheckSpaces(s.Spaces)); err != nil {
		return wrong("%v", err)
	}
	if err := s.level.UnmarshalText([]byte(s.LogLevel)); err != nil {
		return wrong("the log level %.20q is not debug, info, warn or error", s.LogLevel)
	}
	for _, j := range s.Join {
		if host, port, ok := strings.Cut(j, ":"); !ok || host == "" || port == "" {
			return wrong("--join %.80q is not HOST:PORT", j)
		}
	}
	if s.addr, s.port, err = parseBind(s.Bind); err != nil {
		return &usageError{err}
	}
	_, err = s.options(false)
	return err
}

func parseBind(bind string) (netip.Addr, int, error) {
	if ap, err := netip.ParseAddrPort(bind); err == nil {
		return ap.Addr(), int(ap.Port()), nil
	}
	a, err := netip.ParseAddr(strings.Trim(bind, "[]"))
	if err != nil {
		return a, 0, fmt.Errorf("--bind %.80q is not ADDR or ADDR:PORT, with an IP address", bind)
	}
	return a, 0, nil
}

// options returns how answers are rendered for a terminal, or for none.
func (t *terminal) options(isTerminal bool) (repl.Options, error) {
	f, err := repl.ParseFormat(t.Format)
	if err != nil {
		return repl.Options{}, &usageError{err}
	}
	color := isTerminal && !t.NoColor && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return repl.Options{Format: f, Color: color}, nil
}

// runtimeDir returns the directory in which this host's nodes find each other.
func runtimeDir() (string, error) {
	return discover.RuntimeDir(os.Getenv(envPrefix+"RUNTIME_DIR"), os.Getenv("XDG_RUNTIME_DIR"))
}

// expand resolves ~ at the start of a path.
func expand(path string) (string, error) {
	rest, ok := strings.CutPrefix(path, "~/")
	if !ok {
		return path, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no home directory for %s: %w; give --cookie-file", path, err)
	}
	return filepath.Join(home, rest), nil
}

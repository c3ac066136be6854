package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"parking/lot"
	"parking/repl"
)

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
	playing    `koanf:",squash"`

	found map[string]found // the same, by the flags' names
	level slog.Level
	addr  netip.Addr
	port  int
}

// terminal is the part of the settings that attach has too.
type terminal struct {
	Commands []string `koanf:"command"`
	Files    []string `koanf:"file"`
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
	f.SortFlags = false // help goes in this order, too
	d := defaults()
	f.String("sname", "", "this node's `NAME`: 1 to 32 of a-z, 0-9 and -")
	f.String("cookie", "", "the `SECRET` that the cluster's nodes share")
	f.String("cookie-file", d.CookieFile, "`FILE` with the cookie, if none is given; made at first use")
	f.String("cluster", d.Cluster, "the cluster's `NAME`")
	f.StringArray("join", nil, "a node to join, as `HOST:PORT` (repeatable)")
	f.String("bind", d.Bind, "`ADDR[:PORT]` to listen on; a free port, if none is given")
	f.Int("gates", d.Gates, "`N` gates, if this node founds the cluster")
	f.Int("spaces", d.Spaces, "`N` spaces, if this node founds the cluster")
	f.Bool("no-faults", false, "refuse kill-node")
	f.String("log-level", d.LogLevel, "`LEVEL` of what is logged to stderr: debug, info, warn or error")
	f.String("config", "", "YAML `FILE` with settings, named as the flags")
	addTerminalFlags(f)
}

func addTerminalFlags(f *pflag.FlagSet) {
	f.StringArrayP("command", "c", nil, "run a `COMMAND`, then end (repeatable)")
	f.StringArrayP("file", "f", nil, "run the commands in a `FILE`, then end (repeatable)")
	f.String("format", defaults().Format, "`FORMAT` of answers: table or json")
	f.Bool("no-color", false, "no colours (NO_COLOR does the same)")
}

// check refuses what no node can be started with.
func (s *settings) check() error {
	if s.Name == "" {
		return &usageError{errors.New("a node needs a name: --sname larry")}
	}
	return s.checkGiven()
}

// checkGiven is check for settings that may still lack the node's name.
func (s *settings) checkGiven() (err error) {
	wrong := func(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }
	switch {
	case s.Name != "" && !lot.ValidName(s.Name):
		return wrong("the name %.40q is not 1 to %d of a-z, 0-9 and -", s.Name, lot.MaxName)
	case !lot.ValidName(s.Cluster):
		return wrong("the cluster %.40q is not 1 to %d of a-z, 0-9 and -", s.Cluster, lot.MaxName)
	case s.CookieFile == "":
		return wrong("--cookie-file is empty; give a file, or none for %s", defaults().CookieFile)
	case s.given("cookie") && s.Cookie == "":
		return wrong("the cookie is empty; give one, or none for that in %s", s.CookieFile)
	}
	if err := errors.Join(lot.CheckGates(s.Gates), lot.CheckSpaces(s.Spaces)); err != nil {
		return wrong("%v", err)
	}
	if err := s.level.UnmarshalText([]byte(s.LogLevel)); err != nil {
		return wrong("the log level %.20q is not debug, info, warn or error", s.LogLevel)
	}
	for _, j := range s.Join {
		host, port, err := net.SplitHostPort(j)
		if n, bad := strconv.ParseUint(port, 10, 16); err != nil || host == "" || bad != nil || n == 0 {
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
	if len(t.Commands) > 0 && len(t.Files) > 0 {
		return repl.Options{}, &usageError{errors.New("-c and -f exclude each other")}
	}
	f, err := repl.ParseFormat(t.Format)
	if err != nil {
		return repl.Options{}, &usageError{err}
	}
	color := isTerminal && !t.NoColor && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return repl.Options{Format: f, Color: color}, nil
}

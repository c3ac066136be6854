package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"

	"github.com/spf13/pflag"

	"parking/lot"
	"parking/node"
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
	Discover   string   `koanf:"discover"`
	DNSServer  string   `koanf:"dns-server"`
	Bind       string   `koanf:"bind"`
	Gates      int      `koanf:"gates"`
	Spaces     int      `koanf:"spaces"`
	Push       string   `koanf:"push"`
	Ack        int      `koanf:"ack"`
	NoFaults   bool     `koanf:"no-faults"`
	Profile    string   `koanf:"profile"`
	Metrics    string   `koanf:"metrics"`
	Pprof      bool     `koanf:"pprof"`
	PodIP      string   `koanf:"pod-ip"`
	LogLevel   string   `koanf:"log-level"`
	LogFormat  string   `koanf:"log-format"`
	terminal   `koanf:",squash"`
	playing    `koanf:",squash"`
	measuring  `koanf:",squash"`

	found map[string]found // the same, by the flags' names
	level slog.Level
	addr  netip.Addr
	port  int
	web   netip.AddrPort // of --metrics, unless that is off
	near  bool           // the nodes of this host are joined, by --discover
	seeds node.Seeds     // where it says that more are; nil: nowhere
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
		Discover:   byHost,
		Bind:       "127.0.0.1",
		Gates:      4,
		Spaces:     100,
		Push:       string(node.Gossip),
		Profile:    string(node.Laptop),
		Metrics:    webOff,
		LogLevel:   "error",
		LogFormat:  textLog,
		terminal:   terminal{Format: string(repl.Table)},
	}
}

// serveDefaults are those of a node without a prompt: a network is between it and
// the others, and machines watch it.
func serveDefaults() settings {
	d := defaults()
	d.Profile, d.Metrics, d.LogLevel = string(node.LAN), "127.0.0.1:9102", "info"
	return d
}

// addNodeFlags adds the flags of a node with a prompt.
func addNodeFlags(f *pflag.FlagSet) {
	addHostedFlags(f, defaults())
	addTerminalFlags(f)
}

// addServeFlags adds those of one without.
func addServeFlags(f *pflag.FlagSet) {
	addHostedFlags(f, serveDefaults())
}

// addHostedFlags adds the flags of any node, with those defaults.
func addHostedFlags(f *pflag.FlagSet, d settings) {
	f.SortFlags = false // help goes in this order, too
	f.String("sname", "", "this node's `NAME`: 1 to 32 of a-z, 0-9 and -")
	f.String("cookie", "", "the `SECRET` that the cluster's nodes share")
	f.String("cookie-file", d.CookieFile, "`FILE` with the cookie, if none is given; made at first use")
	f.String("cluster", d.Cluster, "the cluster's `NAME`")
	f.StringArray("join", nil, "a node to join, as `HOST:PORT` (repeatable)")
	f.String("discover", d.Discover, "`HOW` to find nodes: host, dns:NAME[:PORT] or none")
	f.String("dns-server", "", "name server to ask for it, as `HOST:PORT`, instead of the system's")
	f.String("bind", d.Bind, "`ADDR[:PORT]` to listen on, or an interface's name; a free port, if none is given")
	f.String("pod-ip", "", "the pod's `IP`, to listen on and be reached by, at port 7946 unless --bind has one")
	f.Int("gates", d.Gates, "`N` gates, if this node founds the cluster")
	f.Int("spaces", d.Spaces, "`N` spaces, if this node founds the cluster")
	f.String("push", d.Push, "`LANE` of changes: gossip, or fanout straight to each node")
	f.Int("ack", d.Ack, "a write is answered when `N` other nodes have it")
	f.Bool("no-faults", false, "refuse kill-node and other faults")
	f.String("profile", d.Profile, "`PROFILE` of the network that carries the gossip: laptop or lan")
	f.String("metrics", d.Metrics, "`ADDR:PORT` for probes and metrics by HTTP, or off")
	f.Bool("pprof", false, "profiles of the process beside the metrics")
	f.String("log-level", d.LogLevel, "`LEVEL` of what is logged to stderr: debug, info, warn or error")
	f.String("log-format", d.LogFormat, "`FORMAT` of what is logged: text or json")
	f.String("config", "", "YAML `FILE` with settings, named as the flags")
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
	if s.Name != "" {
		err = s.wrong("sname", lot.CheckName("name", s.Name))
	}
	for _, check := range []struct {
		setting string
		wrong   error
	}{
		{"cluster", lot.CheckName("cluster", s.Cluster)},
		{"cookie-file", s.checkCookieFile()},
		{"cookie", s.checkCookie()},
		{"gates", lot.CheckGates(s.Gates)},
		{"spaces", lot.CheckSpaces(s.Spaces)},
		{"push", s.checkPush()},
		{"ack", node.CheckAck(s.Ack)},
		{"profile", s.checkProfile()},
		{"metrics", s.parseMetrics()},
		{"log-level", s.parseLevel()},
		{"log-format", s.checkLogFormat()},
		{"join", s.checkJoin()},
		{"dns-server", s.checkServer()},
		{"discover", s.parseDiscover()},
		{"bind", s.parseBind()},
		{"pod-ip", s.parsePodIP()},
	} {
		if err == nil {
			err = s.wrong(check.setting, check.wrong)
		}
	}
	if err == nil {
		_, err = s.options(false)
	}
	return err
}

// wrong makes an error about a setting one of usage, which tells where the
// setting is from, unless it was typed just now.
func (s *settings) wrong(setting string, err error) error {
	if err == nil {
		return nil
	}
	return &usageError{fmt.Errorf("%w%s", err, s.found[setting].from.remark())}
}

func (s *settings) checkCookieFile() error {
	if s.CookieFile == "" {
		return fmt.Errorf("--cookie-file is empty; give a file, or none for %s", defaults().CookieFile)
	}
	return nil
}

func (s *settings) checkCookie() error {
	if s.given("cookie") && s.Cookie == "" {
		return fmt.Errorf("the cookie is empty; give one, or none for that in %s", s.CookieFile)
	}
	return nil
}

func (s *settings) checkPush() error {
	_, err := node.ParsePush(s.Push)
	return err
}

func (s *settings) checkProfile() error {
	_, err := node.ParseProfile(s.Profile)
	return err
}

func (s *settings) parseLevel() error {
	if s.level.UnmarshalText([]byte(s.LogLevel)) != nil {
		return fmt.Errorf("the log level %.20q is not debug, info, warn or error", s.LogLevel)
	}
	return nil
}

func (s *settings) checkJoin() error {
	for _, j := range s.Join {
		if !isHostPort(j) {
			return fmt.Errorf("--join %.80q is not HOST:PORT", j)
		}
	}
	return nil
}

// isHostPort reports whether s is HOST:PORT, with a port that one can connect to.
func isHostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	n, bad := strconv.ParseUint(port, 10, 16)
	return err == nil && host != "" && bad == nil && n > 0
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

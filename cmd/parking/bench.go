package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kballard/go-shellquote"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"parking/node/discover"
	"parking/repl"
	"parking/repl/bench"
	"parking/repl/process"
)

// measuring is the part of the settings that bench has.
type measuring struct {
	Nodes     string        `koanf:"nodes"`
	Attach    string        `koanf:"attach"`
	Runs      int           `koanf:"runs"`
	Rate      string        `koanf:"rate"`
	Duration  time.Duration `koanf:"duration"`
	Batch     string        `koanf:"batch"`
	Writers   int           `koanf:"writers"`
	Size      string        `koanf:"size"`
	UnderLoad string        `koanf:"under-load"`
	Times     int           `koanf:"times"`
	NodeFlags []string      `koanf:"node-flag"`
	Versus    []string      `koanf:"versus"`
	Plots     string        `koanf:"plots"`
	Verdict   bool          `koanf:"verdict"`
}

func benchCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "bench [WORKLOAD...]",
		Short: "measure a cluster of real node processes",
		Long: "bench starts nodes on this host, loads them and tells what it saw; or it loads a cluster\n" +
			"that runs here, and removes what it recorded. It measures, unless you name some of these:\n" + workloads(),
		Example: "  parking bench                                       all but freeze, mend and start, with three nodes\n" +
			"  parking bench convergence --nodes 3,10 --plots .    a sweep, and its pictures\n" +
			"  parking bench catch-up --size 1k,100k,1M --runs 5   medians of five runs each\n" +
			"  parking bench throughput --attach larry             the cluster that larry is in",
		RunE: func(c *cobra.Command, args []string) error {
			s, err := load(c.Flags())
			if err != nil {
				return err
			}
			return runBench(c.Context(), s, args, optionsOf(c.Flags(), args))
		},
	}
	f, d := c.Flags(), bench.DefaultConfig()
	f.SortFlags = false
	f.String("nodes", "3", "`N` nodes; several numbers, as in 3,10,30, make a sweep")
	f.String("attach", "", "measure the cluster of the running node `NAME` instead of starting one")
	f.String("cluster", "", "`NAME` of the cluster to attach to, where two nodes have the name")
	f.Int("runs", d.Runs, "measure each `N` times; told are median and spread")
	f.String("rate", strconv.Itoa(d.Rate), "`N` entries per second, in convergence, gates and freeze")
	f.Duration("duration", d.Duration, "`DURATION` of convergence, throughput, gates and half of freeze")
	f.String("batch", strconv.Itoa(d.Batch), "`N` entries that a writer records at once, in throughput")
	f.Int("writers", d.Writers, "`N` writers per node, in throughput")
	f.String("size", "", "`N` vehicles in the lot, in catch-up (100k) and idle (10k); several make a sweep")
	f.String("under-load", "0", "`N` changes per second that go on during catch-up")
	f.Int("times", d.Times, "`N` failovers, starts, or heals of each kind of broken links, in a run")
	f.StringArray("node-flag", nil, "a `FLAG` for the nodes that are started, with its value (repeatable)")
	f.StringArray("versus", nil, "a `FLAG` to compare by: measure without and with it, in turns (repeatable)")
	f.Bool("verdict", false, "judge what each cluster did when it was measured; fail if a promise was broken")
	f.String("format", defaults().Format, "`FORMAT` of the report: table or json")
	f.String("plots", "", "write plots as SVG to a `DIR`, which is made if need be")
	f.Bool("no-color", false, "no colours (NO_COLOR does the same)")
	return c
}

// workloads lists what can be measured.
func workloads() string {
	var list strings.Builder
	for _, name := range bench.Names() {
		fmt.Fprintf(&list, "  %-12s %s\n", name, bench.Summary(name))
	}
	return list.String()
}

// optionsOf is what was typed, for the record.
func optionsOf(flags *pflag.FlagSet, args []string) string {
	words := slices.Clone(args)
	flags.Visit(func(f *pflag.Flag) {
		if list, ok := f.Value.(pflag.SliceValue); ok {
			for _, v := range list.GetSlice() {
				words = append(words, "--"+f.Name+"="+v)
			}
			return
		}
		words = append(words, "--"+f.Name+"="+f.Value.String())
	})
	return shellquote.Join(words...)
}

// runBench measures, and tells what was measured, also when it is interrupted
// or something fails.
func runBench(ctx context.Context, s settings, names []string, options string) error {
	opt, err := s.options(term.IsTerminal(int(os.Stdout.Fd())))
	if err != nil {
		return err
	}
	cfg, err := s.benchConfig(names)
	if err != nil {
		return &usageError{err}
	}
	if s.Attach != "" {
		if cfg.Targets, err = targets(s.Attach, s.Cluster); err != nil {
			return err
		}
	}
	if err := cfg.Validate(); err != nil {
		return &usageError{err}
	}
	if s.Plots != "" {
		if err := os.MkdirAll(s.Plots, 0o755); err != nil {
			return fmt.Errorf("no plots can be written: %w", err)
		}
	}
	cfg.Program, cfg.Options = versionText(), options
	if cfg.Process.Exe, err = os.Executable(); err != nil {
		return err
	}
	cfg.Process.Env, cfg.Process.Temp = os.Environ(), os.TempDir()
	if term.IsTerminal(int(os.Stderr.Fd())) {
		cfg.Progress = bench.NewProgress(os.Stderr)
	}
	ctx, sig := catch(ctx)
	defer sig.stop()
	sig.patient.Store(true)
	cfg.Hurry = sig.Hurry
	told, err := measureAndTell(ctx, cfg, opt)
	if s.Plots != "" {
		if drawn := told.WritePlots(s.Plots); drawn != nil {
			err = errors.Join(err, drawn)
		}
	}
	if sig.ended() != 0 && !errors.Is(err, context.Canceled) && err != nil {
		fmt.Fprintf(os.Stderr, "parking: %s\n", repl.Plain(err)) // else the signal says it
	}
	return sig.exit(err)
}

// measureAndTell writes the report: in a document at the end, for people as it
// grows.
func measureAndTell(ctx context.Context, cfg bench.Config, opt repl.Options) (*bench.Report, error) {
	if opt.Format == repl.JSON {
		r, err := bench.Run(ctx, cfg, nil)
		return r, errors.Join(err, r.WriteJSON(os.Stdout))
	}
	var broken error // standard output
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	begun := false
	r, err := bench.Run(ctx, cfg, func(r *bench.Report, result *bench.Result) {
		if !begun {
			broken = r.WriteHeader(os.Stdout)
			begun = true
		}
		if broken == nil {
			broken = result.WriteText(os.Stdout, opt.Color)
		}
		if broken != nil {
			cancel() // nobody reads
		}
	})
	if broken == nil {
		broken = r.WriteGrowth(os.Stdout, opt.Color)
	}
	if broken != nil {
		return r, broken
	}
	switch {
	case r.Interrupted && begun:
		fmt.Fprintln(os.Stderr, "interrupted; what is told above was measured before")
	case r.Interrupted:
		fmt.Fprintln(os.Stderr, "interrupted before anything was measured")
	}
	return r, err
}

// benchConfig is what the settings say is to be measured.
func (s *settings) benchConfig(names []string) (cfg bench.Config, err error) {
	cfg = bench.DefaultConfig()
	cfg.Workloads = names
	cfg.Verdict = s.Verdict
	cfg.Runs, cfg.Duration, cfg.Writers, cfg.Times = s.Runs, s.Duration, s.Writers, s.Times
	if s.Attach != "" {
		for _, name := range []string{"nodes", "node-flag", "versus"} {
			if s.typed(name) {
				return cfg, fmt.Errorf("--%s is about nodes that bench starts; leave out --attach, or it", name)
			}
		}
	} else if s.typed("cluster") {
		return cfg, errors.New("--cluster tells which cluster to attach to; give --attach NAME, too")
	}
	for _, n := range []struct {
		flag, typed string
		to          *int
	}{{"rate", s.Rate, &cfg.Rate}, {"batch", s.Batch, &cfg.Batch}, {"under-load", s.UnderLoad, &cfg.UnderLoad}} {
		if *n.to, err = bench.ParseCount(n.typed); err != nil {
			return cfg, fmt.Errorf("--%s: %w", n.flag, err)
		}
	}
	if cfg.Nodes, err = bench.ParseCounts(s.Nodes); err != nil {
		return cfg, fmt.Errorf("--nodes: %w", err)
	}
	if s.Size != "" {
		if cfg.Sizes, err = bench.ParseCounts(s.Size); err != nil {
			return cfg, fmt.Errorf("--size: %w", err)
		}
	}
	if len(s.Versus) > 0 && s.Plots != "" {
		return cfg, errors.New("--plots draws sweeps, and --versus makes none; leave out one of them")
	}
	if cfg.Flags, err = nodeFlags("node-flag", s.NodeFlags); err != nil {
		return cfg, err
	}
	cfg.Versus, err = nodeFlags("versus", s.Versus)
	return cfg, err
}

// nodeFlags splits what was given as flags for nodes.
func nodeFlags(flag string, given []string) (all []string, err error) {
	for _, f := range given {
		words, err := shellquote.Split(f)
		if err == nil {
			err = process.CheckFlags(words)
		}
		if err != nil {
			return nil, fmt.Errorf("--%s %.80q: %w", flag, f, err)
		}
		all = append(all, words...)
	}
	return all, nil
}

// targets returns the nodes of the cluster that the node of that name is in,
// as far as they run here.
func targets(name, cluster string) ([]bench.Target, error) {
	e, err := findNode(name, cluster)
	if err != nil {
		return nil, err
	}
	dir, _, err := runtimeDir()
	if err != nil {
		return nil, err
	}
	all, err := discover.List(dir)
	if err != nil {
		return nil, err
	}
	var out []bench.Target
	for _, x := range all {
		if x.Cluster == e.Cluster && x.Fingerprint == e.Fingerprint {
			out = append(out, bench.Target{Name: x.Name, Socket: x.Socket, PID: x.PID})
		}
	}
	return out, nil
}

package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/kballard/go-shellquote"

	"parking/repl"
	"parking/repl/bench/wire"
)

// A workload is one thing to measure.
type workload struct {
	name    string
	summary string
	least   int  // nodes that it needs
	size    int  // of the lot, if none is given; 0: the lot is empty
	own     bool // it starts or ends nodes
	bare    bool // it starts all of them
	extra   bool // it is not measured by default

	how func(*Config) string // it is measured, beside nodes and size

	// prepare, if there is one, does what the runs have in common: they share
	// one cluster then. Else each has a fresh one.
	prepare func(ctx context.Context, t *trial) error

	// run adds to the sample what it has measured, even if it fails.
	run func(ctx context.Context, t *trial, s *sample) error
}

// workloads are those that there are, in the order in which they are told.
var workloads = []workload{
	{name: "convergence", summary: "from when an entry is due until every replica shows it, at a steady rate", least: 2, run: convergence, how: steadily},
	{name: "throughput", summary: "entries at every node as fast as possible, until all replicas are equal", least: 1, run: throughput, how: hastily},
	{name: "catch-up", summary: "a fresh node joins a lot of many vehicles", least: 1, size: 100_000, own: true, prepare: fillFirst, run: catchUp, how: meanwhile},
	{name: "failover", summary: "kill -9 of the node with most gates until every gate runs again; freezing; leaving", least: 2, own: true, run: failover, how: repeatedly},
	{name: "gates", summary: "vehicles enter and leave through gates that other nodes run, at a steady rate", least: 2, run: through, how: steadily},
	{name: "idle", summary: "CPU and bytes per second of a cluster in which nothing happens", least: 1, size: 10_000, prepare: fillFirst, run: idle, how: afterRest},
	{name: "freeze", summary: "what the others notice of a node that stands still, while entries come at a steady rate", least: 3, own: true, extra: true, run: standstill, how: twice},
	{name: "mend", summary: "links that were broken in several ways are healed, until digests and owners of gates are equal", least: 2, own: true, extra: true, run: mend, how: repeatedly},
	{name: "start", summary: "nodes started at the same moment, until all agree on who runs each gate", least: 2, own: true, bare: true, extra: true, run: together, how: repeatedly},
}

func steadily(c *Config) string {
	return fmt.Sprintf("%s entries per second for %v", count(c.Rate), c.Duration)
}

func twice(c *Config) string { return steadily(c) + ", twice" }

func hastily(c *Config) string {
	return fmt.Sprintf("%s each in batches of %d for %v", repl.Count(c.Writers, "writer"), c.Batch, c.Duration)
}

func meanwhile(c *Config) string {
	if c.UnderLoad == 0 {
		return ""
	}
	return fmt.Sprintf("%s changes per second meanwhile", count(c.UnderLoad))
}

func repeatedly(c *Config) string { return repl.Count(c.Times, "time") }

func afterRest(c *Config) string {
	return fmt.Sprintf("for %v, after %v without a change", c.Idle, c.Quiet)
}

// Names returns the names of the workloads.
func Names() (names []string) {
	for _, w := range workloads {
		names = append(names, w.name)
	}
	return names
}

// Summary says what the workload of that name measures.
func Summary(name string) string {
	w, _ := workloadOf(name)
	return w.summary
}

func workloadOf(name string) (workload, bool) {
	i := slices.IndexFunc(workloads, func(w workload) bool { return w.name == name })
	if i < 0 {
		return workload{}, false
	}
	return workloads[i], true
}

// chosen returns the workloads to measure: those that are named, or all that
// fit.
func (c *Config) chosen() (all []workload) {
	for _, name := range c.Workloads {
		w, _ := workloadOf(name)
		all = append(all, w)
	}
	if len(all) > 0 {
		return all
	}
	for _, w := range workloads {
		nodes := slices.Min(c.Nodes)
		if c.attached() {
			nodes = len(c.Targets)
		}
		if !w.extra && (!c.attached() || !w.own) && nodes >= w.least {
			all = append(all, w)
		}
	}
	return all
}

// A trial is a workload on a cluster.
type trial struct {
	cfg *Config
	cluster
	plates   *plates
	nodes    int
	size     int
	progress *Progress
	label    string // of what is going on, for that

	empty, full usage // before and after the lot was filled
}

// Run measures what cfg says until that is done, something fails, or ctx ends.
// Whatever was measured is reported, too then; each, if it is not nil, is told
// as soon as there is one more result. Nothing of what it started or recorded
// is left when it returns.
func Run(ctx context.Context, cfg Config, each func(*Report, *Result)) (*Report, error) {
	r := &Report{
		Date: time.Now().UTC(), Program: cfg.Program, Options: cfg.Options,
		Machine: thisMachine(ctx), LoadBefore: loadNow(ctx), Results: []*Result{},
	}
	if err := cfg.Validate(); err != nil {
		return r, err
	}
	defer cfg.Progress.done()
	nodes := cfg.Nodes
	if cfg.attached() {
		nodes = []int{len(cfg.Targets)}
	}
	for _, w := range cfg.chosen() {
		sizes := cfg.Sizes
		switch {
		case w.size == 0:
			sizes = []int{0}
		case len(sizes) == 0:
			sizes = []int{w.size}
		}
		for _, n := range nodes {
			for _, size := range sizes {
				result := &Result{Workload: w.name, Nodes: n, Size: size, sized: w.size > 0, what: w.describe(&cfg, n, size)}
				measured, err := []*Result{result}, error(nil)
				if len(cfg.Versus) == 0 {
					err = measure(ctx, &cfg, w, result)
				} else {
					other := *result
					other.With = shellquote.Join(cfg.Versus...)
					other.what += ", with " + other.With
					measured = append(measured, &other)
					err = inTurns(ctx, &cfg, w, result, &other)
				}
				cfg.Progress.done()
				for _, result := range measured {
					if result.measured() {
						r.Results = append(r.Results, result)
						if each != nil {
							each(r, result)
						}
					}
				}
				if err != nil {
					r.Interrupted = ctx.Err() != nil
					return r, fmt.Errorf("%s: %w", w.name, err)
				}
			}
		}
	}
	return r, nil
}

// measure runs a workload as often as it is to be, and adds to the result what
// it has measured, even if it fails.
func measure(ctx context.Context, cfg *Config, w workload, r *Result) (err error) {
	r.LoadBefore = loadNow(ctx)
	stop := watchLoad(ctx)
	defer func() { r.LoadDuring = stop() }()
	if w.prepare == nil {
		for range cfg.Runs {
			if err := onCluster(ctx, cfg, w, r, 1); err != nil {
				return err
			}
		}
		return nil
	}
	return onCluster(ctx, cfg, w, r, cfg.Runs)
}

// inTurns measures a workload on clusters without and with the flags that make the
// difference: whatever else goes on on the machine falls on both alike.
func inTurns(ctx context.Context, cfg *Config, w workload, without, with *Result) error {
	other := *cfg
	other.Flags = slices.Concat(cfg.Flags, cfg.Versus)
	without.LoadBefore, with.LoadBefore = loadNow(ctx), loadNow(ctx)
	stop := watchLoad(ctx)
	defer func() {
		without.LoadDuring = stop()
		with.LoadDuring = without.LoadDuring
	}()
	turns := []struct {
		cfg *Config
		r   *Result
	}{{cfg, without}, {&other, with}}
	for range cfg.Runs {
		for _, turn := range turns {
			if err := onCluster(ctx, turn.cfg, w, turn.r, 1); err != nil {
				return err
			}
		}
		slices.Reverse(turns) // who is second has the machine warmer, and others' garbage
	}
	return nil
}

// onCluster runs a workload so often on one cluster.
func onCluster(ctx context.Context, cfg *Config, w workload, r *Result, runs int) (err error) {
	t := &trial{
		cfg: cfg, nodes: r.Nodes, size: r.Size, progress: cfg.Progress, label: w.name,
		// No car has such a plate.
		plates: &plates{prefix: fmt.Sprintf("~%c", 'a'+rand.IntN(26))},
	}
	if cfg.attached() {
		t.cluster, err = openAttached(ctx, cfg.Targets, t.plates)
	} else {
		t.cluster, err = openOwn(cfg)
	}
	if err != nil {
		return err
	}
	defer func() {
		hurry := cfg.Hurry
		if hurry == nil {
			hurry = context.WithoutCancel(ctx)
		}
		if left := t.close(hurry); err == nil {
			err = left
		}
	}()
	switch {
	case cfg.attached():
		_, err = equal(ctx, t.members())
	case !w.bare:
		err = found(ctx, t.cluster, r.Nodes)
	}
	if err != nil {
		return err
	}
	if w.prepare != nil {
		if err := w.prepare(ctx, t); err != nil {
			return err
		}
	}
	for range runs {
		if t.label = w.name; cfg.Runs > 1 {
			t.label += fmt.Sprintf(" %d/%d", len(r.samples)+1, cfg.Runs)
		}
		s := &sample{}
		err := w.run(ctx, t, s)
		if s.measured() {
			r.samples = append(r.samples, s)
		}
		if err != nil {
			s.note("the last run did not come to its end")
		}
		if err != nil {
			return err
		}
	}
	stats, err := statsOf(ctx, t.members())
	r.tell(cfg, stats)
	if err == nil && cfg.Verdict {
		err = t.judge(ctx, r.samples[len(r.samples)-1])
	}
	return err
}

// tell adds what the nodes say of themselves.
func (r *Result) tell(cfg *Config, stats []*wire.StatsReply) {
	for _, s := range stats {
		if v := s.GetVersion(); v != cfg.Program && !slices.Contains(r.Versions, v) {
			r.Versions = append(r.Versions, v)
		}
	}
}

// describe says how the workload is measured, for people.
func (w workload) describe(c *Config, nodes, size int) string {
	out := repl.Count(nodes, "node")
	if c.attached() {
		out += " that run already"
	}
	if w.size > 0 {
		out += ", " + count(size) + " vehicles"
	}
	if how := w.how(c); how != "" {
		out += ", " + how
	}
	return out
}

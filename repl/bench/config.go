package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"parking/repl/process"
)

// Config says what to measure. Several values of Nodes or Sizes make a sweep:
// each is measured.
type Config struct {
	Workloads []string // names of workloads; none: those that are measured by default
	Nodes     []int
	Sizes     []int // vehicles in the lot; none: the workload's own
	Runs      int   // of each measurement

	Rate      int           // entries and exits per second, where they come at a steady rate
	Duration  time.Duration // of what is measured for a while
	Batch     int           // entries that a writer records at once
	Writers   int           // per node, where they are as fast as possible
	UnderLoad int           // changes per second during a catch-up
	Times     int           // failovers, starts and heals of each kind in a run
	Quiet     time.Duration // without a change before idleness is measured
	Idle      time.Duration // that it is measured for
	Broken    time.Duration // that links are broken of which nobody is to notice
	Verdict   bool          // judge each cluster's session when it was measured
	Lasts     time.Duration // that nodes agree, after a heal, for it to count: a suspicion from before may still end in a verdict

	Process process.Config // how nodes are started
	Flags   []string       // of these nodes
	Versus  []string       // more flags: each is measured without them, and with, in turns
	Targets []Target       // nodes to measure instead of starting any: all of a cluster that run here

	Hurry    context.Context // its end ends what a running cluster is cleaned up of; nil: it never does
	Program  string          // version of the program
	Options  string          // the command line, for the record
	Progress *Progress       // nil: none is shown
}

// DefaultConfig returns a configuration that lacks how nodes are started.
func DefaultConfig() Config {
	return Config{
		Nodes: []int{3}, Runs: 1, Rate: 100, Duration: 10 * time.Second, Batch: 256, Writers: 1, Times: 20,
		Quiet: 5 * time.Second, Idle: 20 * time.Second, Broken: 4 * time.Second, Lasts: 2 * time.Second,
	}
}

const (
	maxNodes   = 100
	maxSize    = 50_000_000
	maxRate    = 100_000
	maxRuns    = 1000
	maxTimes   = 10_000
	maxWriters = 256
)

// attached reports whether the cluster runs already.
func (c *Config) attached() bool { return len(c.Targets) > 0 }

// entries is how many are due in the duration, at the rate.
func (c *Config) entries() int { return int(float64(c.Rate) * c.Duration.Seconds()) }

// Validate refuses what cannot be measured, in words that name the flags.
func (c *Config) Validate() error {
	for _, name := range c.Workloads {
		w, ok := workloadOf(name)
		switch {
		case !ok:
			return fmt.Errorf("there is no workload %.40q; there are %s", name, strings.Join(Names(), ", "))
		case c.attached() && w.own:
			return fmt.Errorf("%s starts and ends nodes, which is not for a running cluster; leave out --attach", name)
		case c.attached() && len(c.Targets) < w.least:
			return fmt.Errorf("%s needs %d nodes of the cluster on this host; %d runs here", name, w.least, len(c.Targets))
		case !c.attached() && slices.Min(c.Nodes) < w.least:
			return fmt.Errorf("%s needs %d nodes; give --nodes %d or more", name, w.least, w.least)
		}
	}
	for _, r := range []struct {
		flag          string
		v, least, max int
	}{
		{"nodes", slices.Min(c.Nodes), 1, maxNodes}, {"nodes", slices.Max(c.Nodes), 1, maxNodes},
		{"runs", c.Runs, 1, maxRuns}, {"rate", c.Rate, 1, maxRate}, {"batch", c.Batch, 1, maxLoad},
		{"writers", c.Writers, 1, maxWriters}, {"under-load", c.UnderLoad, 0, maxRate}, {"times", c.Times, 1, maxTimes},
	} {
		if r.v < r.least || r.v > r.max {
			return fmt.Errorf("--%s %d is not from %d to %d", r.flag, r.v, r.least, r.max)
		}
	}
	if len(c.Versus) > 0 && (len(c.Nodes) > 1 || len(c.Sizes) > 1) {
		return errors.New("--versus compares two, and a sweep many; give one number of --nodes, and one --size")
	}
	if len(c.Sizes) > 0 && slices.Max(c.Sizes) > maxSize {
		return fmt.Errorf("--size %d is more than %s", slices.Max(c.Sizes), count(maxSize))
	}
	if c.Duration < 10*time.Millisecond || c.Duration.Seconds()*float64(c.Rate) > maxAwaited {
		return fmt.Errorf("--duration %v at --rate %d is not from 10ms to %s entries", c.Duration, c.Rate, count(maxAwaited))
	}
	if c.Duration.Seconds()*float64(c.Rate) < 1 {
		return errors.New("--duration is over before the first entry; give a longer one, or a higher --rate")
	}
	return nil
}

package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Config says how scripts are played.
type Config struct {
	Exe   string    // the program that runs a node when its first argument is node
	Env   []string  // of the nodes; variables that begin with PARKING_ are left out
	Temp  string    // existing directory for the run's own; short, since sockets' paths are
	Out   io.Writer // the transcript
	Color bool      // in it

	Step  time.Duration   // that one step may take
	Start time.Duration   // that one node may take to be ready
	Grace time.Duration   // that nodes have to leave when the run is over
	Hurry context.Context // its end ends the grace; nil: it never does
}

// DefaultConfig returns a configuration that lacks program, environment,
// directory and transcript.
func DefaultConfig() Config {
	return Config{Step: 30 * time.Second, Start: 10 * time.Second, Grace: 5 * time.Second}
}

func (c *Config) validate() error {
	switch {
	case c.Exe == "" || c.Temp == "" || c.Out == nil:
		return errors.New("session: a program, a directory and a writer are needed")
	case c.Step <= 0 || c.Start <= 0 || c.Grace <= 0:
		return errors.New("session: the times must be positive")
	}
	return nil
}

// A Report is what came of a run.
type Report struct {
	Script string        // its name
	Steps  int           // that were played to their end
	Checks int           // that held: expectations, and refusals that were wanted
	Took   time.Duration // the cleaning up included
	Err    error         // nil, or why the run failed: FILE:LINE: and what is wrong, in several lines where there is much to show
}

// Interrupted reports whether the run ended because its context did.
func (r Report) Interrupted() bool { return errors.Is(r.Err, context.Canceled) }

// String reads "failover: 7 steps, 4 checks, 2.1 s, ok".
func (r Report) String() string {
	outcome := "ok"
	switch {
	case r.Interrupted():
		outcome = "interrupted"
	case r.Err != nil:
		outcome = "failed"
	}
	return fmt.Sprintf("%s: %s, %s, %.1f s, %s", r.Script, count(r.Steps, "step"), count(r.Checks, "check"), r.Took.Seconds(), outcome)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Run plays a script until its end, its first failure, or the end of ctx. It
// blocks until all nodes that it started are gone and their directory is
// removed; each step of that takes a bounded time.
func Run(ctx context.Context, cfg Config, s *Script) Report {
	began := time.Now()
	r := Report{Script: s.Name}
	r.Err = r.run(ctx, cfg, s)
	r.Took = time.Since(began)
	return r
}

func (r *Report) run(ctx context.Context, cfg Config, s *Script) (err error) {
	if err := cfg.validate(); err != nil {
		return err
	}
	on, err := open(cfg)
	if err != nil {
		return err
	}
	defer func() {
		r.Checks = on.checks
		// What went wrong first is what counts: after it nodes may well hang.
		if left := on.close(); err == nil {
			err = left
		}
	}()
	for _, l := range s.lines {
		if err := l.play(ctx, on, s); err != nil {
			return err
		}
		if l.step != nil {
			r.Steps++
		}
	}
	return nil
}

// play shows one line and does what it says.
func (l line) play(ctx context.Context, on *stage, s *Script) error {
	p := painter{on.cfg.Color}
	shown := p.prose(l.prose)
	if l.step != nil {
		shown = l.step.show(p)
	}
	if _, err := fmt.Fprintln(on.cfg.Out, shown); err != nil || l.step == nil {
		return err
	}
	err := l.step.play(ctx, on)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if lost := on.lost(); lost != nil {
		err = lost // which is why the step failed, if it did
	}
	if err == nil {
		return nil
	}
	at := l.number
	if d, ok := errors.AsType[*difference](err); ok && d.line > 0 {
		at = d.line
	}
	return fmt.Errorf("%s:%d: %w", s.file, at, err)
}

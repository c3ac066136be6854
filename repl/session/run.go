package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"parking/repl"
)

// Config says how scripts are played.
type Config struct {
	Exe   string    // the program that runs a node when its first argument is node
	Env   []string  // of the nodes; variables that begin with PARKING_ are left out
	Temp  string    // existing directory for the run's own; short, since sockets' paths are
	Out   io.Writer // the transcript
	Color bool      // in it

	Pace    time.Duration               // before each step, whose line is typed key by key, and before prose; 0: none
	Next    func(context.Context) error // blocks before each step until it may be played; its error ends the run; nil: does not
	Verbose bool                        // show the nodes' events too, and how long a long step took
	Record  *Recording                  // gets the transcript too, and stays the caller's; nil: nothing does
	Verdict bool                        // have the session judged at its end; a promise that was broken is a failure
	Update  bool                        // an answer that is another than expected is no failure; see Report.Save

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
	case c.Pace < 0:
		return errors.New("session: the pace must not be negative")
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

	source string // the script's
	edits  edits
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
	return fmt.Sprintf("%s: %s, %s, %.1f s, %s", r.Script, repl.Count(r.Steps, "step"), repl.Count(r.Checks, "check"), r.Took.Seconds(), outcome)
}

// Run plays a script until its end, its first failure, or the end of ctx. It
// blocks until all nodes that it started are gone and their directory is
// removed; each step of that takes a bounded time.
func Run(ctx context.Context, cfg Config, s *Script) Report {
	began := time.Now()
	r := Report{Script: s.Name}
	if r.Err = r.run(ctx, cfg, s); r.Err != nil {
		r.edits = nil // what has failed is not to be made true
	}
	r.Took = time.Since(began)
	return r
}

func (r *Report) run(ctx context.Context, cfg Config, s *Script) (err error) {
	if err := cfg.validate(); err != nil {
		return err
	}
	on, err := open(cfg, s)
	if err != nil {
		return err
	}
	defer func() {
		r.Checks = on.checks
		_ = on.out.settle()
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
	r.source, r.edits = s.source, on.edits
	return on.judge(ctx, s)
}

// judge has the session judged at one of the nodes that are left, as if its last
// line said so.
func (s *stage) judge(ctx context.Context, script *Script) error {
	if !s.cfg.Verdict || len(s.nodes) == 0 {
		return nil
	}
	at := 0
	if n := len(script.lines); n > 0 {
		at = script.lines[n-1].number
	}
	l := line{number: at, step: &command{node: s.nodes[0].Name, line: "verdict"}}
	return l.play(ctx, s, script)
}

// play shows one line and does what it says.
func (l line) play(ctx context.Context, on *stage, s *Script) error {
	paint := on.out.painter()
	if l.step == nil {
		return on.out.prose(ctx, paint.prose(l.prose))
	}
	prompt, typed := l.step.show(paint)
	if err := on.out.step(ctx, prompt, typed); err != nil {
		return err
	}
	err := on.next(ctx)
	if err == nil {
		if err := on.out.enter(); err != nil {
			return err
		}
		err = on.do(ctx, l.step)
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case on.out.failed() != nil:
		return on.out.failed()
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

// next blocks until the step that is shown may be played.
func (s *stage) next(ctx context.Context) (err error) {
	if s.cfg.Next != nil {
		s.out.still(func() { err = s.cfg.Next(ctx) })
	}
	return errors.Join(err, ctx.Err())
}

// longStep is from when on it is told how long a step took.
const longStep = 100 * time.Millisecond

// do plays one step.
func (s *stage) do(ctx context.Context, l step) error {
	began := time.Now()
	err := errors.Join(l.play(ctx, s), s.out.settle())
	if took := time.Since(began).Round(time.Millisecond); s.cfg.Verbose && err == nil && took >= longStep {
		fmt.Fprintln(s.out, s.out.painter().dim("took "+took.String()))
		err = s.out.settle()
	}
	return err
}

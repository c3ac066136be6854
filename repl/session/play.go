package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/jedib0t/go-pretty/v6/text"

	"parking/repl"
)

func (s *start) play(ctx context.Context, on *stage) error {
	for _, name := range s.names {
		p, err := launch(on.cfg, on.dir, name, s.flags)
		if err != nil {
			return err
		}
		on.nodes = append(on.nodes, p)
		ready, cancel := limit(ctx, "a start", on.cfg.Start)
		err = p.connect(ready, on.dir)
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

// What a node's process ends with when it has left in good order.
const (
	exitFine = 0
	exitTerm = 128 + int(syscall.SIGTERM)
)

func (e *end) play(ctx context.Context, on *stage) error {
	p, err := on.find(e.node)
	if err != nil {
		return err
	}
	ctx, cancel := limit(ctx, "a step", on.cfg.Step)
	defer cancel()
	sig := syscall.SIGKILL
	if e.verb == "stop" {
		sig = syscall.SIGTERM
	}
	if err := errors.Join(p.signal(sig), on.release(ctx, e.node)); err != nil || sig == syscall.SIGKILL {
		return err
	}
	return p.left(exitFine, exitTerm)
}

func (c *command) play(ctx context.Context, on *stage) error {
	p, err := on.find(c.node)
	if err != nil {
		return err
	}
	ctx, cancel := limit(ctx, "a step", on.cfg.Step)
	defer cancel()
	got, err := c.ask(ctx, on.cfg, p)
	switch {
	case err != nil:
	case got.refused && !c.refused:
		err = &difference{0, "the command failed", "no error", got.text}
	case !got.refused && c.refused:
		err = &difference{0, "the command did not fail", "an error", got.text}
	case got.refused:
		on.checks++
	case got.quits:
		err = on.quit(ctx, p)
	case c.ends != "":
		err = on.release(ctx, c.ends)
	}
	if err != nil {
		return err
	}
	held, err := check(c.expected, got.text)
	on.checks += held
	return err
}

// An answer is what came of a command.
type answer struct {
	text    string // without colours
	refused bool
	quits   bool // the node's prompt ends by it
}

// ask types the command, and shows and returns the answer. An error says why
// there is none.
func (c *command) ask(ctx context.Context, cfg Config, p *process) (answer, error) {
	var seen bytes.Buffer
	shown := io.MultiWriter(cfg.Out, &seen)
	p.shell.Options = repl.Options{Format: repl.Table, Color: cfg.Color}
	p.shell.Out, p.shell.Remarks = shown, shown
	err := p.shell.Exec(ctx, c.line)
	got := answer{quits: errors.Is(err, repl.ErrQuit)}
	switch {
	case ctx.Err() != nil:
		return got, fmt.Errorf("%s has not answered: %w", c.node, context.Cause(ctx))
	case err == nil, got.quits:
	case errors.Is(err, repl.ErrGone):
		if c.ends != c.node { // else it died before its answer was out
			_ = p.wait(ctx) // so that its end is seen, and told as the reason
			return got, err
		}
	default:
		got.refused = true
		repl.WriteFailure(err, p.shell.Options, shown, shown)
	}
	got.text = text.StripEscape(seen.String())
	return got, nil
}

// quit ends a node's input, at which it leaves.
func (s *stage) quit(ctx context.Context, p *process) error {
	p.hangUp()
	if err := errors.Join(p.input.Close(), s.release(ctx, p.name)); err != nil {
		return err
	}
	return p.left(exitFine)
}

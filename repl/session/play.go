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
	var seen bytes.Buffer
	shown := io.MultiWriter(on.cfg.Out, &seen)
	p.shell.Options = repl.Options{Format: repl.Table, Color: on.cfg.Color}
	p.shell.Out, p.shell.Remarks = shown, shown

	err = p.shell.Exec(ctx, c.line)
	quits, ends := errors.Is(err, repl.ErrQuit), c.ends
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s has not answered: %w", c.node, context.Cause(ctx))
	case quits:
		ends = c.node
		err = p.input.Close()
	case errors.Is(err, repl.ErrGone) && ends == c.node: // it died before its answer was out
		err = nil
	case errors.Is(err, repl.ErrGone):
		_ = p.wait(ctx) // so that its end is seen, and told as the reason
		return err
	case err != nil:
		repl.WriteFailure(err, p.shell.Options, shown, shown)
	}

	answer := text.StripEscape(seen.String())
	switch refused := err != nil; {
	case refused && !c.refused:
		return &difference{"the command was refused", "no error", answer}
	case !refused && c.refused:
		return &difference{"the command was not refused", "an error", answer}
	case refused:
		on.checks++
	}
	if ends != "" {
		if err := on.release(ctx, ends); err != nil {
			return err
		}
	}
	if quits {
		if err := p.left(exitFine); err != nil {
			return err
		}
	}
	held, err := check(on.file, c.expected, answer)
	on.checks += held
	return err
}

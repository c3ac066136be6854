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
	"parking/repl/process"
)

func (s *start) play(ctx context.Context, on *stage) error {
	for _, together := range s.names {
		if err := on.start(ctx, together, s.flags); err != nil {
			return err
		}
	}
	return nil
}

func (r *restart) play(ctx context.Context, on *stage) error {
	if _, err := on.find(r.node); err == nil {
		if err := (&end{"stop", r.node}).play(ctx, on); err != nil {
			return err
		}
	}
	return on.start(ctx, []string{r.node}, r.flags)
}

// What a node's process ends with when it has left in good order.
const (
	exitFine = 0
	exitTerm = 128 + int(syscall.SIGTERM)
)

func (e *end) play(ctx context.Context, on *stage) error {
	t, err := on.find(e.node)
	if err != nil {
		return err
	}
	ctx, cancel := process.Limit(ctx, "a step", on.cfg.Step)
	defer cancel()
	sig := syscall.SIGKILL
	if e.verb == "stop" {
		sig = syscall.SIGTERM
	}
	if err := errors.Join(t.end(sig), on.release(ctx, e.node)); err != nil || sig == syscall.SIGKILL {
		return err
	}
	return t.Left(exitFine, exitTerm)
}

func (c *command) play(ctx context.Context, on *stage) error {
	t, err := on.find(c.node)
	if err != nil {
		return err
	}
	ctx, cancel := process.Limit(ctx, "a step", on.cfg.Step)
	defer cancel()
	got, err := c.ask(ctx, on.out, t)
	switch {
	case err != nil:
	case got.refused && !c.refused:
		err = &difference{0, "the command failed", "no error", got.text}
	case !got.refused && c.refused:
		err = &difference{0, "the command did not fail", "an error", got.text}
	case got.refused:
		on.checks++
	case got.quits:
		err = on.quit(ctx, t)
	case c.ends != "":
		err = on.release(ctx, c.ends)
	}
	if err != nil {
		return err
	}
	held, err := check(c.expected, got.text)
	if len(c.fields) > 0 {
		held, err = checkFields(c.fields, got.document)
	}
	on.checks += held
	if err == nil || !on.cfg.Update {
		return err
	}
	on.edits.words(on.source, c.expected, got.text)
	return on.edits.fields(on.source, c.fields, got.document)
}

// An answer is what came of a command.
type answer struct {
	text     string // all that is shown, without colours
	document string // without what is told beside the answer
	refused  bool
	quits    bool // the node's prompt ends by it
}

// ask types the command, and shows and returns the answer. An error says why
// there is none.
func (c *command) ask(ctx context.Context, out *transcript, t *terminal) (answer, error) {
	var seen, document bytes.Buffer
	shown := io.MultiWriter(out, &seen)
	// What was set for the terminal stays.
	t.shell.Options.Format, t.shell.Options.Color = repl.Table, out.painter().on
	if len(c.fields) > 0 {
		t.shell.Options.Format = repl.JSON
	}
	t.shell.Out, t.shell.Remarks = io.MultiWriter(shown, &document), shown
	err := t.shell.Exec(ctx, c.line)
	got := answer{quits: errors.Is(err, repl.ErrQuit)}
	switch {
	case out.failed() != nil:
		return got, out.failed()
	case ctx.Err() != nil:
		return got, fmt.Errorf("%s has not answered: %w", c.node, context.Cause(ctx))
	case err == nil, got.quits:
	case errors.Is(err, repl.ErrGone):
		if c.ends != c.node { // else it died before its answer was out
			_ = t.Wait(ctx) // so that its end is seen, and told as the reason
			return got, err
		}
	default:
		got.refused = true
		repl.WriteFailure(err, t.shell.Options, t.shell.Out, shown)
	}
	got.text, got.document = text.StripEscape(seen.String()), document.String()
	return got, nil
}

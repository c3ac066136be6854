package session

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"parking/repl"
	"parking/repl/process"
)

// A terminal is a node of the stage, and what is typed at its prompt.
type terminal struct {
	*process.Node
	shell *repl.Shell // nil until the node is ready
	hush  func()      // ends what tell began; nil: nothing did
}

// connect blocks until the node is ready and its prompt can be typed at.
func (t *terminal) connect(ctx context.Context) error {
	if err := t.Connect(ctx); err != nil {
		return err
	}
	t.shell = &repl.Shell{Session: t.Client}
	return nil
}

// tell shows the node's events from now on, until hangUp: behind its name, in a
// column of that width. It blocks until none is missed, or opening ends.
func (t *terminal) tell(opening context.Context, out *transcript, width int) {
	paint := out.painter()
	name := paint.node(t.Name, fmt.Sprintf("%-*s", width, t.Name))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	stop := context.AfterFunc(opening, cancel)
	tell := t.Client.Watch(ctx, repl.Options{Format: repl.Table, Color: paint.on})
	stop()
	go func() {
		defer close(ended)
		_ = tell(func(line string) {
			out.event(name + "  " + line)
		})
	}()
	t.hush = func() { cancel(); <-ended }
}

// hangUp closes the terminal that is attached to the node: one that leaves
// waits for its terminals.
func (t *terminal) hangUp() {
	if t.hush != nil {
		t.hush()
	}
	t.HangUp()
}

// end sends a signal that ends the node.
func (t *terminal) end(s syscall.Signal) error {
	t.hangUp()
	return t.Signal(s)
}

// quit ends the node's input, at which it leaves.
func (s *stage) quit(ctx context.Context, t *terminal) error {
	t.hangUp()
	if err := errors.Join(t.CloseInput(), s.release(ctx, t.Name)); err != nil {
		return err
	}
	return t.Left(exitFine)
}

package repl

import (
	"context"
	"errors"
	"fmt"
	"io"

	"parking/lot"
	"parking/node"
)

// An Engine runs commands beside a node: the Session of the same process. Any
// number of terminals may use one at once.
type Engine struct {
	node *node.Node

	// Restart ends another node and starts it again, with its flags; nil: nodes
	// are not started from here. It blocks until the other one has left.
	Restart func(ctx context.Context, name string) error
}

// NewEngine returns the engine of that node.
func NewEngine(n *node.Node) *Engine { return &Engine{node: n} }

var _ Session = (*Engine)(nil)

// Exec implements Session.
func (e *Engine) Exec(ctx context.Context, line string, opt Options, out, remarks io.Writer) error {
	select {
	case <-e.node.Ready():
	case <-ctx.Done():
		return interrupted(ctx)
	}
	w, err := parse(line)
	if err != nil || w.name == "" {
		return err
	}
	cmd, err := find(w.name)
	if err != nil {
		return err
	}
	if err := cmd.check(w); err != nil {
		return err
	}
	if cmd.run == nil {
		return lot.Refuse(lot.Usage, "%s is for the terminal's side, not for the node's", cmd.Name)
	}
	if opt.Ack != nil {
		ctx = node.WithAck(ctx, *opt.Ack)
	}
	err = cmd.run(&call{ctx: ctx, node: e.node, restart: e.Restart, words: w, opt: opt, paint: painter{opt.Color}, out: out, remarks: remarks})
	return refusal(ctx, err)
}

// refusal makes every error one for people.
func refusal(ctx context.Context, err error) error {
	var r *lot.Refusal
	switch {
	case err == nil, errors.As(err, &r), errors.Is(err, ErrDie):
		return err
	case ctx.Err() != nil:
		return interrupted(ctx)
	}
	return lot.Refuse(lot.Refused, "%s", Plain(err))
}

// interrupted says what ended a command's ctx.
func interrupted(ctx context.Context) error {
	if cause := context.Cause(ctx); errors.Is(cause, ErrLeaving) {
		return lot.Refuse(lot.Unreachable, "interrupted: %s", Plain(cause))
	}
	return lot.Refuse(lot.Refused, "interrupted")
}

// Watch implements Session.
func (e *Engine) Watch(ctx context.Context, opt Options) func(func(string)) error {
	sub := e.node.Subscribe()
	return func(show func(string)) error {
		for {
			events, missed := sub.Next(ctx)
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case events == nil:
				return ErrGone
			case missed > 0:
				show(fmt.Sprintf("... %s not shown", Count(missed, "event")))
			}
			for _, e := range events {
				show(renderEvent(e, opt))
			}
		}
	}
}

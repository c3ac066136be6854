package gates

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"parking/lot"
)

// ErrElsewhere is the error of a request to a gate that does not run here, or
// stopped before it came to the request. Nothing was changed.
var ErrElsewhere = errors.New("gates: the gate does not run here")

// ErrBusy is the error of a request that the gate did not come to in time.
// Nothing was changed.
var ErrBusy = errors.New("gates: the gate is busy")

// ErrCrashed is the error of a request that the gate crashed in: its outcome
// cannot be known.
var ErrCrashed = errors.New("gates: the gate crashed")

// A Passage is a vehicle that wants through a gate.
type Passage struct {
	Plate lot.Plate
	Out   bool   // an exit
	For   string // the node whose user asked
}

// A Book records passages. It refuses (a *lot.Refusal) or records at once; the
// receipt goes to whoever asked. It must be safe for concurrent use, since
// several gates write into it.
type Book[R any] func(lot.GateID, Passage) (receipt R, err error)

// mailbox is how many requests may wait at a gate.
const mailbox = 64

// gate is the actor: it takes one request at a time from its mailbox. The
// mailbox outlives a crash of the gate.
type gate[R any] struct {
	id       lot.GateID
	book     Book[R]
	requests chan request[R]
}

type request[R any] struct {
	passage Passage
	crash   bool
	taken   *atomic.Bool    // by the gate, or back by who asked: whoever is first
	reply   chan<- reply[R] // with room for one
}

type reply[R any] struct {
	receipt R
	err     error
}

// Serve works the mailbox off until ctx ends; its supervisor starts it again
// after a panic.
func (g *gate[R]) Serve(ctx context.Context) error {
	for {
		if ctx.Err() != nil { // before the mailbox, when both are ready
			return ctx.Err()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case r := <-g.requests:
			g.handle(r)
		}
	}
}

func (g *gate[R]) handle(r request[R]) {
	if !r.taken.CompareAndSwap(false, true) {
		return
	}
	out := reply[R]{err: ErrCrashed}
	defer func() { r.reply <- out }()
	if r.crash {
		out.err = nil
		panic("told to crash")
	}
	out.receipt, out.err = g.book(g.id, r.passage)
}

// String names the gate for its supervisor.
func (g *gate[R]) String() string { return fmt.Sprintf("gate %d", g.id) }

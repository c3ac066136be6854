package gates

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/thejerf/suture/v4"

	"parking/lot"
)

// A Keeper runs the gates of one node, each under a supervisor of its own that
// starts it again after a crash: at once at first, later with a back-off. A
// panic in a gate ends neither the other gates nor the node. A Keeper is safe
// for concurrent use.
type Keeper[R any] struct {
	book    Book[R]
	crashed func(lot.GateID, string)
	ran     func(lot.GateID, bool)

	mu     sync.Mutex
	posts  map[lot.GateID]*post[R]
	closed bool
}

// post is a gate that runs here.
type post[R any] struct {
	gate    *gate[R]
	cancel  context.CancelFunc
	stopped <-chan struct{}
}

// NewKeeper returns a keeper without gates. crashed is told of every crash, by
// the gate's supervisor when it has started the gate again, and ran of every gate
// that begins to run here and of every one that has stopped; neither may block.
func NewKeeper[R any](book Book[R], crashed func(g lot.GateID, why string), ran func(g lot.GateID, on bool)) *Keeper[R] {
	return &Keeper[R]{book: book, crashed: crashed, ran: ran, posts: make(map[lot.GateID]*post[R])}
}

// Start runs the gate here and reports whether it did not before. After Close
// it does nothing.
func (k *Keeper[R]) Start(id lot.GateID) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || k.posts[id] != nil {
		return false
	}
	g := &gate[R]{id: id, book: k.book, requests: make(chan request[R], mailbox)}
	supervisor := suture.New(g.String(), suture.Spec{
		EventHook: func(e suture.Event) {
			if p, ok := e.(suture.EventServicePanic); ok {
				k.crashed(id, p.PanicMsg)
			}
		},
		FailureThreshold: 5,
		FailureDecay:     10,
		FailureBackoff:   time.Second,
	})
	supervisor.Add(g)
	ctx, cancel := context.WithCancel(context.Background())
	k.ran(id, true)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		_ = supervisor.Serve(ctx)
	}()
	k.posts[id] = &post[R]{gate: g, cancel: cancel, stopped: stopped}
	return true
}

// Stop ends the gate here, after the request it is at, and reports whether it
// ran. It blocks until the gate has stopped.
func (k *Keeper[R]) Stop(id lot.GateID) bool {
	k.mu.Lock()
	p := k.posts[id]
	delete(k.posts, id)
	k.mu.Unlock()
	if p == nil {
		return false
	}
	p.cancel()
	<-p.stopped
	k.ran(id, false)
	return true
}

// Close ends all gates for good.
func (k *Keeper[R]) Close() {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	for _, id := range k.Running() {
		k.Stop(id)
	}
}

// Running returns the gates that run here, sorted.
func (k *Keeper[R]) Running() []lot.GateID {
	k.mu.Lock()
	defer k.mu.Unlock()
	ids := make([]lot.GateID, 0, len(k.posts))
	for id := range k.posts {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Runs reports whether the gate runs here.
func (k *Keeper[R]) Runs(id lot.GateID) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.posts[id] != nil
}

// Pass sends a vehicle through the gate and returns the book's answer. If the
// gate does not run here or stops first, the error is ErrElsewhere; if it does
// not come to it before ctx ends, ErrBusy; if it crashed in it, ErrCrashed.
// After the first two nothing was done, nor will be.
func (k *Keeper[R]) Pass(ctx context.Context, id lot.GateID, p Passage) (R, error) {
	return k.ask(ctx, id, request[R]{passage: p})
}

// Crash makes the gate panic.
func (k *Keeper[R]) Crash(ctx context.Context, id lot.GateID) error {
	_, err := k.ask(ctx, id, request[R]{crash: true})
	return err
}

func (k *Keeper[R]) ask(ctx context.Context, id lot.GateID, r request[R]) (none R, err error) {
	k.mu.Lock()
	p := k.posts[id]
	k.mu.Unlock()
	if p == nil {
		return none, fmt.Errorf("%w: gate %d", ErrElsewhere, id)
	}
	answer := make(chan reply[R], 1)
	r.reply, r.taken = answer, new(atomic.Bool)
	why := ErrElsewhere
	select {
	case p.gate.requests <- r:
		select {
		case a := <-answer:
			return a.receipt, a.err
		case <-p.stopped:
		case <-ctx.Done():
			why = ErrBusy
		}
	case <-p.stopped:
	case <-ctx.Done():
		why = ErrBusy
	}
	if !r.taken.CompareAndSwap(false, true) { // the gate is at it: a moment
		a := <-answer
		return a.receipt, a.err
	}
	return none, fmt.Errorf("%w: gate %d", why, id)
}

package node

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"parking/lot/crdt"
)

// Two questions are asked of a node from outside, and they are not the same.
// Whether it is to be sent work: then it has joined, has the others' state and
// does not leave. And whether it is alive: then its own parts answer, whatever
// the network does. A node that is cut off from all others is alive, and one
// that joins is.

// leaving is the stage of a node that goes.
const leaving = "leaving"

// stage is what a node is busy with that keeps it from being ready. It is safe
// for concurrent use.
type stage struct {
	mu   sync.Mutex
	what string // nothing: it is ready as far as this goes
}

// is notes what the node is busy with now; one that leaves does nothing else any
// more.
func (s *stage) is(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.what != leaving {
		s.what = what
	}
}

// was notes that it is done with what begins so, if it is still at that.
func (s *stage) was(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.HasPrefix(s.what, what) {
		s.what = ""
	}
}

func (s *stage) now() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.what
}

// Readiness reports whether this node is to be sent work: whether it has joined
// whom it found, has caught up with them, and does not leave. If not, why says in
// a few words what it is at. It does not block, and may be called before Run.
func (n *Node) Readiness() (ready bool, why string) {
	what, taken := n.stage.now(), n.taken.Load()
	switch {
	case what != "":
		return false, what
	case n.hasEnded():
		return false, "ended"
	case !n.isReady():
		return false, "starting"
	case n.outdated.Load():
		return false, "its cookie was rotated away"
	case taken != nil && len(n.view.others()) == 0: // it goes on: what it has recorded may be here alone
		return false, "its name is another's, at " + taken.String()
	case n.alone.Load() && !n.met.Load():
		return false, "nobody answers of those that it was to join"
	case n.unmet() && len(n.keeper.Running()) == 0: // one that has founded a lot serves it, whoever joins
		return false, "meeting " + strings.Join(n.view.others(), " ")
	}
	return true, ""
}

func (n *Node) hasEnded() bool {
	select {
	case <-n.ended:
		return true
	default:
		return false
	}
}

// errEnded is the error of a node whose Run has returned.
var errEnded = errors.New("node: has ended")

// Alive returns nil if the parts of this node answer, one after another, before
// ctx ends: its replica, its gates and, once it is ready, its view of the
// members. Else the error names the one that does not. What the network does has
// no part in it. It may be called before Run, and by any number at once: they
// wait for one answer.
func (n *Node) Alive(ctx context.Context) error {
	if n.hasEnded() {
		return errEnded
	}
	select {
	case <-n.pulse.take(n):
		return nil
	case <-ctx.Done():
		return fmt.Errorf("node: no answer from %s", n.pulse.at())
	}
}

// pulse asks the parts of a node for a sign of life, in one goroutine at a time: a
// part that never answers keeps that one.
type pulse struct {
	mu   sync.Mutex
	beat chan struct{} // closed when all have answered; nil: nobody asks
	part string        // that is being asked
}

// take returns what is closed when all parts have answered since.
func (p *pulse) take(n *Node) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.beat != nil {
		return p.beat
	}
	beat := make(chan struct{})
	p.beat, p.part = beat, "the replica"
	go func() {
		n.store.View(func(*crdt.Document) {})
		p.asks("the gates")
		n.stew.mu.Lock()
		_ = n.stew.held
		n.stew.mu.Unlock()
		_ = n.keeper.Running()
		if n.isReady() {
			p.asks("the view of the members")
			_ = n.view.all()
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.beat = nil
		close(beat)
	}()
	return beat
}

func (p *pulse) asks(part string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.part = part
}

func (p *pulse) at() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.part
}

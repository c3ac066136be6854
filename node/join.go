package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"parking/node/member"
)

const (
	// helloTimeout bounds the first exchange with a node.
	helloTimeout = 3 * time.Second
	// joinTries is how often a neighbour is tried that does not answer: it may
	// be starting, or stopping.
	joinTries = 3
	// joinPatience is for how long one is that takes calls and does not answer: it
	// stands still, and may do so for long.
	joinPatience = time.Second
	// rotationPatience is for how long a node that was told whom to join waits for
	// the end of a rotation there.
	rotationPatience = 2 * rotationLease
	// awaitingRotation is its stage meanwhile.
	awaitingRotation = "waiting for the cookie to be rotated"
	// acquaint is to how many nodes a joiner shows itself, beside those that it
	// was told to join: of a small cluster to all, and none takes a node for gone
	// that is back. The others hear of it by gossip.
	acquaint = 6
)

// errRefused is the error of a node that was reached and will not have this
// one: there is no use in trying again. errStranger is the same where this node
// will not have the other one: it has another cookie or cluster, or the name of
// a third. errPassing is one that holds for a moment, while the cookie is rotated.
var (
	errRefused  = errors.New("node: refused")
	errStranger = fmt.Errorf("%w", errRefused)
	errPassing  = fmt.Errorf("%w", errRefused)
)

// join publishes this node, then joins those it finds and pulls their state.
func (n *Node) join(ctx context.Context, s *seeker) error {
	var found []Neighbour
	if n.cfg.Directory != nil {
		if err := n.cfg.Directory.Publish(n.addr(), n.self.Incarnation); err != nil {
			return err
		}
		if !n.cfg.Apart {
			var err error
			if found, err = n.cfg.Directory.Neighbours(); err != nil {
				return err
			}
		}
	}
	for _, join := range []func(context.Context) error{
		s.joinNamed,
		func(ctx context.Context) error { return s.joinNeighbours(ctx, found) },
		s.start,
	} {
		if err := join(ctx); err != nil {
			return err
		}
	}
	them, err := n.catchUp(ctx)
	if them.ready {
		n.met.Store(true)
	}
	n.lacking = them.lacking
	return errors.Join(err, ctx.Err())
}

// joinNamed joins whom this node was told to join. All are greeted before any is
// joined: where one refuses, the others are not to see a node come and fail.
func (s *seeker) joinNamed(ctx context.Context) error {
	n := s.n
	var willing []*greeted
	defer func() {
		for _, h := range willing {
			h.Close()
		}
	}()
	until := time.Now().Add(rotationPatience)
	for _, addr := range n.cfg.Join {
		h, err := n.greet(ctx, addr)
		for errors.Is(err, errPassing) && time.Now().Before(until) {
			n.stage.is(awaitingRotation)
			sleep(ctx, rejoinInterval)
			h, err = n.greet(ctx, addr)
		}
		n.stage.is("joining")
		if err != nil {
			if err := n.notJoined(ctx, err); err != nil {
				return err
			}
			n.alone.Store(true)
			continue
		}
		willing = append(willing, h)
		p := s.place(addr)
		p.name, p.self = h.name, h.self
	}
	for _, h := range willing {
		if err := n.enter(ctx, h); err != nil {
			if err := n.notJoined(ctx, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// joinNeighbours joins the nodes of this host, each unless it came with another.
func (s *seeker) joinNeighbours(ctx context.Context, found []Neighbour) error {
	n := s.n
	for _, nb := range found {
		begin := time.Now()
		for try := 1; ctx.Err() == nil; try++ {
			if n.knows(nb) {
				break // came with another one
			}
			err := n.joinOne(ctx, nb.Addr)
			if err == nil {
				break
			}
			switch {
			case errors.Is(err, errStranger): // it may have the port of one that ended
				n.leftAlone(nb.Addr, err)
			case errors.Is(err, errRefused):
				return err
			default:
				n.log.Info("neighbour not joined", "peer", nb.Name, "addr", nb.Addr, "err", err)
			}
			if try == joinTries || time.Since(begin) > joinPatience || errors.Is(err, errStranger) {
				break
			}
			sleep(ctx, 100*time.Millisecond)
		}
	}
	return nil
}

// knows reports whether a neighbour is in view as what it is: alive, or that life of
// it failed, which is looked for later.
func (n *Node) knows(nb Neighbour) bool {
	m, ok := n.view.find(nb.Name)
	return ok && m.Addr == nb.Addr && (m.Status == member.Alive || m.Status == member.Failed && m.Incarnation == nb.Incarnation)
}

// notJoined decides what it means that a node which was named could not be
// joined: the end of the start, or another try later.
func (n *Node) notJoined(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	if errors.Is(err, errRefused) || n.cfg.MustJoin {
		return err
	}
	n.notice("%v; trying again", err)
	return nil
}

// notice tells what somebody should know. It is an event and no line of the log,
// for whoever runs the node tells events where people look.
func (n *Node) notice(format string, args ...any) {
	n.bus.emit(Event{Kind: Notice, Reason: fmt.Sprintf(format, args...)})
}

// plain returns what is at the bottom of a call's error.
func plain(err error) error {
	for _, known := range []error{context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, known) {
			return errors.New("no answer")
		}
	}
	for {
		next := errors.Unwrap(err)
		if several, ok := err.(interface{ Unwrap() []error }); ok {
			all := several.Unwrap()
			next = all[len(all)-1]
		}
		if next == nil {
			return err
		}
		err = next
	}
}

// sleep waits for d and reports whether ctx still lives.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

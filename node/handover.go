package node

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"connectrpc.com/connect"

	"parking/gates"
	"parking/lot"
	"parking/lot/crdt"
	"parking/lot/wire"
	"parking/node/peer"
	"parking/node/replicate"
)

// retire stops every gate here for good and hands each to another node, if
// there is one that takes it before ctx ends.
func (s *steward) retire(ctx context.Context) {
	s.mu.Lock()
	s.retired = true
	s.mu.Unlock()
	n := s.n
	first := s.successors(n.self)
	var wg sync.WaitGroup
	for _, g := range n.keeper.Running() {
		wg.Go(func() {
			not := []gates.Host{n.self}
			for to, ok := first[g]; ok && ctx.Err() == nil; to, ok = s.successors(not...)[g] {
				err := n.ask(ctx, to.Node)
				if err == nil {
					n.keeper.Stop(g)
					_, err = n.give(ctx, g, to.Node, n.self.Node+" left")
				}
				if err == nil {
					return
				}
				n.log.Info("gate not handed over", "gate", g, "to", to.Node, "err", err)
				not = append(not, to)
			}
			n.keeper.Stop(g)
		})
	}
	wg.Wait()
}

// successors returns where each gate would run without those hosts.
func (s *steward) successors(not ...gates.Host) (to map[lot.GateID]gates.Host) {
	alive := slices.DeleteFunc(s.n.view.alive(), func(h gates.Host) bool { return slices.Contains(not, h) })
	s.n.store.View(func(d *crdt.Document) {
		to = gates.Place(gatesIn(d), alive, holders(d, gatesIn(d), alive))
	})
	return to
}

// move stops a gate that runs here and hands it to another node, whose claim
// it returns. If that node does not take it, it goes on here.
func (s *steward) move(ctx context.Context, g lot.GateID, to, reason string) ([]byte, error) {
	n := s.n
	if to == n.self.Node {
		return nil, alreadyOn(g, to)
	}
	if err := n.ask(ctx, to); err != nil { // before anything stops
		return nil, err
	}
	s.mu.Lock()
	if s.retired || s.away[g] || !n.keeper.Runs(g) {
		s.mu.Unlock()
		return nil, gates.ErrElsewhere
	}
	s.away[g] = true
	s.mu.Unlock()
	n.keeper.Stop(g)
	claim, err := n.give(ctx, g, to, reason)
	s.mu.Lock()
	delete(s.away, g)
	s.mu.Unlock()
	s.settle()
	return claim, err
}

func alreadyOn(g lot.GateID, name string) error {
	return lot.Refuse(lot.Refused, "gate %d runs on %s already", g, name)
}

// askTimeout is how long a node may take to show that it is there.
const askTimeout = 500 * time.Millisecond

// ask returns nil if the node of that name answers.
func (n *Node) ask(ctx context.Context, name string) error {
	client, ok := n.links.Client(name)
	if !ok {
		return lot.Refuse(lot.Unreachable, "%s is not there; members lists who is", name)
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if _, err := client.Digest(ctx, connect.NewRequest(&wire.DigestRequest{})); err != nil {
		return lot.Refuse(lot.Unreachable, "%s does not answer (%v); try again in a moment", name, plain(err))
	}
	return nil
}

// give asks a node to take a gate that was stopped here, and returns its claim.
func (n *Node) give(ctx context.Context, g lot.GateID, to, reason string) ([]byte, error) {
	client, ok := n.links.Client(to)
	if !ok {
		return nil, lot.Refuse(lot.Unreachable, "%s is not there to take gate %d; members lists who is", to, g)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	reply, err := client.Take(ctx, connect.NewRequest(&wire.TakeRequest{
		Gate: uint32(g), Reason: reason, Version: crdt.EncodeVersion(n.store.Version()),
	}))
	switch {
	case errors.Is(err, peer.ErrDial):
		return nil, lot.Refuse(lot.Unreachable, "%s does not answer and did not take gate %d; try again in a moment", to, g)
	case err != nil:
		return nil, n.lostCall(err, "gate %d was being handed to %s", g, to)
	}
	return reply.Msg.GetDelta(), n.answered(reply.Msg.GetVerdict(), reply.Msg.GetDelta())
}

// take claims a gate that another node has stopped, once this replica has seen
// what that gate wrote.
func (s *steward) take(ctx context.Context, from string, g lot.GateID, reason string, seen crdt.Version) ([]byte, error) {
	n := s.n
	if !n.store.Covers(seen) {
		if _, err := n.repl.PullFrom(ctx, from); err != nil {
			return nil, lot.Refuse(lot.Refused, "%s could not catch up with %s: %v", n.self.Node, from, plain(err))
		}
		if !n.store.Covers(seen) {
			return nil, lot.Refuse(lot.Refused, "%s has not got what gate %d admitted on %s", n.self.Node, g, from)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.retired:
		return nil, lot.Refuse(lot.Refused, "%s is leaving itself", n.self.Node)
	case ctx.Err() != nil: // the caller has given up, and runs it again
		return nil, lot.Refuse(lot.Refused, "%s was too slow to take gate %d", n.self.Node, g)
	}
	ms, _ := n.store.Update(replicate.Own, func(d *crdt.Document) ([]crdt.Mutation, error) {
		return []crdt.Mutation{n.claim(d, g, reason)}, nil
	})
	n.keeper.Start(g)
	return crdt.Encode(ms), nil
}

package node

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"connectrpc.com/connect"

	"parking/gates"
	"parking/lot"
	"parking/lot/crdt"
	"parking/lot/wire"
	"parking/node/member"
	"parking/node/replicate"
)

// steward makes the gates that run here those that should: it claims orphans
// that placement gives to this node, starts what it has claimed, stops what
// others have.
type steward struct {
	n     *Node
	pokes chan struct{}
	news  chan struct{}

	mu      sync.Mutex
	away    map[lot.GateID]bool // being handed over: not to be restarted
	retired bool
}

func newSteward(n *Node) *steward {
	return &steward{n: n, pokes: make(chan struct{}, 1), news: make(chan struct{}, 1), away: make(map[lot.GateID]bool)}
}

// wake asks for a look at members and claims. It never blocks.
func (s *steward) wake() {
	for _, c := range []chan struct{}{s.pokes, s.news} {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

func (s *steward) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.pokes:
			s.settle()
		}
	}
}

// settle compares what runs here with what should, and acts.
func (s *steward) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.retired {
		return
	}
	n := s.n
	alive := n.view.alive()
	var total int
	should := make(map[lot.GateID]bool)
	_, _ = n.store.Update(replicate.Own, func(d *crdt.Document) (ms []crdt.Mutation, err error) {
		total, _ = setting(d, keyGates)
		holders := holders(d, total, alive)
		for g, h := range gates.Place(total, alive, holders) {
			if h != n.self || s.away[g] {
				continue
			}
			should[g] = true
			if _, standing := holders[g]; !standing {
				ms = append(ms, claim(d, g, n.self, s.orphaned(d, g)))
			} else if len(claims(d, g)) > 1 {
				ms = append(ms, claim(d, g, n.self, "two had claimed it"))
			}
		}
		return ms, nil
	})
	for _, g := range n.keeper.Running() {
		if !should[g] && !s.away[g] {
			n.keeper.Stop(g)
		}
	}
	for g := range should {
		n.keeper.Start(g)
	}
}

// holders returns which living host holds each gate.
func holders(d *crdt.Document, total int, alive []gates.Host) map[lot.GateID]gates.Host {
	out := make(map[lot.GateID]gates.Host, total)
	for g := lot.GateID(1); int(g) <= total; g++ {
		if c, ok := gates.Winner(claims(d, g), alive); ok {
			out[g] = c.Host
		}
	}
	return out
}

// orphaned says why nobody runs a gate.
func (s *steward) orphaned(d *crdt.Document, g lot.GateID) string {
	for _, c := range claims(d, g) {
		if m, ok := s.n.view.find(c.Host.Node); ok && m.host() == c.Host {
			if m.Status == member.Failed {
				return c.Host.Node + " failed"
			}
			return c.Host.Node + " left"
		}
		return c.Host.Node + " is gone"
	}
	if g == 1 || len(claims(d, 1)) == 0 {
		if len(s.n.view.others()) == 0 {
			return "first node"
		}
		return "nobody ran it"
	}
	return "new gate"
}

// retire stops every gate here for good and hands each to another node, if
// there is one that takes it before ctx ends.
func (s *steward) retire(ctx context.Context) {
	s.mu.Lock()
	s.retired = true
	s.mu.Unlock()
	n := s.n
	running := n.keeper.Running()
	alive := slices.DeleteFunc(n.view.alive(), func(h gates.Host) bool { return h == n.self })
	var to map[lot.GateID]gates.Host
	n.store.View(func(d *crdt.Document) {
		total, _ := setting(d, keyGates)
		to = gates.Place(total, alive, holders(d, total, alive))
	})
	for _, g := range running {
		n.keeper.Stop(g)
		if h, ok := to[g]; ok {
			if err := n.give(ctx, g, h.Node, n.self.Node+" left"); err != nil {
				n.log.Info("gate not handed over", "gate", g, "to", h.Node, "err", err)
			}
		}
	}
}

// move stops a gate that runs here and hands it to another node. If that node
// does not take it, it goes on here.
func (s *steward) move(ctx context.Context, g lot.GateID, to, reason string) error {
	n := s.n
	s.mu.Lock()
	if s.retired || s.away[g] || !n.keeper.Runs(g) {
		s.mu.Unlock()
		return gates.ErrElsewhere
	}
	s.away[g] = true
	s.mu.Unlock()
	n.keeper.Stop(g)
	err := n.give(ctx, g, to, reason)
	s.mu.Lock()
	delete(s.away, g)
	s.mu.Unlock()
	s.settle()
	return err
}

// give asks a node to take a gate that was stopped here.
func (n *Node) give(ctx context.Context, g lot.GateID, to, reason string) error {
	client, ok := n.links.Client(to)
	if !ok {
		return lot.Refuse(lot.Unreachable, "%s is not there to take gate %d; members lists who is", to, g)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	reply, err := client.Take(ctx, connect.NewRequest(&wire.TakeRequest{
		Gate: uint32(g), Reason: reason, Version: crdt.EncodeVersion(n.store.Version()),
	}))
	if err != nil {
		return n.lostCall(err, "gate %d was being handed to %s", g, to)
	}
	return n.answered(reply.Msg.GetVerdict(), reply.Msg.GetDelta())
}

// take claims a gate that another node has stopped, once this replica has seen
// what that gate wrote.
func (s *steward) take(ctx context.Context, from string, g lot.GateID, reason string, seen crdt.Version) (*wire.Delta, error) {
	n := s.n
	for !n.store.Version().Covers(seen) {
		if err := n.repl.PullFrom(ctx, from); err != nil {
			return nil, lot.Refuse(lot.Refused, "%s could not catch up with %s: %v", n.self.Node, from, plain(err))
		}
	}
	s.mu.Lock()
	if s.retired {
		s.mu.Unlock()
		return nil, lot.Refuse(lot.Refused, "%s is leaving itself", n.self.Node)
	}
	ms, _ := n.store.Update(replicate.Own, func(d *crdt.Document) ([]crdt.Mutation, error) {
		return []crdt.Mutation{claim(d, g, n.self, reason)}, nil
	})
	n.keeper.Start(g)
	s.mu.Unlock()
	return crdt.Encode(ms), nil
}

// tell emits who runs which gates, whenever that changed, until ctx ends. Gates
// that change hands together are told together.
func (s *steward) tell(ctx context.Context) {
	last := s.holding()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.news:
		}
		if !sleep(ctx, 15*time.Millisecond) {
			return
		}
		now := s.holding()
		for _, e := range holdingDiff(last, now, s.n.self) {
			s.n.bus.emit(e)
		}
		last = now
	}
}

// holding is who holds the gates, for people.
type holding struct {
	total int
	by    map[lot.GateID]gates.Claim
	split map[lot.GateID]bool
}

func (s *steward) holding() holding {
	alive := s.n.view.alive()
	h := holding{by: make(map[lot.GateID]gates.Claim), split: make(map[lot.GateID]bool)}
	s.n.store.View(func(d *crdt.Document) {
		h.total, _ = setting(d, keyGates)
		for g := lot.GateID(1); int(g) <= h.total; g++ {
			all := claims(d, g)
			if c, ok := gates.Winner(all, alive); ok {
				h.by[g] = c
				h.split[g] = len(owners(all, alive)) > 1
			}
		}
	})
	return h
}

// owners returns the living hosts that claim a gate.
func owners(all []gates.Claim, alive []gates.Host) (out []gates.Host) {
	for _, c := range all {
		if slices.Contains(alive, c.Host) && !slices.Contains(out, c.Host) {
			out = append(out, c.Host)
		}
	}
	return out
}

func holdingDiff(last, now holding, self gates.Host) (events []Event) {
	type group struct {
		host   gates.Host
		reason string
	}
	moved := make(map[group][]lot.GateID)
	var order []group
	var split, closed []lot.GateID
	for g := lot.GateID(1); int(g) <= max(last.total, now.total); g++ {
		c, ok := now.by[g]
		switch was, had := last.by[g]; {
		case int(g) > now.total:
			closed = append(closed, g)
		case ok && (!had || was.Host != c.Host):
			k := group{c.Host, c.Reason}
			if moved[k] == nil {
				order = append(order, k)
			}
			moved[k] = append(moved[k], g)
		}
		if now.split[g] && !last.split[g] {
			split = append(split, g)
		}
	}
	for _, k := range order {
		events = append(events, Event{Kind: GatesRun, Node: k.host.Node, Here: k.host == self, Gates: moved[k], Reason: k.reason})
	}
	if closed != nil {
		events = append(events, Event{Kind: GatesClosed, Gates: closed, Reason: fmt.Sprintf("set gates %d", now.total)})
	}
	if split != nil {
		events = append(events, Event{Kind: GatesSplit, Gates: split})
	}
	return events
}

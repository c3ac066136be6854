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
	held    int                 // what runs is left alone while this is not 0
	retired bool
}

// Reasons of claims that settle which of several claimants runs a gate.
const (
	reasonTogether = "started together"
	reasonSplit    = "both sides ran it"
)

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
			s.n.follow(false)
		}
	}
}

// hold keeps everything as it is until release.
func (s *steward) hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held++
}

func (s *steward) release() {
	s.mu.Lock()
	s.held--
	s.mu.Unlock()
	s.wake()
}

// settle compares what runs here with what should, and acts.
func (s *steward) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.retired || s.held > 0 {
		return
	}
	n := s.n
	members := n.view.all()
	alive := hosts(members)
	should := make(map[lot.GateID]bool)
	twice := make(map[lot.GateID]bool) // ran here and elsewhere, and runs once now
	_, _ = n.store.Update(replicate.Own, func(d *crdt.Document) (ms []crdt.Mutation, err error) {
		total := gatesIn(d)
		fresh := len(d.Siblings(claimKey(1))) == 0
		holders := holders(d, total, alive)
		place := gates.Place(total, alive, holders)
		for g := lot.GateID(1); int(g) <= total; g++ {
			all := claims(d, g)
			best, standing := gates.Winner(all, alive)
			switch {
			case s.away[g]:
			case place[g] != n.self:
				twice[g] = n.keeper.Runs(g) && taken(all, n.self)
			case !standing:
				should[g] = true
				ms = append(ms, n.claim(d, g, orphaned(all, members, fresh)))
			case len(owners(all, alive)) > 1:
				should[g], twice[g] = true, !atStart(best)
				ms = append(ms, n.claim(d, g, bothReason(best)))
			default:
				should[g] = true
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
	var split []lot.GateID
	for g, was := range twice {
		if was {
			split = append(split, g)
		}
	}
	if split != nil {
		slices.Sort(split)
		n.bus.emit(Event{Kind: GatesSplit, Gates: split})
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

// atStart reports whether a claim is of nodes that just started together.
func atStart(c gates.Claim) bool { return c.Epoch == 1 || c.Reason == reasonTogether }

// taken reports whether another host has the highest claim, and not just from
// its start; its host need not be in view yet.
func taken(all []gates.Claim, from gates.Host) bool {
	return len(all) > 0 && !slices.ContainsFunc(all, func(c gates.Claim) bool { return c.Host == from || atStart(c) })
}

// bothReason says how a gate came to have two living claimants, best the higher.
func bothReason(best gates.Claim) string {
	if atStart(best) {
		return reasonTogether
	}
	return reasonSplit
}

// orphaned says why nobody runs a gate that has those claims; fresh, that
// nobody ever ran any gate.
func orphaned(all []gates.Claim, members []Member, fresh bool) string {
	if len(all) > 0 {
		last := all[0].Host
		for _, m := range members {
			switch {
			case m.host() != last:
			case m.Status == member.Left || m.Status == member.Leaving:
				return last.Node + " left"
			default:
				return last.Node + " failed"
			}
		}
		return last.Node + " is gone"
	}
	switch {
	case !fresh:
		return "new gate"
	case len(hosts(members)) == 1:
		return "first node"
	}
	return reasonTogether
}

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
					err = n.give(ctx, g, to.Node, n.self.Node+" left")
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

// move stops a gate that runs here and hands it to another node. If that node
// does not take it, it goes on here.
func (s *steward) move(ctx context.Context, g lot.GateID, to, reason string) error {
	n := s.n
	if err := n.ask(ctx, to); err != nil { // before anything stops
		return err
	}
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
	if !n.store.Version().Covers(seen) {
		if err := n.repl.PullFrom(ctx, from); err != nil {
			return nil, lot.Refuse(lot.Refused, "%s could not catch up with %s: %v", n.self.Node, from, plain(err))
		}
		if !n.store.Version().Covers(seen) {
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

// tell emits who runs which gates, whenever that is not as it last was, until
// ctx ends. Gates that change hands together are told together.
func (s *steward) tell(ctx context.Context, last holding) {
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
}

func (s *steward) holding() holding {
	alive := s.n.view.alive()
	h := holding{by: make(map[lot.GateID]gates.Claim)}
	s.n.store.View(func(d *crdt.Document) {
		h.total = gatesIn(d)
		for g := lot.GateID(1); int(g) <= h.total; g++ {
			if c, ok := gates.Winner(claims(d, g), alive); ok {
				h.by[g] = c
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
	var closed []lot.GateID
	for g := lot.GateID(1); int(g) <= max(last.total, now.total); g++ {
		c, ok := now.by[g]
		switch was, had := last.by[g]; {
		case int(g) > now.total:
			closed = append(closed, g)
		case ok && (!had || was.Host != c.Host || c.Epoch > was.Epoch && c.Reason == reasonSplit):
			k := group{c.Host, c.Reason}
			if moved[k] == nil {
				order = append(order, k)
			}
			moved[k] = append(moved[k], g)
		}
	}
	for _, k := range order {
		events = append(events, Event{Kind: GatesRun, Node: k.host.Node, Here: k.host == self, Gates: moved[k], Reason: k.reason})
	}
	if closed != nil {
		events = append(events, Event{Kind: GatesClosed, Gates: closed, Reason: fmt.Sprintf("set gates %d", now.total)})
	}
	return events
}

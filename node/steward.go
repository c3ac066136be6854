package node

import (
	"context"
	"slices"
	"sync"
	"time"

	"parking/gates"
	"parking/lot"
	"parking/lot/crdt"
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
	heard   hearsay
}

// Reasons that claims carry, for people; those of failures are made from names.
const (
	reasonTogether = "started together"
	reasonSplit    = "both sides ran it"
	reasonNew      = "new gate"
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

// meetInterval is how long those that one has not met yet are given to become
// ready.
const meetInterval = 100 * time.Millisecond

func (s *steward) run(ctx context.Context) {
	var again <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.pokes:
		case <-again:
		}
		again = nil
		if s.n.unmet() && !s.n.meetOthers(ctx) {
			again = time.After(meetInterval)
		}
		s.settle()
		s.n.follow(false)
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
	if s.retired || s.held > 0 || s.n.unmet() {
		return
	}
	n := s.n
	members := n.view.all()
	var should, twice map[lot.GateID]bool
	var again time.Duration // until hearsay is to be believed no more
	hearsay := func(g lot.GateID, all []gates.Claim) bool {
		wait := s.heard.note(g, all, members)
		again = max(again, wait)
		return wait > 0
	}
	_, _ = n.store.Update(replicate.Own, func(d *crdt.Document) (ms []crdt.Mutation, err error) {
		ms, should, twice = n.decide(d, members, n.keeper.Runs, s.away, hearsay)
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
	if again > 0 {
		time.AfterFunc(again, s.wake)
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

// decide returns which gates should run here, by the document and what this
// node sees of the others, once it has claimed those that it should and does not
// hold alone. Of gates that are being handed over it decides nothing, nor of those
// that run elsewhere by hearsay. Twice are those that ran here and elsewhere, and run once now.
func (n *Node) decide(d *crdt.Document, members []Member, runs func(lot.GateID) bool, away map[lot.GateID]bool, hearsay func(lot.GateID, []gates.Claim) bool) (ms []crdt.Mutation, should, twice map[lot.GateID]bool) {
	alive := hosts(members)
	should, twice = make(map[lot.GateID]bool), make(map[lot.GateID]bool)
	total := gatesIn(d)
	fresh := len(d.Siblings(claimKey(1))) == 0
	place := gates.Place(total, alive, holders(d, total, alive))
	for g := lot.GateID(1); int(g) <= total; g++ {
		all := claims(d, g)
		best, standing := gates.Winner(all, alive)
		waits := hearsay(g, all)
		switch {
		case away[g]:
		case !standing && waits: // it runs, or not, as before
			if runs(g) {
				should[g] = true
			}
		case place[g] != n.self:
			twice[g] = runs(g) && taken(all, n.self)
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
	return ms, should, twice
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
		return reasonNew
	case len(hosts(members)) == 1:
		return "first node"
	}
	return reasonTogether
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

package node

import (
	"context"
	"fmt"
	"time"

	"parking/gates"
	"parking/lot"
	"parking/lot/crdt"
)

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
			if int(g) > last.total && last.total > 0 && c.Reason != reasonNew {
				k.reason = "open again" // its last claim stands
			}
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

package node

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"parking/gates"
	"parking/lot"
	"parking/lot/crdt"
	"parking/lot/wire"
	"parking/node/member"
)

func (w *kernelWorld) decodeClaim(m *crdt.Mutation) gates.Claim {
	var c wire.Claim
	if err := proto.Unmarshal(m.Value, &c); err != nil {
		w.fail("a claim: %v", err)
	}
	return gates.Claim{Host: gates.Host{Node: c.GetNode(), Incarnation: c.GetIncarnation()}, Epoch: c.GetEpoch()}
}

// claims returns the claims of a gate that the replica has, by the model.
func (w *kernelWorld) claims(r *kernelReplica, g lot.GateID) (out []gates.Claim) {
	for _, id := range w.model.live(r.seen, w.model.number(modelKey{true, claimKey(g)}), nil) {
		out = append(out, w.decodeClaim(&w.model.muts[id].Mutation))
	}
	return out
}

// winner returns the living host with the highest claim to a gate, by the model.
func (w *kernelWorld) winner(r *kernelReplica, g lot.GateID) (best gates.Claim, ok bool) {
	for _, c := range w.claims(r, g) {
		alive := slices.ContainsFunc(r.view, func(m Member) bool { return m.Status == member.Alive && m.host() == c.Host })
		higher := c.Epoch > best.Epoch || c.Epoch == best.Epoch &&
			(c.Host.Node > best.Host.Node || c.Host.Node == best.Host.Node && c.Host.Incarnation > best.Host.Incarnation)
		if alive && (!ok || higher) {
			best, ok = c, true
		}
	}
	return best, ok
}

// checkGates checks that each gate runs once, where all say, and that a node
// that goes would leave its gates to those that have the fewest.
func (w *kernelWorld) checkGates(up []*kernelReplica) {
	total := gatesIn(up[0].doc)
	for g := lot.GateID(1); g <= maxSimGates; g++ {
		var owner gates.Host
		owners := 0
		for _, r := range up {
			if r.runs[g] {
				owner = r.n.self
				owners++
			}
		}
		if int(g) > total {
			if owners > 0 {
				w.fail("gate %d of %d runs on %v", g, total, owner)
			}
			continue
		}
		if owners != 1 {
			w.fail("gate %d runs on %d nodes", g, owners)
		}
		for _, c := range w.claims(up[0], g) {
			if c.Host != owner && slices.ContainsFunc(up, func(r *kernelReplica) bool { return r.n.self == c.Host }) {
				w.fail("gate %d runs on %v, and %v still claims it", g, owner, c.Host)
			}
		}
		for _, r := range up {
			if c, ok := w.winner(r, g); !ok || c.Host != owner {
				w.fail("gate %d runs on %v, and %v holds %+v, %v", g, owner, r.n.self, c, ok)
			}
			if h := holders(r.doc, total, hosts(r.view))[g]; h != owner {
				w.fail("gate %d runs on %v, and %v takes %v for its holder", g, owner, r.n.self, h)
			}
		}
	}
	gone := w.rng.IntN(len(up))
	var first map[lot.GateID]gates.Host
	for _, r := range up {
		alive := slices.DeleteFunc(hosts(r.view), func(h gates.Host) bool { return h == up[gone].n.self })
		place := w.dealt(r, total, alive)
		if first == nil {
			first = place
		}
		for g := range place {
			if place[g] != first[g] {
				w.fail("gate %d goes to %v or to %v", g, place[g], first[g])
			}
		}
	}
}

// dealt places the gates on those that are alive, and checks that orphans are
// dealt one by one to whoever has the fewest, and that a spread is even.
func (w *kernelWorld) dealt(r *kernelReplica, total int, alive []gates.Host) map[lot.GateID]gates.Host {
	held := holders(r.doc, total, hosts(r.view))
	place := gates.Place(total, alive, held)
	if len(alive) == 0 {
		return place
	}
	load := make(map[gates.Host]int)
	for g, h := range held {
		if !slices.Contains(alive, h) { // it is dead since
			delete(held, g)
			continue
		}
		load[h]++
	}
	least := func() int {
		n := total
		for _, h := range alive {
			n = min(n, load[h])
		}
		return n
	}
	for g := lot.GateID(1); int(g) <= total; g++ {
		h, standing := held[g]
		switch to := place[g]; {
		case standing && to != h:
			w.fail("gate %d goes from %v to %v", g, h, to)
		case !slices.Contains(alive, to):
			w.fail("gate %d goes to %v, which is dead", g, to)
		case !standing && load[to] != least():
			w.fail("gate %d goes to %v, which has %d gates", g, to, load[to])
		case !standing:
			load[to]++
		}
	}
	for _, m := range gates.Spread(total, alive, held) {
		load[m.From]--
		load[m.To]++
	}
	for _, h := range alive {
		if load[h]-least() > 1 {
			w.fail("spread, %v has %d gates, another %d", h, load[h], least())
		}
	}
	return place
}

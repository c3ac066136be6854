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

// check compares all that can be read of a replica with the model.
func (w *kernelWorld) check(r *kernelReplica) {
	k, d := w.model, r.doc
	taken, registers := 0, 0
	for key, name := range k.names {
		if name[0] == 'r' {
			if w.checkRegister(r, int32(key), name[1:]) {
				registers++
			}
			continue
		}
		want, in := k.vehicle(r.seen, int32(key))
		got, is := d.Vehicle(lot.Plate(name[1:]))
		same := func(a, b lot.Entry) bool { return a.Gate == b.Gate && a.Node == b.Node && a.Since.Equal(b.Since) }
		if in != is || is != d.In(lot.Plate(name[1:])) || got.Plate != want.Plate ||
			in && !same(got.Entry, want.Entry) || !slices.EqualFunc(got.Conflicts, want.Conflicts, same) {
			w.fail("%v has %+v, %v, not %+v, %v", d.Self(), got, is, want, in)
		}
		if in {
			taken++
		}
	}
	w.checkSetting(r, keyGates)
	w.checkSetting(r, keySpaces)
	if d.Taken() != taken || len(d.Keys()) != registers {
		w.fail("%v has %d vehicles and %d registers, not %d and %d", d.Self(), d.Taken(), len(d.Keys()), taken, registers)
	}
	for id := range k.muts {
		if dot := k.muts[id].Dot; d.Has(dot) != r.seen.has(int32(id)) {
			w.fail("%v has seen %v: %v", d.Self(), dot, d.Has(dot))
		}
	}
}

// checkRegister reports whether the register has a value.
func (w *kernelWorld) checkRegister(r *kernelReplica, key int32, name string) bool {
	want, got := w.model.ranked(r.seen, key), r.doc.Siblings(name)
	same := func(s crdt.Sibling, id int32) bool {
		m := &w.model.muts[id]
		return s.Dot == m.Dot && s.Stamp == m.Stamp && string(s.Value) == string(m.Value)
	}
	if !slices.EqualFunc(got, want, same) {
		w.fail("%v has %d values of %s, not %d or not in that order", r.doc.Self(), len(got), name, len(want))
	}
	return len(want) > 0
}

// checkAnew checks that the replica is what another becomes by the same
// mutations in any order.
func (w *kernelWorld) checkAnew(r *kernelReplica) {
	d := crdt.New(crdt.NewReplica("x", 1), 1)
	for _, i := range w.rng.Perm(len(w.model.muts)) {
		if r.seen.has(int32(i)) {
			d.Join(w.model.muts[i].Mutation)
		}
	}
	if d.Digest() != r.doc.Digest() {
		w.fail("%v has digest %v, and what it has seen %v in another order", r.doc.Self(), r.doc.Digest(), d.Digest())
	}
}

// checkSetting checks that of the values of a setting the latest rules that was
// set, or else the earliest that a node founded with.
func (w *kernelWorld) checkSetting(r *kernelReplica, key string) {
	want, founding := 0, true
	for _, id := range w.model.ranked(r.seen, w.model.number("r"+key)) {
		var v wire.Setting
		if err := proto.Unmarshal(w.model.muts[id].Value, &v); err != nil {
			w.fail("a setting: %v", err)
		}
		if founding {
			want, founding = int(v.GetValue()), v.GetFounding()
		}
	}
	if got := setting(r.doc, key); got != want {
		w.fail("%v has %d for %s, not %d", r.doc.Self(), got, key, want)
	}
}

func (w *kernelWorld) decodeClaim(m *crdt.Mutation) gates.Claim {
	var c wire.Claim
	if err := proto.Unmarshal(m.Value, &c); err != nil {
		w.fail("a claim: %v", err)
	}
	return gates.Claim{Host: gates.Host{Node: c.GetNode(), Incarnation: c.GetIncarnation()}, Epoch: c.GetEpoch()}
}

// claims returns the claims of a gate that the replica has, by the model.
func (w *kernelWorld) claims(r *kernelReplica, g lot.GateID) (out []gates.Claim) {
	for _, id := range w.model.live(r.seen, w.model.number("r"+claimKey(g)), nil) {
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

// rest lets the world come to rest, healed, and checks that all are one then.
func (w *kernelWorld) rest() {
	for _, r := range w.all {
		if !r.down {
			w.check(r)
		}
	}
	w.heal()
	for _, r := range w.all {
		if r.down && w.chance(500) {
			w.raise(r)
		}
	}
	for len(w.packets) > 0 {
		w.deliver()
	}
	for len(w.transfers) > 0 {
		w.chunk(w.rng.IntN(len(w.transfers)), w.chance(w.life.breaks))
	}
	up := slices.DeleteFunc(slices.Clone(w.all), func(r *kernelReplica) bool { return r.down })
	if !slices.ContainsFunc(up, func(r *kernelReplica) bool { return r.met }) {
		w.found(up[0])
	}
	for _, r := range up {
		w.look(r)
	}
	w.converge(up)
	for round := 0; ; round++ {
		changed := false
		for _, r := range up {
			changed = w.settle(r) || changed
		}
		w.packets = w.packets[:0]
		if !changed {
			break
		}
		if round == 6 {
			w.fail("gates still move")
		}
		w.converge(up)
	}
	for _, r := range up {
		w.check(r)
	}
	if w.chance(250) {
		w.checkAnew(up[0])
	}
	w.checkGates(up)
}

// converge lets each pull from each, until all are the same.
func (w *kernelWorld) converge(up []*kernelReplica) {
	for round := 0; ; round++ {
		same := true
		for _, r := range up[1:] {
			same = same && r.doc.Digest() == up[0].doc.Digest()
		}
		if same {
			break
		}
		if round == 100 {
			w.fail("the replicas do not become equal")
		}
		for _, r := range up {
			if hub := up[0]; round == 0 {
				w.fetch(r, up[w.rng.IntN(len(up))])
			} else if round%2 == 1 {
				w.fetch(hub, r)
			} else {
				w.fetch(r, hub)
			}
		}
	}
	for _, r := range up {
		if !r.seen.equal(up[0].seen) {
			w.fail("%v and %v have one digest, and have not seen the same", r.doc.Self(), up[0].doc.Self())
		}
		r.met = true
	}
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
	held := holders(r.doc, total, alive)
	place := gates.Place(total, alive, held)
	if len(alive) == 0 {
		return place
	}
	load := make(map[gates.Host]int)
	for _, h := range held {
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

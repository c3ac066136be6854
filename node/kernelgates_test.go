package node

import (
	"slices"
	"strconv"

	"parking/gates"
	"parking/lot"
	"parking/lot/crdt"
	"parking/node/member"
)

// look makes a replica see who is there. Its node's order is its own.
func (w *kernelWorld) look(r *kernelReplica) {
	r.view = r.view[:0:0]
	for _, o := range w.all {
		status := member.Alive
		if o.down || w.apart[r.i][o.i] || w.apart[o.i][r.i] {
			status = member.Failed
		}
		r.view = append(r.view, o.member(status, o == r))
	}
	w.rng.Shuffle(len(r.view), func(i, j int) { r.view[i], r.view[j] = r.view[j], r.view[i] })
}

// cut takes replicas apart, in groups, one way or both.
func (w *kernelWorld) cut(r *kernelReplica) {
	groups := 2 + w.rng.IntN(2)
	of := make([]int, len(w.all))
	for i := range of {
		of[i] = w.rng.IntN(groups)
	}
	oneWay := w.chance(250)
	for i := range w.all {
		for j := range w.all {
			w.apart[i][j] = of[i] != of[j] && (!oneWay || of[i] < of[j])
		}
	}
	w.note(opCut, r, 0)
}

func (w *kernelWorld) heal() {
	for _, row := range w.apart {
		clear(row)
	}
}

// crash ends a replica's life: what nobody else has is lost.
func (w *kernelWorld) crash(r *kernelReplica) {
	up := 0
	for _, o := range w.all {
		if !o.down && o.met {
			up++
		}
	}
	if up < 2 && r.met {
		return
	}
	r.down = true
	clear(r.runs)
	w.note(opCrash, r, 0)
}

// found makes a replica go on with what it has, as a node that finds nobody.
func (w *kernelWorld) found(r *kernelReplica) {
	if setting(r.doc, keyGates) == 0 {
		w.set(r, keyGates, 4, true)
		w.set(r, keySpaces, 20, true)
	}
	r.met = true
}

// settle makes a replica claim, start and stop gates.
func (w *kernelWorld) settle(r *kernelReplica) (changed bool) {
	if !r.met {
		if !w.chance(100) {
			return false
		}
		w.found(r)
	}
	w.samePlace(r)
	ms, should, _ := r.n.decide(r.doc, r.view, func(g lot.GateID) bool { return r.runs[g] }, nil, func(lot.GateID, []gates.Claim) bool { return false })
	for _, m := range ms {
		w.claimed(r, m)
	}
	for g := range r.runs {
		if r.runs[g] != should[lot.GateID(g)] {
			r.runs[g], changed = !r.runs[g], true
		}
	}
	w.note(opSettle, r, int32(len(ms)))
	return changed || len(ms) > 0
}

// move hands a gate over: whoever takes it has seen what was written there.
func (w *kernelWorld) move(r, to *kernelReplica) {
	if to == r || to.down || !r.met || !to.met || w.apart[r.i][to.i] || w.apart[to.i][r.i] {
		return
	}
	g := lot.GateID(1 + w.rng.IntN(maxSimGates))
	if !r.runs[g] || int(g) > gatesIn(to.doc) {
		return
	}
	r.runs[g] = false
	if w.fetch(to, r) {
		if !to.doc.Covers(r.doc.Version()) {
			w.fail("%v pulled from %v and has not got all of it", to.doc.Self(), r.doc.Self())
		}
		m := to.n.claim(to.doc, g, "moved")
		to.runs[g] = true
		id := w.claimed(to, m)
		if w.chance(800) { // else the answer is lost
			w.hear(r, id, opMove)
		}
	}
	w.note(opMove, r, int32(g))
	w.settle(r)
}

// claimed takes in a claim, which is to be higher than all that its maker knew.
func (w *kernelWorld) claimed(r *kernelReplica, m crdt.Mutation) int32 {
	g, err := strconv.Atoi(m.Key[len(claimPrefix):])
	if err != nil {
		w.fail("a claim of %q", m.Key)
	}
	var highest uint64
	for _, c := range w.claims(r, lot.GateID(g)) {
		highest = max(highest, c.Epoch)
	}
	c := w.decodeClaim(&m)
	if c.Epoch != highest+1 || c.Host != r.n.self {
		w.fail("%v claimed gate %d with %+v, after epoch %d", r.n.self, g, c, highest)
	}
	return w.made(r, m, true)
}

// samePlace checks that placement is a function of who is alive, in any order.
func (w *kernelWorld) samePlace(r *kernelReplica) {
	total, alive := gatesIn(r.doc), hosts(r.view)
	held := holders(r.doc, total, alive)
	place := gates.Place(total, alive, held)
	slices.Reverse(alive)
	again := gates.Place(total, alive, held)
	for g := lot.GateID(1); int(g) <= total; g++ {
		if place[g] != again[g] {
			w.fail("gate %d goes to %v or %v", g, place[g], again[g])
		}
	}
}

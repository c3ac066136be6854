package node

import (
	"slices"

	"parking/lot/crdt"
	"parking/lot/wire"
)

// kernelTransfer is a pull that is under way: mutations, in parts, or a state.
type kernelTransfer struct {
	to, from         *kernelReplica
	toLife, fromLife int

	deltas [][]byte
	lacks  seenSet // what they are to bring

	state  *crdt.State
	chunks []*wire.StateChunk // of it; nil: each is made up when it comes
	seen   seenSet            // what its sender had seen
	stager crdt.Stager
	at     int
}

// pull begins a transfer, if there is anything to bring.
func (w *kernelWorld) pull(to, from *kernelReplica) {
	if to == from || from.down || w.apart[from.i][to.i] || w.apart[to.i][from.i] || len(w.transfers) > 20 {
		return
	}
	if t := w.ask(to, from, w.chance(200)); t != nil {
		w.transfers = append(w.transfers, t)
	}
}

// ask returns what the one lacks of what the other has seen, or has made itself.
func (w *kernelWorld) ask(to, from *kernelReplica, own bool) *kernelTransfer {
	same := to.seen.equal(from.seen)
	if (to.doc.Digest() == from.doc.Digest()) != same {
		w.fail("the digests %v of %v and %v of %v, while what they have seen is equal: %v",
			to.doc.Digest(), to.doc.Self(), from.doc.Digest(), from.doc.Self(), same)
	}
	w.note(opPull, to, int32(from.i))
	if same {
		to.met = to.met || from.met
		return nil
	}
	version := to.doc.Version()
	if w.chance(100) {
		v, err := crdt.DecodeVersion(crdt.EncodeVersion(version))
		if err != nil {
			w.fail("a version: %v", err)
		}
		version = v
	}
	t := &kernelTransfer{to: to, from: from, toLife: to.life, fromLife: from.life, lacks: from.seen.without(to.seen)}
	if covers := from.doc.Covers(version); covers != to.seen.within(from.seen) {
		w.fail("%v covers %v: %v", from.doc.Self(), to.doc.Self(), covers)
	}
	var delta []crdt.Mutation
	if own {
		var reaches bool
		if delta, reaches = from.doc.Own(version); !reaches {
			return nil
		}
		of := make(seenSet, len(t.lacks))
		for _, id := range w.model.dots[from.doc.Self()] {
			if t.lacks.has(id) {
				of.add(id)
			}
		}
		t.lacks = of
	} else {
		delta, t.state = from.doc.Since(version)
	}
	if t.state != nil {
		t.seen = slices.Clone(from.seen)
		if !w.chance(200) {
			t.chunks = slices.Collect(t.state.Chunks)
		}
		return t
	}
	lacks := slices.Clone(t.lacks)
	for i := range delta {
		id, ok := w.model.id(delta[i].Dot)
		if !ok || !lacks.has(id) {
			w.fail("%v sends %v %v, which that does not lack", from.doc.Self(), to.doc.Self(), delta[i].Dot)
		}
		lacks.remove(id)
	}
	if !lacks.empty() {
		w.fail("%v does not send %v all that it lacks", from.doc.Self(), to.doc.Self())
	}
	t.deltas = crdt.Pack(64+w.rng.IntN(300), delta)
	return t
}

// chunk lets the next part of a transfer come, or breaks it off.
func (w *kernelWorld) chunk(i int, broken bool) {
	t := w.transfers[i]
	broken = broken || t.to.life != t.toLife || t.from.life != t.fromLife || t.to.down || t.from.down
	if !broken && (w.apart[t.from.i][t.to.i] || w.apart[t.to.i][t.from.i]) {
		if w.chance(900) { // it waits
			return
		}
		broken = true
	}
	if broken || w.part(t) {
		last := len(w.transfers) - 1
		w.transfers[i] = w.transfers[last]
		w.transfers = w.transfers[:last]
		if broken {
			w.note(opBreak, t.to, int32(t.from.i))
		}
	}
}

// part brings one part, and reports whether it was the last.
func (w *kernelWorld) part(t *kernelTransfer) (done bool) {
	if t.state == nil {
		return w.delta(t)
	}
	chunk, last := t.next()
	before := t.to.doc.Digest()
	if err := t.stager.Add(chunk); err != nil {
		w.fail("part %d of a state of %v: %v", t.at, t.from.doc.Self(), err)
	}
	if t.to.doc.Digest() != before {
		w.fail("a part of a state changed %v", t.to.doc.Self())
	}
	t.at++
	if last {
		w.joinState(t)
	}
	w.note(opChunk, t.to, int32(t.at))
	return last
}

// next returns the part of a state that comes next, and whether it is the last.
func (t *kernelTransfer) next() (c *wire.StateChunk, last bool) {
	if t.chunks != nil {
		return t.chunks[t.at], t.at == len(t.chunks)-1
	}
	n := 0
	for part := range t.state.Chunks {
		switch n {
		case t.at:
			c = part
		case t.at + 1:
			return c, false
		}
		n++
	}
	return c, true
}

// joinState joins what was staged, in one step.
func (w *kernelWorld) joinState(t *kernelTransfer) {
	s := t.stager.State()
	if err := t.to.doc.BelieveState(s); err != nil {
		w.fail("%v does not believe a state of %v: %v", t.to.doc.Self(), t.from.doc.Self(), err)
	}
	was := t.to.seen
	merge := t.to.doc.JoinState(s)
	t.to.seen = slices.Clone(was)
	t.to.seen.union(t.seen)
	t.to.met = true
	if t.to.seen.equal(was) && merge.Changed() {
		w.fail("a state changed %+v at %v, which had seen it all", merge, t.to.doc.Self())
	}
	if w.chance(50) {
		w.check(t.to)
	}
}

// delta brings one part of the mutations.
func (w *kernelWorld) delta(t *kernelTransfer) (last bool) {
	if t.at < len(t.deltas) {
		ms, err := crdt.Decode(t.deltas[t.at])
		if err != nil {
			w.fail("part %d of a delta of %v: %v", t.at, t.from.doc.Self(), err)
		}
		for i := range ms {
			id, ok := w.model.id(ms[i].Dot)
			if !ok || !t.lacks.has(id) {
				w.fail("%v came from %v, which did not send it", ms[i].Dot, t.from.doc.Self())
			}
			t.lacks.remove(id)
			w.same(&ms[i], id)
			w.join(t.to, id, ms[i], opChunk)
		}
		t.at++
	}
	if t.at < len(t.deltas) {
		return false
	}
	if !t.lacks.empty() {
		w.fail("not all came that %v sent", t.from.doc.Self())
	}
	t.to.met = t.to.met || t.from.met
	return true
}

// fetch makes the one pull all from the other at once, and reports whether that
// got through.
func (w *kernelWorld) fetch(to, from *kernelReplica) bool {
	t := w.ask(to, from, false)
	for t != nil && !w.part(t) {
		if w.chance(w.life.breaks / 4) {
			w.note(opBreak, to, int32(from.i))
			return false
		}
	}
	return true
}

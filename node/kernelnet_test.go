package node

import (
	"slices"

	"parking/lot/crdt"
)

// hear joins a mutation, and checks what that did.
func (w *kernelWorld) hear(r *kernelReplica, id int32, op kernelOp) {
	w.join(r, id, w.model.muts[id].Mutation, op)
}

func (w *kernelWorld) join(r *kernelReplica, id int32, m crdt.Mutation, op kernelOp) {
	want := crdt.Joined
	switch {
	case r.seen.has(id):
		want = crdt.Known
	case w.model.superseded(r.seen, id):
		want = crdt.Overtaken
	}
	if err := r.doc.Believe(&m); err != nil {
		w.fail("%v does not believe %v: %v", r.doc.Self(), m.Dot, err)
	}
	if got := r.doc.Join(m); got != want {
		w.fail("%v joined %v with outcome %d, not %d", r.doc.Self(), m.Dot, got, want)
	}
	r.seen.add(id)
	w.note(op, r, id)
}

// deliver lets a packet come, or wait, or come twice.
func (w *kernelWorld) deliver() {
	i, ok := w.packet()
	if !ok {
		return
	}
	p := w.packets[i]
	to := w.all[p.to]
	if w.apart[p.from][p.to] || to.down {
		if w.chance(500) { // else it is late
			w.forget(i)
		}
		return
	}
	if !w.chance(w.life.dup) {
		w.forget(i)
	}
	w.hear(to, p.id, opDeliver)
}

func (w *kernelWorld) lose() {
	if i, ok := w.packet(); ok {
		to := w.all[w.packets[i].to]
		w.forget(i)
		w.note(opLose, to, 0)
	}
}

// packet draws one of the packets that are under way.
func (w *kernelWorld) packet() (i int, ok bool) {
	n := len(w.packets)
	switch {
	case n == 0:
		return 0, false
	case w.life.pick == 0 || n > 2000:
		return w.rng.IntN(n), true
	case w.life.pick == 1:
		return n - 1, true
	}
	return n - 1 - w.rng.IntN(min(n, 8)), true
}

func (w *kernelWorld) forget(i int) {
	last := len(w.packets) - 1
	w.packets[i] = w.packets[last]
	w.packets = w.packets[:last]
}

// event brings a few of a replica's latest mutations to another, packed.
func (w *kernelWorld) event(r *kernelReplica) {
	to := w.all[w.rng.IntN(len(w.all))]
	own := w.model.dots[r.doc.Self()]
	if to.down || to == r || w.apart[r.i][to.i] || len(own) == 0 {
		return
	}
	from := w.rng.IntN(len(own))
	own = own[from:min(len(own), from+1+w.rng.IntN(8))]
	ms := make([]crdt.Mutation, 0, len(own))
	for _, id := range own {
		ms = append(ms, w.model.muts[id].Mutation)
	}
	got, err := crdt.Decode(crdt.Encode(ms))
	if err != nil || len(got) != len(ms) {
		w.fail("of %d mutations %d came: %v", len(ms), len(got), err)
	}
	for i, m := range got {
		w.same(&m, own[i])
		w.join(to, own[i], m, opEvent)
	}
}

// same checks a mutation that was packed.
func (w *kernelWorld) same(m *crdt.Mutation, id int32) {
	was := &w.model.muts[id]
	if m.Dot != was.Dot || m.Kind != was.Kind || m.Stamp != was.Stamp || m.Gate != was.Gate || m.Wall != was.Wall ||
		m.Key != was.Key || string(m.Value) != string(was.Value) || !slices.Equal(m.Supersedes, was.Supersedes) ||
		m.Plate != was.Plate && (m.Kind != crdt.Exit || len(m.Supersedes) == 0) {
		w.fail("%+v came as %+v", was.Mutation, *m)
	}
}

// forge sends a replica what it is said to have made itself, and did not.
func (w *kernelWorld) forge(r *kernelReplica) {
	made := uint64(len(w.model.dots[r.doc.Self()]))
	m := crdt.Mutation{
		Dot: crdt.Dot{Replica: r.doc.Self(), Seq: made + 1 + w.rng.Uint64N(3)}, Kind: crdt.Entry, Plate: w.plate(), Gate: 1,
	}
	if r.doc.Believe(&m) == nil {
		w.fail("%v believes that it made %v, after %d", r.doc.Self(), m.Dot, made)
	}
	w.note(opForge, r, 0)
}

package crdt

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"parking/lot"
)

// world is a few replicas, each with the model beside it, and a network that
// loses, doubles and reorders whatever is in it.
type world struct {
	t     *rapid.T
	nodes []*node
	net   []parcel
	kept  []snapshot
	all   model
}

type node struct {
	*Document
	model model
	skew  time.Duration // of its wall clock
}

// parcel is something under way: mutations, or a state.
type parcel struct {
	delta []Mutation
	state *State
	model model // what its receiver will have seen, at least
}

// snapshot is a version handed out, and what it must stay.
type snapshot struct {
	version Version
	model   model
}

func newWorld(t *rapid.T) *world {
	w := &world{t: t, all: make(model)}
	n := rapid.IntRange(2, 5).Draw(t, "nodes")
	for i := range n {
		capacity := rapid.SampledFrom([]int{1, 3, 16, DefaultLog}).Draw(t, "log")
		// Lives of one node, as well as different nodes.
		self := NewReplica([]string{"curly", "larry", "larry", "moe", "moe"}[i], uint64(i))
		years := time.Duration(rapid.SampledFrom([]int{0, 0, 0, -50, -2, 3}).Draw(t, "clock"))
		w.nodes = append(w.nodes, &node{Document: New(self, capacity), model: make(model), skew: years * 365 * 24 * time.Hour})
	}
	return w
}

func (w *world) node(name string) *node {
	return w.nodes[rapid.IntRange(0, len(w.nodes)-1).Draw(w.t, name)]
}

// mutate changes one replica and checks the mutation itself against the model.
func (w *world) mutate() {
	n := w.node("at")
	now := t0.Add(n.skew + time.Duration(len(w.all))*time.Millisecond)
	plate := rapid.SampledFrom([]lot.Plate{"A", "B", "C"}).Draw(w.t, "plate")
	key := rapid.SampledFrom([]string{"gates", "spaces"}).Draw(w.t, "key")
	gate := lot.GateID(rapid.IntRange(1, 4).Draw(w.t, "gate"))
	var got Mutation
	want := Mutation{Dot: Dot{n.Self(), n.model.version()[n.Self()].max + 1}}
	switch want.Kind = rapid.SampledFrom([]Kind{Entry, Entry, Exit, Register}).Draw(w.t, "kind"); want.Kind {
	case Entry:
		want.Plate, want.Gate = plate, gate
		got = n.Enter(now, plate, gate)
	case Exit:
		want.Plate, want.Gate = plate, gate-1
		got = n.Exit(now, plate, gate-1)
	case Register:
		want.Key, want.Value = key, fmt.Append(nil, len(w.all))
		got = n.Set(now, key, want.Value)
	}
	for _, m := range n.model.live() {
		if (m.Kind == Register) == (want.Kind == Register) && m.Plate == want.Plate && m.Key == want.Key {
			want.Supersedes = append(want.Supersedes, m.Dot)
		}
	}
	sortDots(want.Supersedes)
	sortDots(got.Supersedes)
	want.Stamp, want.Wall = got.Stamp, got.Wall
	if !sameMutation(got, want) {
		w.t.Fatalf("made %+v, not %+v", got, want)
	}
	for _, m := range n.model.live() {
		if got.Stamp <= m.Stamp {
			w.t.Fatalf("%v is stamped %d, not after %d of %v, which it has seen", got.Dot, got.Stamp, m.Stamp, m.Dot)
		}
	}
	if got.Kind != Register && !got.Since().Equal(now) {
		w.t.Fatalf("%v was made at %v, not at %v", got.Dot, got.Since(), now)
	}
	n.model[got.Dot], w.all[got.Dot] = got, got
	w.net = append(w.net, parcel{delta: []Mutation{got}, model: modelOf(got)})
	w.settle(n)
}

func sortDots(dots []Dot) {
	slices.SortFunc(dots, func(a, b Dot) int {
		if c := a.Replica.Compare(b.Replica); c != 0 {
			return c
		}
		return int(a.Seq) - int(b.Seq)
	})
}

// relay sends on a random part of what a node has seen, in random order.
func (w *world) relay() {
	n := w.node("from")
	var ms []Mutation
	for _, m := range n.model {
		ms = append(ms, m)
	}
	if len(ms) == 0 {
		return
	}
	slices.SortFunc(ms, func(a, b Mutation) int {
		return slices.Compare([]uint64{a.Dot.Replica.Incarnation(), a.Dot.Seq}, []uint64{b.Dot.Replica.Incarnation(), b.Dot.Seq})
	})
	ms = rapid.Permutation(ms).Draw(w.t, "order")[:rapid.IntRange(1, len(ms)).Draw(w.t, "count")]
	w.net = append(w.net, parcel{delta: ms, model: modelOf(ms...)})
}

// snap puts a whole state on its way, to arrive whenever it does.
func (w *world) snap() {
	n := w.node("from")
	w.net = append(w.net, parcel{state: n.State(), model: n.model.copy()})
}

// deliver gives a random parcel to a random replica, and may keep it for
// another time.
func (w *world) deliver() {
	if len(w.net) == 0 {
		return
	}
	i := rapid.IntRange(0, len(w.net)-1).Draw(w.t, "parcel")
	w.receive(w.node("to"), w.net[i])
	if !rapid.Bool().Draw(w.t, "again") {
		w.net = slices.Delete(w.net, i, i+1)
	}
}

func (w *world) drop() {
	if len(w.net) > 0 {
		i := rapid.IntRange(0, len(w.net)-1).Draw(w.t, "parcel")
		w.net = slices.Delete(w.net, i, i+1)
	}
}

// settle checks a replica that just changed.
func (w *world) settle(n *node) {
	verify(w.t, n.Document, n.model)
	if rapid.IntRange(0, 9).Draw(w.t, "keep") == 0 {
		w.kept = append(w.kept, snapshot{n.Version(), n.model.copy()})
	}
}

// check holds between any two replicas at any time.
func (w *world) check() {
	for i, a := range w.nodes {
		for _, b := range w.nodes[:i] {
			same := len(a.model.without(b.model)) == 0 && len(b.model.without(a.model)) == 0
			if (a.Digest() == b.Digest()) != same {
				w.t.Fatalf("equal is %v, but the digests are %v and %v", same, a.Digest(), b.Digest())
			}
			covers := len(b.model.without(a.model)) == 0
			if a.Version().Covers(b.Version()) != covers {
				w.t.Fatalf("Covers is not %v", covers)
			}
		}
	}
	for _, s := range w.kept {
		if why := sameVersion(s.version, s.model); why != "" {
			w.t.Fatalf("a version handed out was written to: %s", why)
		}
	}
}

// TestReplicasEqualTheModel lets replicas mutate and talk over a bad network:
// each always is what it has seen, and in the end all are the same.
func TestReplicasEqualTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		actions := []func(){
			w.mutate, w.mutate, w.mutate, w.relay, w.snap,
			w.deliver, w.deliver, w.deliver, w.deliver, w.drop,
			func() { w.pull(w.node("to"), w.node("from")) },
		}
		for range rapid.IntRange(1, 250).Draw(t, "steps") {
			actions[rapid.IntRange(0, len(actions)-1).Draw(t, "action")]()
			w.check()
		}
		for range 2 {
			for i := range w.nodes {
				next := w.nodes[(i+1)%len(w.nodes)]
				w.pull(next, w.nodes[i])
				w.pull(w.nodes[i], next)
			}
		}
		for _, n := range w.nodes {
			if len(w.all.without(n.model)) > 0 {
				t.Fatalf("%v has not seen everything", n.Self())
			}
			if len(n.early) > 0 {
				t.Fatalf("%v has seen everything and keeps early removals", n.Self())
			}
			sameDigest(t, n.Document, w.nodes[0].Document)
		}
		w.check()
	})
}

package crdt

import (
	"slices"

	"pgregory.net/rapid"
)

// receive joins a parcel, after a trip through the codec or as it is.
func (w *world) receive(n *node, p parcel) {
	if p.state != nil {
		s := p.state
		if rapid.Bool().Draw(w.t, "encoded") {
			s = overState(w.t, s)
		}
		w.joinState(n, s, p.model)
		return
	}
	ms := p.delta
	switch rapid.IntRange(0, 2).Draw(w.t, "encoding") {
	case 1:
		ms = overDelta(w.t, Encode(ms))
	case 2:
		ms = nil
		for _, d := range Pack(rapid.IntRange(0, 200).Draw(w.t, "limit"), p.delta) {
			ms = append(ms, overDelta(w.t, d)...)
		}
	}
	if !slices.EqualFunc(ms, p.delta, func(a, b Mutation) bool { return sameMutation(sent(a), sent(b)) }) {
		w.t.Fatalf("sent %+v, received %+v", p.delta, ms)
	}
	w.join(n, ms)
}

func (w *world) join(n *node, ms []Mutation) {
	for _, m := range ms {
		if err := n.Believe(&m); err != nil {
			w.t.Fatalf("%v refused %v: %v", n.Self(), m.Dot, err)
		}
		want := Joined
		if _, gone := n.model.superseded()[m.Dot]; gone {
			want = Overtaken
		}
		if n.model.has(m.Dot) {
			want = Known
		}
		if got := n.Join(m); got != want {
			w.t.Fatalf("joining %v at %v: outcome %d, not %d", m.Dot, n.Self(), got, want)
		}
		n.model[m.Dot] = w.all[m.Dot]
		w.settle(n)
	}
}

func (w *world) joinState(n *node, s *State, seen model) {
	if err := n.BelieveState(s); err != nil {
		w.t.Fatalf("%v refused a state: %v", n.Self(), err)
	}
	before := n.model.live()
	n.model.add(seen)
	after := n.model.live()
	var want Merge
	for _, m := range after {
		if !slices.ContainsFunc(before, func(o Mutation) bool { return o.Dot == m.Dot }) {
			if want.Added++; m.Kind == Register {
				want.Added--
				want.Registers++
			}
		}
	}
	for _, m := range before {
		if !slices.ContainsFunc(after, func(o Mutation) bool { return o.Dot == m.Dot }) {
			if want.Removed++; m.Kind == Register {
				want.Removed--
				want.Registers++
			}
		}
	}
	if got := n.JoinState(s); got != want {
		w.t.Fatalf("joining a state at %v: %+v, not %+v", n.Self(), got, want)
	}
	w.settle(n)
}

// pull brings what one replica lacks from another, as anti-entropy does, and
// checks that it is just that.
func (w *world) pull(to, from *node) {
	if to == from {
		return
	}
	v := to.Version()
	if rapid.Bool().Draw(w.t, "encoded") {
		v = overVersion(w.t, v)
	}
	lack := from.model.without(to.model)
	delta, state := from.Since(v)
	switch {
	case delta != nil && state != nil:
		w.t.Fatalf("Since returns both a delta and a state")
	case len(lack) == 0:
		if delta != nil {
			w.t.Fatalf("nothing lacks, and Since returns %d mutations", len(delta))
		}
	case state == nil:
		if len(delta) != len(lack) {
			w.t.Fatalf("%d mutations lack, and Since returns %d", len(lack), len(delta))
		}
		for _, m := range delta {
			if _, ok := lack[m.Dot]; !ok {
				w.t.Fatalf("Since returns %v, which does not lack", m.Dot)
			}
		}
	}
	if state != nil {
		w.receive(to, parcel{state: state, model: from.model})
	} else {
		w.receive(to, parcel{delta: delta})
	}
	if lack := from.model.without(to.model); len(lack) > 0 {
		w.t.Fatalf("after a pull %d still lack", len(lack))
	}
}

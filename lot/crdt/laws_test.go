package crdt

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"parking/lot"
)

// history draws what a few replicas did that told each other some of it.
func history(t *rapid.T) []Mutation {
	docs := []*Document{doc(curly), doc(larry), doc(moe)}
	var all []Mutation
	for range rapid.IntRange(1, 30).Draw(t, "mutations") {
		d := docs[rapid.IntRange(0, 2).Draw(t, "at")]
		p := rapid.SampledFrom([]lot.Plate{"A", "B"}).Draw(t, "plate")
		var m Mutation
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			m = d.Exit(t0, p, 1)
		case 1:
			m = d.Set(t0, string(p), []byte{byte(len(all))})
		default:
			m = d.Enter(t0, p, 1)
		}
		all = append(all, m)
		for _, peer := range docs {
			if rapid.Bool().Draw(t, "told") {
				peer.Join(m)
			}
		}
	}
	return all
}

// part draws some of the mutations, in some order.
func part(t *rapid.T, label string, all []Mutation) []Mutation {
	return rapid.Permutation(all).Draw(t, label)[:rapid.IntRange(0, len(all)).Draw(t, label)]
}

func TestJoinIsCommutativeAndIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := part(t, "some", history(t))
		a := joined(NewReplica("a", 1), ms...)
		b := joined(NewReplica("b", 1), rapid.Permutation(slices.Concat(ms, part(t, "again", ms))).Draw(t, "order")...)
		verify(t, a, modelOf(ms...))
		verify(t, b, modelOf(ms...))
		sameDigest(t, a, b)
	})
}

// join returns what a state becomes with another joined.
func join(a, b *State) *State {
	d := doc(NewReplica("x", 1))
	d.JoinState(a)
	d.JoinState(b)
	return d.State()
}

// load returns a document of that state alone.
func load(s *State) *Document {
	d := doc(NewReplica("y", 1))
	d.JoinState(s)
	return d
}

func TestJoinOfStatesIsASemilattice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := history(t)
		var parts [3][]Mutation
		var states [3]*State
		for i := range parts {
			parts[i] = part(t, "part", all)
			states[i] = joined(curly, parts[i]...).State()
		}
		a, b, c := states[0], states[1], states[2]
		union := modelOf(slices.Concat(parts[0], parts[1], parts[2])...)
		left, right := load(join(join(a, b), c)), load(join(a, join(b, c)))
		verify(t, left, union)
		verify(t, right, union)
		sameDigest(t, left, right)
		sameDigest(t, load(join(a, b)), load(join(b, a)))
		d := load(a)
		if again := d.JoinState(a); again.Changed() {
			t.Fatalf("joining itself changed %+v", again)
		}
		sameDigest(t, d, load(a))
	})
}

// A group of mutations may come as mutations or as the state they make: no
// mixture of the two makes a difference.
func TestStatesAndMutationsMix(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := history(t)
		d := doc(NewReplica("x", 1))
		want := make(model)
		for range rapid.IntRange(1, 5).Draw(t, "groups") {
			ms := part(t, "group", all)
			if rapid.Bool().Draw(t, "as a state") {
				d.JoinState(joined(curly, ms...).State())
			} else {
				for _, m := range ms {
					d.Join(m)
				}
			}
			want.add(modelOf(ms...))
			verify(t, d, want)
		}
	})
}

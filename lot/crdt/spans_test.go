package crdt

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// set is what spans should be, one number at a time.
type set map[uint64]bool

// sameSpans tells how s differs from the set, or "".
func sameSpans(s spans, want set) string {
	if got := slices.Collect(s.each); !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
		return fmt.Sprintf("%v are %v, not %v", s, got, slices.Sorted(maps.Keys(want)))
	}
	top := uint64(0)
	for want[top+1] {
		top++
	}
	if s.max() != top || s.size() != uint64(len(want)) || s.cloud().size() != uint64(len(want))-top {
		return fmt.Sprintf("%v have maximum %d, size %d, %d in the cloud", s, s.max(), s.size(), s.cloud().size())
	}
	for i := 1; i < len(s); i++ {
		if s[i].first <= s[i-1].last+1 {
			return fmt.Sprintf("%v touch", s)
		}
	}
	return ""
}

func TestSpans(t *testing.T) {
	drawn := func(t *rapid.T, name string) (s spans, want set) {
		want = make(set)
		for _, seq := range rapid.SliceOfN(rapid.Uint64Range(1, 24), 0, 20).Draw(t, name) {
			var added bool
			if s, added = s.add(seq); added == want[seq] {
				t.Fatalf("adding %d to %v: %v", seq, s, added)
			}
			want[seq] = true
			if diff := sameSpans(s, want); diff != "" {
				t.Fatal(diff)
			}
		}
		return s, want
	}
	rapid.Check(t, func(t *rapid.T) {
		a, inA := drawn(t, "a")
		b, inB := drawn(t, "b")
		both, either := make(set), maps.Clone(inA)
		for seq := range inB {
			either[seq] = true
			if inA[seq] {
				both[seq] = true
			}
		}
		if diff := sameSpans(a.union(b), either); diff != "" {
			t.Fatal("union: " + diff)
		}
		if diff := sameSpans(a.meet(b), both); diff != "" {
			t.Fatal("meet: " + diff)
		}
		x := span{rapid.Uint64Range(1, 24).Draw(t, "first"), 24}
		x.last = rapid.Uint64Range(x.first, 24).Draw(t, "last")
		want := true
		for seq := x.first; seq <= x.last; seq++ {
			want = want && inA[seq]
		}
		if a.covers(x) != want || a.contains(x.first) != inA[x.first] {
			t.Fatalf("%v covers %v: %v", a, x, a.covers(x))
		}
		if diff := sameSpans(a, inA) + sameSpans(b, inB); diff != "" {
			t.Fatal("written to: " + diff)
		}
	})
}

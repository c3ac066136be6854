package spans

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// plain is what a set should be, one number at a time.
type plain map[uint64]bool

func (p plain) has(x Span) bool {
	for n := x.First; n <= x.Last; n++ {
		if !p[n] {
			return false
		}
	}
	return true
}

// differ tells how s differs from the plain set, or "".
func differ(s Set, want plain) string {
	numbers := slices.Sorted(maps.Keys(want))
	if got := slices.Collect(s.Each); !slices.Equal(got, numbers) {
		return fmt.Sprintf("%v are %v, not %v", s, got, numbers)
	}
	top, last := uint64(0), uint64(0)
	for want[top+1] {
		top++
	}
	if len(numbers) > 0 {
		last = numbers[len(numbers)-1]
	}
	beyond := uint64(len(want)) - top
	if want[0] && top > 0 {
		beyond = uint64(len(want)) // then none begins at 1
		top = 0
	}
	if s.Max() != top || s.Last() != last || s.Size() != uint64(len(want)) || s.Cloud().Size() != beyond {
		return fmt.Sprintf("%v: maximum %d, last %d, size %d, cloud %v", s, s.Max(), s.Last(), s.Size(), s.Cloud())
	}
	for i := 1; i < len(s); i++ {
		if s[i].First <= s[i-1].Last+1 {
			return fmt.Sprintf("%v touch", s)
		}
	}
	for n := range uint64(40) {
		next := n
		for want[next] {
			next++
		}
		if s.Has(n) != want[n] || s.Beyond(n) != next {
			return fmt.Sprintf("%v has %d: %v; beyond it %d", s, n, s.Has(n), s.Beyond(n))
		}
	}
	return ""
}

func drawSpan(t *rapid.T, from uint64) Span {
	first := rapid.Uint64Range(from, 30).Draw(t, "first")
	return Span{first, rapid.Uint64Range(first, min(first+8, 30)).Draw(t, "last")}
}

func draw(t *rapid.T) (s Set, want plain) {
	want = make(plain)
	from := rapid.Uint64Range(0, 1).Draw(t, "from")
	for range rapid.IntRange(0, 20).Draw(t, "additions") {
		if x := drawSpan(t, from); rapid.Bool().Draw(t, "whole") {
			for _, f := range s.Add(x) {
				for n := f.First; n <= f.Last; n++ {
					if want[n] || n < x.First || n > x.Last {
						t.Fatalf("%d is news of %v", n, x)
					}
					want[n] = true
				}
			}
			if !want.has(x) {
				t.Fatalf("not all that is new of %v was told", x)
			}
		} else if s.Insert(x.First) == want[x.First] {
			t.Fatalf("%d is news: %v", x.First, !want[x.First])
		} else {
			want[x.First] = true
		}
		if diff := differ(s, want); diff != "" {
			t.Fatal(diff)
		}
	}
	return s, want
}

func TestAgainstAPlainSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, inA := draw(t)
		b, inB := draw(t)
		both, either := make(plain), maps.Clone(inA)
		for n := range inB {
			either[n] = true
			if inA[n] {
				both[n] = true
			}
		}
		if diff := differ(a.Union(b), either); diff != "" {
			t.Fatal("union: " + diff)
		}
		if diff := differ(a.Meet(b), both); diff != "" {
			t.Fatal("meet: " + diff)
		}
		if x := drawSpan(t, 0); a.Covers(x) != inA.has(x) {
			t.Fatalf("%v covers %v: %v", a, x, a.Covers(x))
		}
		if diff := differ(a, inA) + differ(b, inB); diff != "" {
			t.Fatal("written to: " + diff)
		}
	})
}

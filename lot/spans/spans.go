// Package spans keeps sets of sequence numbers that mostly follow on each other:
// what was seen of one replica.
package spans

import (
	"cmp"
	"slices"
)

// A Set is a set of numbers, as the spans without a gap that it is made of:
// ascending, apart from each other. The zero value is empty. Numbers are below
// 2^64-1.
type Set []Span

// A Span is the numbers First..Last.
type Span struct{ First, Last uint64 }

// search returns the place of the first span that does not end before n.
func (s Set) search(n uint64) int {
	from, to := 0, len(s)
	for from < to {
		if i := (from + to) / 2; s[i].Last < n {
			from = i + 1
		} else {
			to = i
		}
	}
	return from
}

// Has reports whether n is in the set.
func (s Set) Has(n uint64) bool { return s.Covers(Span{n, n}) }

// Covers reports whether all of x is in the set.
func (s Set) Covers(x Span) bool {
	i := s.search(x.Last)
	return i < len(s) && s[i].First <= x.First
}

// Beyond returns the first number from n on that is not in the set.
func (s Set) Beyond(n uint64) uint64 {
	if i := s.search(n); i < len(s) && s[i].First <= n {
		return s[i].Last + 1
	}
	return n
}

// Max returns the highest number such that all from 1 up to it are in the set, 0
// if 1 is not.
func (s Set) Max() uint64 {
	if len(s) > 0 && s[0].First == 1 {
		return s[0].Last
	}
	return 0
}

// Cloud returns the part beyond Max.
func (s Set) Cloud() Set {
	if s.Max() > 0 {
		return s[1:]
	}
	return s
}

// Last returns the highest number, 0 of an empty set.
func (s Set) Last() uint64 {
	if len(s) == 0 {
		return 0
	}
	return s[len(s)-1].Last
}

// Size returns how many numbers are in the set.
func (s Set) Size() (n uint64) {
	for _, x := range s {
		n += x.Last - x.First + 1
	}
	return n
}

// Each yields the numbers, ascending.
func (s Set) Each(yield func(uint64) bool) {
	for _, x := range s {
		for n := x.First; n <= x.Last; n++ {
			if !yield(n) {
				return
			}
		}
	}
}

// Insert puts n into the set and reports whether it was not there.
func (s *Set) Insert(n uint64) bool {
	all := *s
	i := all.search(n)
	if i < len(all) && all[i].First <= n {
		return false
	}
	follows, precedes := i > 0 && all[i-1].Last+1 == n, i < len(all) && all[i].First == n+1
	switch {
	case follows && precedes:
		all[i-1].Last = all[i].Last
		*s = slices.Delete(all, i, i+1)
	case follows:
		all[i-1].Last = n
	case precedes:
		all[i].First = n
	default:
		*s = slices.Insert(all, i, Span{n, n})
	}
	return true
}

// Add puts all of x into the set and returns the parts that were not there.
func (s *Set) Add(x Span) (fresh []Span) {
	all := *s
	from := all.search(x.First - min(x.First, 1)) // the first that touches x
	to, next, merged := from, x.First, x
	for ; to < len(all) && all[to].First <= x.Last+1; to++ {
		e := all[to]
		if e.First > next {
			fresh = append(fresh, Span{next, min(e.First-1, x.Last)})
		}
		next = max(next, e.Last+1)
		merged = Span{min(merged.First, e.First), max(merged.Last, e.Last)}
	}
	if next <= x.Last {
		fresh = append(fresh, Span{next, x.Last})
	}
	*s = slices.Replace(all, from, to, merged)
	return fresh
}

// Union returns what is in one or both, apart from either.
func (s Set) Union(o Set) Set {
	all := slices.Concat(s, o)
	slices.SortFunc(all, func(a, b Span) int { return cmp.Compare(a.First, b.First) })
	out := all[:0]
	for _, x := range all {
		if n := len(out); n > 0 && x.First <= out[n-1].Last+1 {
			out[n-1].Last = max(out[n-1].Last, x.Last)
		} else {
			out = append(out, x)
		}
	}
	return out
}

// Meet returns what is in both, apart from either.
func (s Set) Meet(o Set) (both Set) {
	for len(s) > 0 && len(o) > 0 {
		if x := (Span{max(s[0].First, o[0].First), min(s[0].Last, o[0].Last)}); x.First <= x.Last {
			both = append(both, x)
		}
		if s[0].Last < o[0].Last {
			s = s[1:]
		} else {
			o = o[1:]
		}
	}
	return both
}

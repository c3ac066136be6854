package history

import "slices"

// Spans is a set of sequence numbers, as disjoint spans in order.
type Spans []Span

// A Span is the numbers First..Last.
type Span struct{ First, Last uint64 }

// Has reports whether n is in the set.
func (s Spans) Has(n uint64) bool {
	i := s.after(n)
	return i > 0 && s[i-1].Last >= n
}

// Beyond returns the first number from n on that is not in the set.
func (s Spans) Beyond(n uint64) uint64 {
	if i := s.after(n); i > 0 && s[i-1].Last >= n {
		return s[i-1].Last + 1
	}
	return n
}

// after returns the index of the first span that begins behind n.
func (s Spans) after(n uint64) int {
	if l := len(s); l == 0 || s[l-1].First <= n {
		return l
	}
	i, _ := slices.BinarySearchFunc(s, n, func(e Span, n uint64) int {
		if e.First <= n {
			return -1
		}
		return 1
	})
	return i
}

// Add puts First..Last into the set and returns the parts that were not in it.
func (s *Spans) Add(add Span) (fresh []Span) {
	all := *s
	lo := all.after(add.First)
	if lo > 0 && all[lo-1].Last >= add.First-min(1, add.First) { // touches the one before
		lo--
	}
	next, hi := add.First, lo
	merged := add
	for ; hi < len(all) && all[hi].First <= add.Last+1; hi++ {
		e := all[hi]
		if e.First > next {
			fresh = append(fresh, Span{next, min(e.First-1, add.Last)})
		}
		next = max(next, e.Last+1)
		merged.First, merged.Last = min(merged.First, e.First), max(merged.Last, e.Last)
	}
	if next <= add.Last {
		fresh = append(fresh, Span{next, add.Last})
	}
	*s = slices.Replace(all, lo, hi, merged)
	return fresh
}

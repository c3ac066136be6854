package crdt

import (
	"cmp"
	"slices"
)

// spans is a set of sequence numbers, as the spans without a gap that it is made
// of: ascending, apart from each other. Of one replica mostly a single span was
// seen, which begins at 1, and beside it what came out of order.
type spans []span

type span struct{ first, last uint64 }

// search returns the place of the first span that does not end before seq.
func (s spans) search(seq uint64) int {
	from, to := 0, len(s)
	for from < to {
		if i := (from + to) / 2; s[i].last < seq {
			from = i + 1
		} else {
			to = i
		}
	}
	return from
}

func (s spans) contains(seq uint64) bool { return s.covers(span{seq, seq}) }

// covers reports whether all of x is in s.
func (s spans) covers(x span) bool {
	i := s.search(x.last)
	return i < len(s) && s[i].first <= x.first
}

// max returns the highest number up to which none lacks.
func (s spans) max() uint64 {
	if len(s) > 0 && s[0].first == 1 {
		return s[0].last
	}
	return 0
}

// cloud returns what is beyond max.
func (s spans) cloud() spans {
	if s.max() > 0 {
		return s[1:]
	}
	return s
}

// size returns how many numbers are in s.
func (s spans) size() (n uint64) {
	for _, x := range s {
		n += x.last - x.first + 1
	}
	return n
}

// each yields the numbers, ascending.
func (s spans) each(yield func(uint64) bool) {
	for _, x := range s {
		for seq := x.first; seq <= x.last; seq++ {
			if !yield(seq) {
				return
			}
		}
	}
}

// add returns s, which it may write to, with seq, and whether that is new.
func (s spans) add(seq uint64) (spans, bool) {
	i := s.search(seq)
	if i < len(s) && s[i].first <= seq {
		return s, false
	}
	follows, precedes := i > 0 && s[i-1].last == seq-1, i < len(s) && s[i].first == seq+1
	switch {
	case follows && precedes:
		s[i-1].last = s[i].last
		s = slices.Delete(s, i, i+1)
	case follows:
		s[i-1].last = seq
	case precedes:
		s[i].first = seq
	default:
		s = slices.Insert(s, i, span{seq, seq})
	}
	return s, true
}

// union returns what is in one or both, apart from either.
func (s spans) union(o spans) spans {
	all := slices.Concat(s, o)
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	out := all[:0]
	for _, x := range all {
		if n := len(out); n > 0 && x.first <= out[n-1].last+1 {
			out[n-1].last = max(out[n-1].last, x.last)
		} else {
			out = append(out, x)
		}
	}
	return out
}

// meet returns what is in both.
func (s spans) meet(o spans) (both spans) {
	for len(s) > 0 && len(o) > 0 {
		if x := (span{max(s[0].first, o[0].first), min(s[0].last, o[0].last)}); x.first <= x.last {
			both = append(both, x)
		}
		if s[0].last < o[0].last {
			s = s[1:]
		} else {
			o = o[1:]
		}
	}
	return both
}

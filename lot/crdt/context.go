package crdt

import (
	"iter"
	"maps"
	"slices"
)

// A Version is a causal context: the set of dots that a replica has seen. The
// zero value is empty. A Version handed out is never written to again.
type Version struct{ rows map[Replica]spans }

// Contains reports whether d has been seen.
func (v Version) Contains(d Dot) bool { return v.rows[d.Replica].contains(d.Seq) }

// Max returns how many of the replica's mutations have been seen without a
// gap.
func (v Version) Max(r Replica) uint64 { return v.rows[r].max() }

// Of returns what v has of the lives of one node.
func (v Version) Of(node string) Version {
	of := Version{rows: make(map[Replica]spans, 1)}
	for rep, s := range v.rows {
		if rep.Node() == node {
			of.rows[rep] = s
		}
	}
	return of
}

// Lag returns how many dots are missing before ones that were seen.
func (v Version) Lag() (n uint64) {
	for _, s := range v.rows {
		n += s[len(s)-1].last - s.size()
	}
	return n
}

// Covers reports whether v contains every dot of o.
func (v Version) Covers(o Version) bool {
	for rep, theirs := range o.rows {
		ours := v.rows[rep]
		for _, x := range theirs {
			if !ours.covers(x) {
				return false
			}
		}
	}
	return true
}

// Meet returns the dots that are in both.
func (v Version) Meet(o Version) Version {
	both := Version{rows: make(map[Replica]spans, len(v.rows))}
	for rep, ours := range v.rows {
		if s := ours.meet(o.rows[rep]); len(s) > 0 {
			both.rows[rep] = s
		}
	}
	return both
}

// Replicas yields each replica known, in order, with its gapless maximum.
func (v Version) Replicas() iter.Seq2[Replica, uint64] {
	return func(yield func(Replica, uint64) bool) {
		for _, rep := range slices.SortedFunc(maps.Keys(v.rows), Replica.Compare) {
			if !yield(rep, v.rows[rep].max()) {
				return
			}
		}
	}
}

// add puts d into the context, keeps h the hash of the context, and reports
// whether d was new. What is in the cloud becomes part of the vector as gaps
// close.
func (v *Version) add(d Dot, h *sum) bool {
	before := v.rows[d.Replica]
	was := before.max()
	s, ok := before.add(d.Seq)
	if !ok {
		return false
	}
	if v.rows == nil {
		v.rows = make(map[Replica]spans)
	}
	if len(s) != len(before) { // else it was written in place
		v.rows[d.Replica] = s
	}
	now := s.max()
	if now == was {
		h.add(fact(tagCloud, d))
		return true
	}
	if was > 0 {
		h.remove(fact(tagVector, Dot{d.Replica, was}))
	}
	for seq := d.Seq + 1; seq <= now; seq++ {
		h.remove(fact(tagCloud, Dot{d.Replica, seq}))
	}
	h.add(fact(tagVector, Dot{d.Replica, now}))
	return true
}

// hash returns the sum of the context's facts from scratch.
func (v Version) hash() (h sum) {
	for rep, s := range v.rows {
		if top := s.max(); top > 0 {
			h.add(fact(tagVector, Dot{rep, top}))
		}
		for seq := range s.cloud().each {
			h.add(fact(tagCloud, Dot{rep, seq}))
		}
	}
	return h
}

// union adds every dot of o.
func (v *Version) union(o Version) {
	if v.rows == nil {
		v.rows = make(map[Replica]spans, len(o.rows))
	}
	for rep, theirs := range o.rows {
		v.rows[rep] = v.rows[rep].union(theirs)
	}
}

// clone returns a copy that shares nothing with v.
func (v Version) clone() Version {
	n := 0
	for _, s := range v.rows {
		n += len(s)
	}
	c, all := Version{rows: make(map[Replica]spans, len(v.rows))}, make(spans, 0, n)
	for rep, s := range v.rows {
		all = append(all, s...)
		c.rows[rep] = slices.Clip(all[len(all)-len(s):])
	}
	return c
}

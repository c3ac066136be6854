package crdt

import (
	"iter"
	"maps"
	"slices"

	"parking/lot/spans"
)

// A Version is a causal context: the set of dots that a replica has seen. The
// zero value is empty. A Version handed out is never written to again.
type Version struct{ rows map[Replica]spans.Set }

// Contains reports whether d has been seen.
func (v Version) Contains(d Dot) bool { return v.rows[d.Replica].Has(d.Seq) }

// Max returns how many of the replica's mutations have been seen without a
// gap.
func (v Version) Max(r Replica) uint64 { return v.rows[r].Max() }

// Of returns what v has of the lives of one node.
func (v Version) Of(node string) Version {
	of := Version{rows: make(map[Replica]spans.Set, 1)}
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
		n += s.Last() - s.Size()
	}
	return n
}

// Covers reports whether v contains every dot of o.
func (v Version) Covers(o Version) bool {
	for rep, theirs := range o.rows {
		ours := v.rows[rep]
		for _, x := range theirs {
			if !ours.Covers(x) {
				return false
			}
		}
	}
	return true
}

// Meet returns the dots that are in both.
func (v Version) Meet(o Version) Version {
	both := Version{rows: make(map[Replica]spans.Set, len(v.rows))}
	for rep, ours := range v.rows {
		if s := ours.Meet(o.rows[rep]); len(s) > 0 {
			both.rows[rep] = s
		}
	}
	return both
}

// Replicas yields each replica known, in order, with its gapless maximum.
func (v Version) Replicas() iter.Seq2[Replica, uint64] {
	return func(yield func(Replica, uint64) bool) {
		for _, rep := range slices.SortedFunc(maps.Keys(v.rows), Replica.Compare) {
			if !yield(rep, v.rows[rep].Max()) {
				return
			}
		}
	}
}

// add puts d into the context, keeps h the hash of the context, and returns the
// gapless maximum of d's replica and whether d was new. What is in the cloud
// becomes part of the vector as gaps close.
func (v *Version) add(d Dot, h *sum) (top uint64, news bool) {
	before := v.rows[d.Replica]
	was, s := before.Max(), before
	if !s.Insert(d.Seq) {
		return was, false
	}
	if v.rows == nil {
		v.rows = make(map[Replica]spans.Set)
	}
	if len(s) != len(before) { // else it was written in place
		v.rows[d.Replica] = s
	}
	top = s.Max()
	if top == was {
		h.add(fact(tagCloud, d))
		return top, true
	}
	if was > 0 {
		h.remove(fact(tagVector, Dot{d.Replica, was}))
	}
	for seq := d.Seq + 1; seq <= top; seq++ {
		h.remove(fact(tagCloud, Dot{d.Replica, seq}))
	}
	h.add(fact(tagVector, Dot{d.Replica, top}))
	return top, true
}

// hash returns the sum of the context's facts from scratch.
func (v Version) hash() (h sum) {
	for rep, s := range v.rows {
		if top := s.Max(); top > 0 {
			h.add(fact(tagVector, Dot{rep, top}))
		}
		for seq := range s.Cloud().Each {
			h.add(fact(tagCloud, Dot{rep, seq}))
		}
	}
	return h
}

// union adds every dot of o.
func (v *Version) union(o Version) {
	if v.rows == nil {
		v.rows = make(map[Replica]spans.Set, len(o.rows))
	}
	for rep, theirs := range o.rows {
		v.rows[rep] = v.rows[rep].Union(theirs)
	}
}

// clone returns a copy that shares nothing with v.
func (v Version) clone() Version {
	n := 0
	for _, s := range v.rows {
		n += len(s)
	}
	c, all := Version{rows: make(map[Replica]spans.Set, len(v.rows))}, make(spans.Set, 0, n)
	for rep, s := range v.rows {
		all = append(all, s...)
		c.rows[rep] = slices.Clip(all[len(all)-len(s):])
	}
	return c
}

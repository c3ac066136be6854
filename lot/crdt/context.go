package crdt

import (
	"cmp"
	"iter"
	"maps"
	"slices"
)

// A Version is a causal context: the set of dots that a replica has seen. The
// zero value is empty. A Version handed out is never written to again.
type Version struct{ rows map[Replica]row }

// row is what was seen of one replica: 1..max, and the cloud beyond.
// Canonical: max+1 is never in the cloud.
type row struct {
	max   uint64
	cloud map[uint64]struct{} // nil when empty
}

// Contains reports whether d has been seen.
func (v Version) Contains(d Dot) bool {
	r, ok := v.rows[d.Replica]
	return ok && r.contains(d.Seq)
}

func (r row) contains(seq uint64) bool {
	if seq <= r.max {
		return true
	}
	_, ok := r.cloud[seq]
	return ok
}

// Max returns how many of the replica's mutations have been seen without a
// gap.
func (v Version) Max(r Replica) uint64 { return v.rows[r].max }

// Of returns what v has of the lives of one node.
func (v Version) Of(node string) Version {
	of := Version{rows: make(map[Replica]row, 1)}
	for rep, r := range v.rows {
		if rep.Node() == node {
			of.rows[rep] = r
		}
	}
	return of
}

// Lag returns how many dots are missing before ones that were seen.
func (v Version) Lag() (n uint64) {
	for _, r := range v.rows {
		if len(r.cloud) > 0 {
			n += slices.Max(slices.Collect(maps.Keys(r.cloud))) - r.max - uint64(len(r.cloud))
		}
	}
	return n
}

// Covers reports whether v contains every dot of o.
func (v Version) Covers(o Version) bool {
	for rep, theirs := range o.rows {
		ours := v.rows[rep]
		if ours.max < theirs.max {
			return false // max+1 is in no canonical cloud
		}
		for seq := range theirs.cloud {
			if !ours.contains(seq) {
				return false
			}
		}
	}
	return true
}

// Meet returns the dots that are in both.
func (v Version) Meet(o Version) Version {
	both := Version{rows: make(map[Replica]row, len(v.rows))}
	for rep, ours := range v.rows {
		theirs := o.rows[rep]
		r := row{max: min(ours.max, theirs.max)}
		for _, c := range []map[uint64]struct{}{ours.cloud, theirs.cloud} {
			for seq := range c {
				if seq > r.max && ours.contains(seq) && theirs.contains(seq) {
					if r.cloud == nil {
						r.cloud = make(map[uint64]struct{})
					}
					r.cloud[seq] = struct{}{}
				}
			}
		}
		r.fold(func(uint64) {})
		if r.max > 0 || len(r.cloud) > 0 {
			both.rows[rep] = r
		}
	}
	return both
}

// Replicas yields each replica known, in order, with its gapless maximum.
func (v Version) Replicas() iter.Seq2[Replica, uint64] {
	return func(yield func(Replica, uint64) bool) {
		for _, rep := range slices.SortedFunc(maps.Keys(v.rows), Replica.Compare) {
			if !yield(rep, v.rows[rep].max) {
				return
			}
		}
	}
}

// add puts d into the context, keeps h the hash of the context, and reports
// whether d was new. Clouds fold into the vector as gaps close.
func (v *Version) add(d Dot, h *sum) bool {
	if v.rows == nil {
		v.rows = make(map[Replica]row)
	}
	r := v.rows[d.Replica]
	switch {
	case r.contains(d.Seq):
		return false
	case d.Seq == r.max+1:
		if r.max > 0 {
			h.remove(fact(tagVector, Dot{d.Replica, r.max}))
		}
		r.max++
		r.fold(func(seq uint64) { h.remove(fact(tagCloud, Dot{d.Replica, seq})) })
		h.add(fact(tagVector, Dot{d.Replica, r.max}))
	default:
		if r.cloud == nil {
			r.cloud = make(map[uint64]struct{})
		}
		r.cloud[d.Seq] = struct{}{}
		h.add(fact(tagCloud, d))
	}
	v.rows[d.Replica] = r
	return true
}

// hash returns the sum of the context's facts from scratch.
func (v Version) hash() (h sum) {
	for rep, r := range v.rows {
		if r.max > 0 {
			h.add(fact(tagVector, Dot{rep, r.max}))
		}
		for seq := range r.cloud {
			h.add(fact(tagCloud, Dot{rep, seq}))
		}
	}
	return h
}

// fold moves the cloud's dots next to max into the vector, telling each.
func (r *row) fold(moved func(seq uint64)) {
	for len(r.cloud) > 0 {
		if _, ok := r.cloud[r.max+1]; !ok {
			return
		}
		r.max++
		delete(r.cloud, r.max)
		moved(r.max)
	}
	r.cloud = nil
}

// union adds every dot of o.
func (v *Version) union(o Version) {
	if v.rows == nil {
		v.rows = make(map[Replica]row, len(o.rows))
	}
	for rep, theirs := range o.rows {
		ours := v.rows[rep]
		ours.max = max(ours.max, theirs.max)
		cloud := make(map[uint64]struct{})
		for _, c := range []map[uint64]struct{}{ours.cloud, theirs.cloud} {
			for seq := range c {
				if seq > ours.max {
					cloud[seq] = struct{}{}
				}
			}
		}
		ours.cloud = cloud
		ours.fold(func(uint64) {})
		v.rows[rep] = ours
	}
}

// clone returns a copy that shares nothing with v.
func (v Version) clone() Version {
	c := Version{rows: make(map[Replica]row, len(v.rows))}
	for rep, r := range v.rows {
		r.cloud = maps.Clone(r.cloud)
		c.rows[rep] = r
	}
	return c
}

// sortedCloud returns the cloud's sequence numbers, ascending.
func (r row) sortedCloud() []uint64 {
	return slices.SortedFunc(maps.Keys(r.cloud), cmp.Compare[uint64])
}

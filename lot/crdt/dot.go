package crdt

import (
	"cmp"
	"fmt"
	"strings"
	"unique"
)

// MaxSeq bounds sequence numbers: no replica makes this many mutations, so a
// higher number is refused as malformed.
const MaxSeq = 1<<48 - 1

// A Replica is one life of one node: its name and random bits drawn at its
// start, never reused. Replicas are small, comparable, and interned.
type Replica struct{ id unique.Handle[identity] }

type identity struct {
	node        string
	incarnation uint64
	hash        uint64 // of the two above, for digests
}

// NewReplica returns the replica of that node's life.
func NewReplica(node string, incarnation uint64) Replica {
	h := mix(incarnation)
	for i := range len(node) {
		h = mix(h ^ uint64(node[i]))
	}
	return Replica{unique.Make(identity{node, incarnation, h})}
}

// Node returns the node's name.
func (r Replica) Node() string { return r.id.Value().node }

// Incarnation returns the bits that tell this life of the node from others.
func (r Replica) Incarnation() uint64 { return r.id.Value().incarnation }

// String returns the form name/incarnation.
func (r Replica) String() string {
	if r == (Replica{}) {
		return "-"
	}
	return fmt.Sprintf("%s/%016x", r.Node(), r.Incarnation())
}

// Compare orders replicas by name, then incarnation.
func (r Replica) Compare(o Replica) int {
	if r == o {
		return 0
	}
	a, b := r.id.Value(), o.id.Value()
	return cmp.Or(strings.Compare(a.node, b.node), cmp.Compare(a.incarnation, b.incarnation))
}

// A Dot names one mutation: a replica's nth, counted from 1.
type Dot struct {
	Replica Replica
	Seq     uint64
}

// String returns the form name/incarnation:sequence.
func (d Dot) String() string { return fmt.Sprintf("%v:%d", d.Replica, d.Seq) }

// Hash returns 64 bits that are another dot's too by no more than chance.
func (d Dot) Hash() uint64 { return mix(d.Replica.id.Value().hash + mix(d.Seq)) }

package node

import (
	"parking/lot/crdt"
	"parking/node/replicate"
)

// ways remembers by which way the latest mutations came into this replica: a ring
// of a word each, without pointers, that is made as it fills. It belongs to whoever
// has the store's lock.
type ways struct {
	blocks [maxWays / waysBlock]*[waysBlock]uint64
	n      uint64 // how many were ever added
}

const (
	maxWays   = crdt.DefaultLog
	waysBlock = 1 << 12

	// A word is a dot's hash, and in the low bits how it came: the origin, 1 added,
	// and whether what superseded it had come before.
	wayBits      = 4
	wayOvertaken = 1
)

func (w *ways) add(d crdt.Dot, by replicate.Origin, out crdt.Outcome) {
	word := d.Hash()&^(1<<wayBits-1) | uint64(by+1)<<1
	if out == crdt.Overtaken {
		word |= wayOvertaken
	}
	i := w.n % maxWays
	b := w.blocks[i/waysBlock]
	if b == nil {
		b = new([waysBlock]uint64)
		w.blocks[i/waysBlock] = b
	}
	b[i%waysBlock] = word
	w.n++
}

// way is how a mutation came.
type way struct {
	by        replicate.Origin
	overtaken bool
}

// of returns how those mutations came, without those that the ring has lost or
// never had; full tells that it has lost some. It looks through the whole ring.
func (w *ways) of(dots []crdt.Dot) (came map[crdt.Dot]way, full bool) {
	asked := make(map[uint64]crdt.Dot, len(dots))
	for _, d := range dots {
		asked[d.Hash()>>wayBits] = d
	}
	came = make(map[crdt.Dot]way, len(dots))
	for i := range min(w.n, maxWays) {
		word := w.blocks[i/waysBlock][i%waysBlock]
		if d, ok := asked[word>>wayBits]; ok {
			came[d] = way{replicate.Origin(word>>1&7) - 1, word&wayOvertaken != 0}
		}
	}
	return came, w.n > maxWays
}

package gates

import (
	"cmp"
	"hash/fnv"
	"slices"
	"strings"

	"parking/lot"
)

// A Host is one life of a node. A node that died and came back is another
// host, and holds no old claim.
type Host struct {
	Node        string
	Incarnation uint64
}

// Compare orders hosts by name, then incarnation.
func (h Host) Compare(o Host) int {
	return cmp.Or(strings.Compare(h.Node, o.Node), cmp.Compare(h.Incarnation, o.Incarnation))
}

// A Claim says that a host runs a gate. Each hand-over and each failover raises
// the gate's epoch by one.
type Claim struct {
	Host   Host
	Epoch  uint64
	Reason string // for people: "larry failed"
}

// Compare orders claims of one gate: the higher epoch wins, then the host.
func (c Claim) Compare(o Claim) int {
	return cmp.Or(cmp.Compare(c.Epoch, o.Epoch), c.Host.Compare(o.Host))
}

// Winner returns the highest of one gate's concurrent claims among those of
// living hosts, and false if there is none: then the gate is an orphan.
func Winner(claims []Claim, alive []Host) (Claim, bool) {
	var best Claim
	found := false
	for _, c := range claims {
		if slices.Contains(alive, c.Host) && (!found || c.Compare(best) > 0) {
			best, found = c, true
		}
	}
	return best, found
}

// Place assigns the gates 1..n. Standing gates stay where holders says; each
// orphan, in order, goes to the living host with the fewest gates, ties by
// rendezvous hashing (Thaler and Ravishankar 1998). The result is empty if
// nobody is alive.
func Place(n int, alive []Host, holders map[lot.GateID]Host) map[lot.GateID]Host {
	if len(alive) == 0 {
		return nil
	}
	load := make(map[Host]int, len(alive))
	out := make(map[lot.GateID]Host, n)
	for g := lot.GateID(1); int(g) <= n; g++ {
		if h, ok := holders[g]; ok && slices.Contains(alive, h) {
			out[g] = h
			load[h]++
		}
	}
	for g := lot.GateID(1); int(g) <= n; g++ {
		if _, standing := out[g]; standing {
			continue
		}
		h := slices.MinFunc(alive, func(a, b Host) int {
			return cmp.Or(cmp.Compare(load[a], load[b]), -cmp.Compare(weight(g, a), weight(g, b)), a.Compare(b))
		})
		out[g] = h
		load[h]++
	}
	return out
}

// A Move takes a gate from one host to another.
type Move struct {
	Gate     lot.GateID
	From, To Host
}

// Spread returns the fewest moves after which no host has two gates more than
// another.
func Spread(n int, alive []Host, holders map[lot.GateID]Host) []Move {
	at := Place(n, alive, holders)
	load := make(map[Host][]lot.GateID, len(alive))
	for g := lot.GateID(1); int(g) <= n; g++ {
		if h, ok := at[g]; ok {
			load[h] = append(load[h], g)
		}
	}
	var moves []Move
	byLoad := func(a, b Host) int {
		return cmp.Or(cmp.Compare(len(load[a]), len(load[b])), a.Compare(b))
	}
	for len(alive) > 1 {
		least, most := slices.MinFunc(alive, byLoad), slices.MaxFunc(alive, byLoad)
		if len(load[most])-len(load[least]) < 2 {
			break
		}
		last := len(load[most]) - 1
		g := load[most][last]
		load[most] = load[most][:last]
		load[least] = append(load[least], g)
		moves = append(moves, Move{g, most, least})
	}
	return moves
}

// weight is a host's rank for a gate, the same on every node and in every life
// of the host.
func weight(g lot.GateID, h Host) uint64 {
	f := fnv.New64a()
	_, _ = f.Write([]byte(h.Node))
	_, _ = f.Write([]byte{0, byte(g), byte(g >> 8)})
	x := f.Sum64() // FNV's high bits are weak in short strings: finish as MurmurHash3 does
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

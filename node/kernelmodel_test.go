package node

import (
	"cmp"
	"slices"

	"parking/lot"
	"parking/lot/crdt"
)

// kernelModel is what replicas should be, in the plainest way and apart from
// the kernel: a list of all mutations, and beside each replica the set of those
// it has seen. Everything else follows from these at every question: a value is
// live where it was seen and nothing that was seen superseded it.
type kernelModel struct {
	muts   []modelMutation // by number
	dots   map[crdt.Replica][]int32
	keys   map[modelKey]int32
	names  []modelKey
	values [][]int32 // of each key, the mutations that gave it a value
}

// modelKey is a plate or the key of a register.
type modelKey struct {
	register bool
	name     string
}

// modelMutation is a mutation as it was made, and what superseded it since.
type modelMutation struct {
	crdt.Mutation
	key     int32
	killers []int32
}

// seenSet is a set of mutations, by their numbers.
type seenSet []uint64

func (s seenSet) has(id int32) bool {
	return int(id>>6) < len(s) && s[id>>6]&(1<<(id&63)) != 0
}

func (s *seenSet) add(id int32) {
	for int(id>>6) >= len(*s) {
		*s = append(*s, 0)
	}
	(*s)[id>>6] |= 1 << (id & 63)
}

func (s *seenSet) remove(id int32) { (*s)[id>>6] &^= 1 << (id & 63) }

func (s *seenSet) union(o seenSet) {
	for len(*s) < len(o) {
		*s = append(*s, 0)
	}
	for i, w := range o {
		(*s)[i] |= w
	}
}

// without returns the members of s that are not in o.
func (s seenSet) without(o seenSet) seenSet {
	out := slices.Clone(s)
	for i := range min(len(s), len(o)) {
		out[i] &^= o[i]
	}
	return out
}

func (s seenSet) empty() bool {
	for _, w := range s {
		if w != 0 {
			return false
		}
	}
	return true
}

func (s seenSet) within(o seenSet) bool {
	for i, w := range s {
		if i < len(o) {
			w &^= o[i]
		}
		if w != 0 {
			return false
		}
	}
	return true
}

func (s seenSet) equal(o seenSet) bool { return s.within(o) && o.within(s) }

// newKernelModel returns an empty model, which writes where an old one did.
func newKernelModel(old *kernelModel) *kernelModel {
	return &kernelModel{muts: old.muts[:0], dots: make(map[crdt.Replica][]int32), keys: make(map[modelKey]int32)}
}

// key returns the number of what a mutation is about.
func (k *kernelModel) key(m *crdt.Mutation) int32 {
	if m.Kind == crdt.Register {
		return k.number(modelKey{true, m.Key})
	}
	return k.number(modelKey{false, string(m.Plate)})
}

func (k *kernelModel) number(name modelKey) int32 {
	n, ok := k.keys[name]
	if !ok {
		n = int32(len(k.names))
		k.keys[name] = n
		k.names, k.values = append(k.names, name), append(k.values, nil)
	}
	return n
}

// id returns the number of the mutation with that dot.
func (k *kernelModel) id(d crdt.Dot) (int32, bool) {
	all := k.dots[d.Replica]
	if d.Seq == 0 || d.Seq > uint64(len(all)) {
		return 0, false
	}
	return all[d.Seq-1], true
}

// add takes in a mutation that was made where live was live, and returns its
// number.
func (k *kernelModel) add(m crdt.Mutation, key int32, live []int32) int32 {
	id := int32(len(k.muts))
	k.muts = append(k.muts, modelMutation{Mutation: m, key: key})
	k.dots[m.Dot.Replica] = append(k.dots[m.Dot.Replica], id)
	for _, v := range live {
		k.muts[v].killers = append(k.muts[v].killers, id)
	}
	if m.Kind != crdt.Exit {
		k.values[key] = append(k.values[key], id)
	}
	return id
}

// superseded reports whether one who has seen that set has seen what superseded
// the mutation.
func (k *kernelModel) superseded(seen seenSet, id int32) bool {
	for _, by := range k.muts[id].killers {
		if seen.has(by) {
			return true
		}
	}
	return false
}

// live appends to out the key's values, in no order.
func (k *kernelModel) live(seen seenSet, key int32, out []int32) []int32 {
	for _, id := range k.values[key] {
		if seen.has(id) && !k.superseded(seen, id) {
			out = append(out, id)
		}
	}
	return out
}

// ranked returns the key's values, the winner first: by stamp, node, life.
func (k *kernelModel) ranked(seen seenSet, key int32) []int32 {
	ids := k.live(seen, key, nil)
	slices.SortFunc(ids, func(a, b int32) int {
		x, y := &k.muts[b], &k.muts[a]
		return cmp.Or(cmp.Compare(x.Stamp, y.Stamp),
			cmp.Compare(x.Dot.Replica.Node(), y.Dot.Replica.Node()),
			cmp.Compare(x.Dot.Replica.Incarnation(), y.Dot.Replica.Incarnation()),
			cmp.Compare(x.Dot.Seq, y.Dot.Seq))
	})
	return ids
}

// vehicle returns a plate's vehicle.
func (k *kernelModel) vehicle(seen seenSet, key int32) (v lot.Vehicle, in bool) {
	for i, id := range k.ranked(seen, key) {
		m := &k.muts[id]
		e := lot.Entry{Gate: m.Gate, Node: m.Dot.Replica.Node(), Since: m.Since()}
		if i == 0 {
			v, in = lot.Vehicle{Plate: m.Plate, Entry: e}, true
		} else {
			v.Conflicts = append(v.Conflicts, e)
		}
	}
	return v, in
}

package crdt

import "math/bits"

// dotSet is a set of dots, 64 neighbours to a word: a replica's live dots mostly
// stand close together, and sets of them are made at every join of a state.
type dotSet map[Dot]uint64

// add puts d into the set and reports whether it was new.
func (s dotSet) add(d Dot) bool {
	word, bit := d.word()
	set := s[word]
	s[word] = set | bit
	return set&bit == 0
}

func (s dotSet) has(d Dot) bool {
	word, bit := d.word()
	return s[word]&bit != 0
}

func (d Dot) word() (word Dot, bit uint64) {
	return Dot{d.Replica, d.Seq >> 6}, 1 << (d.Seq & 63)
}

// all yields each dot, in no order.
func (s dotSet) all(yield func(Dot) bool) {
	for word, set := range s {
		for ; set != 0; set &= set - 1 {
			if !yield(Dot{word.Replica, word.Seq<<6 + uint64(bits.TrailingZeros64(set))}) {
				return
			}
		}
	}
}

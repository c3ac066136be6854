package crdt

// dotSet is a set of dots, 64 neighbours to a word: a replica's live dots mostly
// stand close together, and sets of them are made at every join of a state.
type dotSet map[Dot]uint64

// add puts d into the set and reports whether it was new.
func (s dotSet) add(d Dot) bool {
	word, bit := d.word()
	bits := s[word]
	s[word] = bits | bit
	return bits&bit == 0
}

func (s dotSet) has(d Dot) bool {
	word, bit := d.word()
	return s[word]&bit != 0
}

func (d Dot) word() (word Dot, bit uint64) {
	return Dot{d.Replica, d.Seq >> 6}, 1 << (d.Seq & 63)
}

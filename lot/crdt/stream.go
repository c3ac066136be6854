package crdt

import (
	"cmp"
	"fmt"
	"maps"
	mathbits "math/bits"
	"slices"

	"parking/lot/wire"
)

// chunkItems is how many live values, or dots, one chunk carries.
const chunkItems = 4096

// Chunks yields the state for its peer, in parts of bounded size: the version in
// the first, of what the peer has seen only the dots.
func (s *State) Chunks(yield func(*wire.StateChunk) bool) {
	chunk := &wire.StateChunk{Version: EncodeVersion(s.Version)}
	flush := func() bool {
		ok := yield(chunk)
		chunk = &wire.StateChunk{}
		return ok
	}
	if len(s.registers) > 0 {
		chunk.Live = Encode(s.registers)
	}
	for part := range slices.Chunk(s.early, chunkItems) {
		chunk.Early = encodeDots(part)
		if !flush() {
			return
		}
	}
	var live []uint32
	var held []Dot
	for n, r := range s.entries.all {
		if dot := s.entries.dot(r); s.peer.Contains(dot) {
			held = append(held, dot)
		} else {
			live = append(live, n)
		}
		if len(live)+len(held) >= chunkItems {
			if chunk.Live != nil && !flush() { // the registers
				return
			}
			s.fill(chunk, live, held)
			if live, held = live[:0], held[:0]; !flush() {
				return
			}
		}
	}
	if chunk.Live != nil && len(live) > 0 && !flush() {
		return
	}
	s.fill(chunk, live, held)
	flush()
}

// fill packs entries and dots, each in the order of their dots, which makes them
// short.
func (s *State) fill(c *wire.StateChunk, live []uint32, held []Dot) {
	if len(live) > 0 {
		slices.SortFunc(live, func(a, b uint32) int {
			x, y := s.entries.at(a), s.entries.at(b)
			return cmp.Or(cmp.Compare(x.replica, y.replica), cmp.Compare(x.seqGate, y.seqGate))
		})
		var p packer
		p.reset()
		for _, n := range live {
			r := s.entries.at(n)
			p.add(&Mutation{
				Dot: s.entries.dot(r), Stamp: r.stamp, Kind: Entry, Plate: s.entries.plate(n), Gate: r.gate(), Wall: r.wall,
			})
		}
		c.Live = p.append(make([]byte, 0, p.size()))
	}
	if len(held) > 0 {
		c.Held = encodeDots(held)
	}
}

// A Stager gathers the chunks of one state. Nothing of it is visible in a
// document before all are there; a transfer that breaks off is thrown away
// with its stager.
type Stager struct {
	state   State
	dots    dotSet // of registers and early removals: none may come twice
	started bool
}

// maxStaged bounds the live values and dots of one state.
const maxStaged = 1 << 24

// Add checks the next chunk and keeps its content.
func (st *Stager) Add(c *wire.StateChunk) (err error) {
	s := &st.state
	if !st.started {
		if c.GetVersion() == nil {
			return malformed("a state without a version")
		}
		if s.Version, err = DecodeVersion(c.GetVersion()); err != nil {
			return err
		}
		st.started, st.dots, s.held, s.entries = true, make(dotSet), make(dotSet), newEntries()
	}
	if err := st.live(c.GetLive()); err != nil {
		return err
	}
	held, err := decodeDots(c.GetHeld())
	if err != nil {
		return err
	}
	for _, dot := range held {
		if !s.Version.Contains(dot) {
			return malformed("%v is live but not in the context", dot)
		}
		if s.entries.find(dot) != 0 || st.dots.has(dot) || !s.held.add(dot) {
			return malformed("%v twice in a state", dot)
		}
	}
	early, err := decodeDots(c.GetEarly())
	if err != nil {
		return err
	}
	for _, dot := range early {
		if s.Version.Contains(dot) {
			return malformed("%v is an early removal and in the context", dot)
		}
		if !st.dots.add(dot) {
			return malformed("%v twice in a state", dot)
		}
	}
	s.early = append(s.early, early...)
	if n := s.Len() + len(s.early); n > maxStaged {
		return malformed("a state of %d values", n)
	}
	return nil
}

// live keeps packed live values.
func (st *Stager) live(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	s := &st.state
	r, err := newReader(data)
	if err != nil {
		return err
	}
	var m Mutation
	var sups []Dot
	for len(r.text) > 0 {
		known, err := r.next(&m, &sups)
		switch {
		case err != nil:
			return err
		case !known:
			return ErrNewer
		case m.Kind == Exit || len(m.Supersedes) > 0:
			return malformed("%v is no live value", m.Dot)
		case !s.Version.Contains(m.Dot):
			return malformed("%v is live but not in the context", m.Dot)
		case s.entries.find(m.Dot) != 0 || s.held.has(m.Dot) || st.dots.has(m.Dot):
			return malformed("%v twice in a state", m.Dot)
		}
		if m.Kind == Register {
			st.dots.add(m.Dot)
			s.registers = append(s.registers, m)
		} else {
			s.entries.add(m.Dot, m.Stamp, m.Wall, m.Plate, m.Gate)
		}
	}
	return nil
}

// Started reports whether a chunk was added.
func (st *Stager) Started() bool { return st.started }

// State returns what was gathered.
func (st *Stager) State() *State { return &st.state }

// encodeDots packs dots like mutations that are nothing else; it sorts them.
func encodeDots(dots []Dot) []byte {
	slices.SortFunc(dots, func(a, b Dot) int {
		return cmp.Or(a.Replica.Compare(b.Replica), cmp.Compare(a.Seq, b.Seq))
	})
	var p packer
	p.reset()
	for _, d := range dots {
		var head byte
		i := len(p.body)
		p.body = p.dot(append(p.body, 0), &head, d)
		p.body[i] = head
	}
	return p.append(make([]byte, 0, p.size()))
}

// decodeDots checks packed dots and returns them.
func decodeDots(data []byte) ([]Dot, error) {
	if len(data) == 0 {
		return nil, nil
	}
	r, err := newReader(data)
	if err != nil {
		return nil, err
	}
	dots := make([]Dot, 0, len(r.text))
	for len(r.text) > 0 {
		head := r.take(1)
		if head[0]&^headDot != 0 {
			return nil, malformed("head of a dot")
		}
		d, err := r.dot(head[0] != 0)
		if err != nil {
			return nil, err
		}
		dots = append(dots, d)
	}
	return dots, nil
}

// Believe refuses a mutation whose dot is of this very replica, which never
// issued it. Of another's mutation it takes out what that supersedes and cannot
// have been: the rest can be joined, or one forgery would leave a gap for ever.
// The slice that m came with is not written to: a copy of m may have it, too.
// And it tells which plate an exit is of, where its entry is here.
func (d *Document) Believe(m *Mutation) error {
	if err := d.checkIssued(m.Dot); err != nil {
		return err
	}
	unissued := func(s Dot) bool { return d.checkIssued(s) != nil }
	if slices.ContainsFunc(m.Supersedes, unissued) {
		m.Supersedes = slices.DeleteFunc(slices.Clone(m.Supersedes), unissued)
	}
	if m.Kind == Exit && m.Plate == "" {
		for _, s := range m.Supersedes {
			if n := d.entries.find(s); n != 0 {
				m.Plate = d.entries.plate(n)
				break
			}
		}
	}
	return nil
}

// BelieveState takes out of a state what it claims of dots of this very replica
// which it never issued; the error says that there was such. The rest can be
// joined: what is not in a state's version does not count. Of a state that is
// for another document nothing is left.
func (d *Document) BelieveState(s *State) (forged error) {
	for word, bits := range s.held {
		for ; bits != 0; bits &= bits - 1 {
			if dot := (Dot{word.Replica, word.Seq<<6 + uint64(mathbits.TrailingZeros64(bits))}); !d.seen.Contains(dot) {
				*s = State{entries: newEntries()}
				return malformed("a state without %v, for one that has seen it", dot)
			}
		}
	}
	unissued := func(dot Dot) bool {
		err := d.checkIssued(dot)
		if err != nil {
			forged = err
		}
		return err != nil
	}
	unissued(Dot{d.self, s.Version.rows[d.self].Last()})
	s.Version = d.issuedOf(s.Version)
	s.early = slices.DeleteFunc(s.early, unissued)
	return forged
}

// issuedOf returns v, which another replica claims to have seen, without the
// dots of this very replica that it never issued.
func (d *Document) issuedOf(v Version) Version {
	claimed, issued := v.rows[d.self], d.seen.rows[d.self]
	if claimed.Last() <= issued.Max() {
		return v
	}
	v = Version{rows: maps.Clone(v.rows)}
	if v.rows[d.self] = claimed.Meet(issued); len(v.rows[d.self]) == 0 {
		delete(v.rows, d.self)
	}
	return v
}

func (d *Document) checkIssued(dot Dot) error {
	if dot.Replica == d.self && dot.Seq > d.seen.Max(d.self) {
		return fmt.Errorf("%w: %v was never issued", ErrForged, dot)
	}
	return nil
}

package crdt

import (
	"maps"
	"slices"

	"parking/lot/wire"
)

// chunkItems is how many live values, or early removals, one chunk carries.
const chunkItems = 4096

// Chunks yields the state in parts of bounded size, the version in the first.
func (s *State) Chunks(yield func(*wire.StateChunk) bool) {
	var t table
	sent := 0 // rows of t that earlier chunks carried
	chunk := &wire.StateChunk{Version: EncodeVersion(s.Version)}
	flush := func() bool {
		chunk.Replicas = t.rows[sent:]
		sent = len(t.rows)
		ok := yield(chunk)
		chunk = &wire.StateChunk{}
		return ok
	}
	for i := range s.Live {
		chunk.Live = append(chunk.Live, t.mutation(&s.Live[i]))
		if len(chunk.Live) == chunkItems && !flush() {
			return
		}
	}
	for _, dot := range s.Early {
		chunk.Early = append(chunk.Early, t.dot(dot))
		if len(chunk.Early) == chunkItems && !flush() {
			return
		}
	}
	flush()
}

// A Stager gathers the chunks of one state. Nothing of it is visible in a
// document before all are there; a transfer that breaks off is thrown away
// with its stager.
type Stager struct {
	state   State
	reps    []Replica
	dots    dotSet // live or early: none may come twice
	started bool
}

// maxStaged bounds the live values and early removals of one state.
const maxStaged = 1 << 24

// Add checks the next chunk and keeps its content.
func (st *Stager) Add(c *wire.StateChunk) (err error) {
	if !st.started {
		if c.GetVersion() == nil {
			return malformed("a state without a version")
		}
		if st.state.Version, err = DecodeVersion(c.GetVersion()); err != nil {
			return err
		}
		st.started, st.dots = true, make(dotSet)
	}
	if st.reps, err = decodeReplicas(st.reps, c.GetReplicas()); err != nil {
		return err
	}
	if n := len(st.state.Live) + len(st.state.Early) + len(c.GetLive()) + len(c.GetEarly()); n > maxStaged {
		return malformed("a state of %d values", n)
	}
	for _, w := range c.GetLive() {
		m, known, err := decodeMutation(st.reps, w)
		if err != nil {
			return err
		}
		switch {
		case !known || m.Kind == Exit || len(m.Supersedes) > 0:
			return malformed("%v is no live value", m.Dot)
		case !st.state.Version.Contains(m.Dot):
			return malformed("%v is live but not in the context", m.Dot)
		case !st.dots.add(m.Dot):
			return malformed("%v twice in a state", m.Dot)
		}
		st.state.Live = append(st.state.Live, m)
	}
	for _, w := range c.GetEarly() {
		dot, err := decodeDot(st.reps, w)
		if err != nil {
			return err
		}
		switch {
		case st.state.Version.Contains(dot):
			return malformed("%v is an early removal and in the context", dot)
		case !st.dots.add(dot):
			return malformed("%v twice in a state", dot)
		}
		st.state.Early = append(st.state.Early, dot)
	}
	return nil
}

// Started reports whether a chunk was added.
func (st *Stager) Started() bool { return st.started }

// State returns what was gathered.
func (st *Stager) State() *State { return &st.state }

// Believe refuses a mutation whose dot is of this very replica, which never
// issued it. Of another's mutation it takes out what that supersedes and cannot
// have been: the rest can be joined, or one forgery would leave a gap for ever.
// The slice that m came with is not written to: a copy of m may have it, too.
func (d *Document) Believe(m *Mutation) error {
	if err := d.checkIssued(m.Dot); err != nil {
		return err
	}
	unissued := func(s Dot) bool { return d.checkIssued(s) != nil }
	if slices.ContainsFunc(m.Supersedes, unissued) {
		m.Supersedes = slices.DeleteFunc(slices.Clone(m.Supersedes), unissued)
	}
	return nil
}

// BelieveState takes out of a state what it claims of dots of this very replica
// which it never issued; the error says that there was such. The rest can be
// joined.
func (d *Document) BelieveState(s *State) (forged error) {
	unissued := func(dot Dot) bool {
		err := d.checkIssued(dot)
		if err != nil {
			forged = err
		}
		return err != nil
	}
	own := s.Version.rows[d.self]
	unissued(Dot{d.self, max(own.max, slices.Max(append(own.sortedCloud(), 0)))})
	s.Version = d.issuedOf(s.Version)
	s.Live = slices.DeleteFunc(s.Live, func(m Mutation) bool { return unissued(m.Dot) })
	s.Early = slices.DeleteFunc(s.Early, unissued)
	return forged
}

// issuedOf returns v, which another replica claims to have seen, without the
// dots of this very replica that it never issued.
func (d *Document) issuedOf(v Version) Version {
	own, claimed := v.rows[d.self]
	issued := d.seen.Max(d.self)
	if !claimed || own.max <= issued && len(own.cloud) == 0 {
		return v
	}
	v = v.clone()
	own = v.rows[d.self]
	delete(v.rows, d.self)
	own.max = min(own.max, issued)
	maps.DeleteFunc(own.cloud, func(seq uint64, _ struct{}) bool { return seq > issued })
	if own.max > 0 || len(own.cloud) > 0 {
		v.rows[d.self] = own
	}
	return v
}

func (d *Document) checkIssued(dot Dot) error {
	if dot.Replica == d.self && dot.Seq > d.seen.Max(d.self) {
		return malformed("%v was never issued", dot)
	}
	return nil
}

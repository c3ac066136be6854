package crdt

import (
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

// Check refuses a mutation that claims dots of this very replica which it
// never issued.
func (d *Document) Check(m *Mutation) error {
	if err := d.checkIssued(m.Dot); err != nil {
		return err
	}
	for _, s := range m.Supersedes {
		if err := d.checkIssued(s); err != nil {
			return err
		}
	}
	return nil
}

// CheckState refuses a state that claims dots of this very replica which it
// never issued.
func (d *Document) CheckState(s *State) error {
	own := s.Version.rows[d.self]
	highest := own.max
	for seq := range own.cloud {
		highest = max(highest, seq)
	}
	if err := d.checkIssued(Dot{d.self, highest}); err != nil {
		return err
	}
	for _, dot := range s.Early {
		if err := d.checkIssued(dot); err != nil {
			return err
		}
	}
	return nil
}

func (d *Document) checkIssued(dot Dot) error {
	if dot.Replica == d.self && dot.Seq > d.seen.Max(d.self) {
		return malformed("%v was never issued", dot)
	}
	return nil
}

package verdict

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"time"

	"parking/lot"
	"parking/lot/spans"
	"parking/node/history"
)

// model is the plain model: all changes that the histories tell, and when each
// node had seen which.
type model struct {
	lives  []history.Life
	number map[history.Life]int
	tapes  []tape // by number

	ops    []op
	plates []lot.Plate
	plate  map[lot.Plate]int32
	order  []int32 // entries and exits by plate, life, place
	begin  []int32 // of each plate in order; one more at the end
	sets   []int32 // settings

	bound uint64 // what has a lower stamp cannot be judged: something was cut off
}

// tape is what is known of one life.
type tape struct {
	history *history.History // nil: none was found
	own     []int32          // its changes in ops, by sequence number
	first   uint64           // the sequence number of the first
	seen    [][]seen         // by number: what it saw of that life
	made    bool             // somebody has seen a change of it
}

// seen are changes that came at one place of a history.
type seen struct {
	spans.Span
	place int
}

// op is one change.
type op struct {
	life    int32
	plate   int32 // -1: none
	seq     uint64
	place   int // in its history
	kind    history.Kind
	founded bool
	gated   bool // let in by a gate
	gate    lot.GateID
	stamp   uint64
	real    time.Time
	text    string // of a setting
	value   int
}

func build(histories []history.History, states []State) *model {
	m := &model{number: make(map[history.Life]int), plate: make(map[lot.Plate]int32)}
	for i := range histories {
		h := &histories[i]
		m.tapes[m.num(h.Life)].history = h
	}
	for i := range histories {
		m.read(&histories[i])
	}
	for i := range histories {
		m.gated(&histories[i])
	}
	m.index()
	for i := range m.tapes {
		for n, s := range m.tapes[i].seen {
			m.tapes[n].made = m.tapes[n].made || len(s) > 0
		}
	}
	for i := range states {
		m.num(states[i].Life)
		for l, s := range states[i].Seen {
			if n := m.num(l); len(s) > 0 {
				m.tapes[n].made = true
			}
		}
	}
	for i := range m.lives {
		m.bound = max(m.bound, m.boundOf(i))
	}
	return m
}

// num returns the number of a life, a new one if it has none.
func (m *model) num(l history.Life) int {
	n, ok := m.number[l]
	if !ok {
		n = len(m.lives)
		m.number[l] = n
		m.lives = append(m.lives, l)
		m.tapes = append(m.tapes, tape{})
	}
	return n
}

func (m *model) read(h *history.History) {
	self := m.num(h.Life)
	defer func() {
		for _, all := range m.tapes[self].seen {
			slices.SortFunc(all, func(a, b seen) int { return cmp.Compare(a.First, b.First) })
		}
	}()
	covered := make(map[int]*spans.Set)
	for place := range h.Records {
		r := &h.Records[place]
		switch r.Kind {
		case history.Saw:
			if len(m.lives) >= maxLives {
				if _, known := m.number[r.Life]; !known {
					h.Damaged = true
					return
				}
			}
			from := m.num(r.Life)
			set := covered[from]
			if set == nil {
				set = new(spans.Set)
				covered[from] = set
			}
			t := &m.tapes[self]
			for len(t.seen) <= from {
				t.seen = append(t.seen, nil)
			}
			for _, s := range set.Add(spans.Span{First: r.First, Last: r.Last}) {
				t.seen[from] = append(t.seen[from], seen{s, place})
			}
		case history.Entered, history.Exited, history.Set, history.Wrote:
			o := op{
				life: int32(self), plate: -1, seq: r.First, place: place, kind: r.Kind, gate: r.Gate,
				stamp: r.Stamp, real: r.Real, text: r.Text, value: r.Count, founded: r.Code == history.Founding,
			}
			if r.Kind == history.Entered || r.Kind == history.Exited {
				o.plate = m.intern(r.Plate)
			}
			t := &m.tapes[self]
			if len(t.own) == 0 {
				t.first = r.First
			}
			if r.First != t.first+uint64(len(t.own)) { // a damaged history: what follows is not to be relied on
				h.Damaged = true
				return
			}
			t.own = append(t.own, int32(len(m.ops)))
			m.ops = append(m.ops, o)
			if r.Kind == history.Set {
				m.sets = append(m.sets, int32(len(m.ops)-1))
			}
		}
	}
}

func (m *model) intern(p lot.Plate) int32 {
	i, ok := m.plate[p]
	if !ok {
		i = int32(len(m.plates))
		m.plate[p] = i
		m.plates = append(m.plates, p)
	}
	return i
}

// gated marks the entries that gates have let in.
func (m *model) gated(h *history.History) {
	for i := range h.Records {
		r := &h.Records[i]
		if r.Kind != history.Answered || r.Code != "" || r.Text != GateEnter {
			continue
		}
		for seq := r.First; seq <= min(r.Last, r.First+1); seq++ {
			if o := m.find(m.num(r.Life), seq); o != nil && o.kind == history.Entered {
				o.gated = true
			}
		}
	}
}

// GateEnter is the text of an answer to who was sent in through a gate.
const GateEnter = "gate enter"

// index sorts the changes of each plate.
func (m *model) index() {
	for i := range m.ops {
		if m.ops[i].plate >= 0 {
			m.order = append(m.order, int32(i))
		}
	}
	slices.SortFunc(m.order, func(a, b int32) int {
		x, y := &m.ops[a], &m.ops[b]
		return cmp.Or(cmp.Compare(x.plate, y.plate), cmp.Compare(x.life, y.life), cmp.Compare(x.place, y.place))
	})
	m.begin = make([]int32, len(m.plates)+1)
	at := int32(0)
	for p := range m.plates {
		m.begin[p] = at
		for int(at) < len(m.order) && m.ops[m.order[at]].plate == int32(p) {
			at++
		}
	}
	m.begin[len(m.plates)] = at
}

// of returns the changes of a plate, by life and place.
func (m *model) of(plate int32) []int32 { return m.order[m.begin[plate]:m.begin[plate+1]] }

// boundOf returns the stamp below which changes of that life may be missing.
func (m *model) boundOf(n int) uint64 {
	t := &m.tapes[n]
	h := t.history
	switch {
	case h == nil:
		if t.made {
			return math.MaxUint64
		}
		return 0
	case h.Damaged || h.Full:
		return math.MaxUint64
	case h.Cut == 0:
		return 0
	case len(t.own) == 0:
		if t.made {
			return math.MaxUint64
		}
		return 0
	}
	return m.ops[t.own[0]].stamp
}

// find returns a change, or nil if no history tells it. It may be written to
// until the model is built.
func (m *model) find(life int, seq uint64) *op {
	t := &m.tapes[life]
	if seq < t.first || seq-t.first >= uint64(len(t.own)) {
		return nil
	}
	return &m.ops[t.own[seq-t.first]]
}

// sawAt returns where in its history the life saw a change; never is behind all.
func (m *model) sawAt(life int32, o *op) int {
	if life == o.life {
		return o.place
	}
	return m.tapes[life].sawAt(o.life, o.seq)
}

func (t *tape) sawAt(of int32, seq uint64) int {
	if int(of) >= len(t.seen) {
		return never
	}
	all := t.seen[of]
	i, _ := slices.BinarySearchFunc(all, seq, func(e seen, seq uint64) int {
		if e.First <= seq {
			return -1
		}
		return 1
	})
	if i == 0 || all[i-1].Last < seq {
		return never
	}
	return all[i-1].place
}

const never = math.MaxInt

// maxLives bounds the lives that are told of.
const maxLives = 1 << 14

// sawBefore reports whether the node that made x had seen e by then.
func (m *model) sawBefore(x, e *op) bool { return x != e && m.sawAt(x.life, e) < x.place }

// removers returns the changes that took entry e out: those that were made by a
// node that had seen e, and had not seen another that took it out. Of each
// node's changes of the plate that is the first after it saw e at most.
func (m *model) removers(e *op) (out []*op) {
	all := m.of(e.plate)
	for len(all) > 0 {
		life := m.ops[all[0]].life
		end := sort.Search(len(all), func(i int) bool { return m.ops[all[i]].life > life })
		mine := all[:end]
		all = all[end:]
		after := m.sawAt(life, e)
		if i := sort.Search(len(mine), func(i int) bool { return m.ops[mine[i]].place > after }); i < len(mine) {
			out = append(out, &m.ops[mine[i]])
		}
	}
	if len(out) < 2 {
		return out
	}
	slices.SortFunc(out, func(a, b *op) int { return cmp.Compare(a.stamp, b.stamp) }) // causes come first
	took := out[:0]
	for _, x := range out {
		if !slices.ContainsFunc(took, func(r *op) bool { return m.sawBefore(x, r) }) {
			took = append(took, x)
		}
	}
	return took
}

// remover returns a change that took entry e out, among those that has says are
// there, or nil.
func (m *model) remover(e *op, has func(*op) bool) *op {
	for _, x := range m.removers(e) {
		if has(x) {
			return x
		}
	}
	return nil
}

// event is a change as it is told.
func (m *model) event(o *op) Event {
	e := Event{At: o.real, Node: m.lives[o.life].Node}
	switch o.kind {
	case history.Entered:
		e.Text = quoted(m.plates[o.plate]) + " came in"
	case history.Exited:
		e.Text = quoted(m.plates[o.plate]) + " went out"
	case history.Set:
		e.Text = "set " + o.text
	default:
		e.Text = "a change of its own"
	}
	return e
}

// name is how a life is told: by its node's name.
func (m *model) name(o *op) string { return m.lives[o.life].Node }

func quoted(p lot.Plate) string { return string(p) }

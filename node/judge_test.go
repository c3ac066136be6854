package node_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"parking/lot"
	"parking/lot/crdt"
	"parking/node/verdict"
)

// judge tells what is wrong with a cluster that agrees: its lot is not what its
// users were told.
func judge(s *sim) []string {
	nodes := s.living()
	now := nodes[0].Lot()
	for _, n := range nodes[1:] {
		if theirs := n.Lot(); !maps.EqualFunc(now, theirs, sameDots) {
			s.t.Errorf("%s and %s have the same digest and other lots: %v, %v", nodes[0].Name(), n.Name(), now, theirs)
		}
	}
	wrong := s.model.agreed(now, nodes[0].Version(), nodes[0].Spaces(), nodes[0].Gates())
	return append(wrong, verdictOn(s, nodes[s.sum.stretches%len(nodes)])...)
}

// verdictOn tells what the product's own verdict finds that is not allowed. It goes
// by the histories of the nodes, and knows nothing of the test.
func verdictOn(s *sim, n *lively) (wrong []string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := n.Verdict(ctx)
	if err != nil {
		return []string{"no verdict: " + err.Error()}
	}
	for _, c := range r.Checks {
		for _, f := range c.Findings {
			if f.Level != verdict.Allowed {
				wrong = append(wrong, fmt.Sprintf("verdict at %s: %s, %s: %s %v", n.Name(), c.Name, f.Level, f.Text, f.Events))
			}
		}
	}
	s.sum.verdicts[r.Outcome]++
	return wrong
}

func sameDots(a, b []crdt.Dot) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(d crdt.Dot) bool { return !slices.Contains(b, d) })
}

// model is a plain account of a lot: what its users were told since all nodes
// were last known to agree, and what was in the lot then. It knows of no kernel
// but what each node's user could read.
type model struct {
	mu    sync.Mutex
	all   []*told
	base  map[lot.Plate][]crdt.Dot // what all agreed on
	lost  map[crdt.Dot]bool        // of those: died with all who had it
	seen  crdt.Version             // by all, then
	brief bool                     // logs are
	gone  map[crdt.Dot]bool        // what was in a lot, or told so, and is not any more

	spaces, gates []int // what was set, or all agreed on
	wrong         []string
}

func newModel() *model {
	return &model{
		base: make(map[lot.Plate][]crdt.Dot), lost: make(map[crdt.Dot]bool), gone: make(map[crdt.Dot]bool),
		spaces: []int{100}, gates: []int{4},
	}
}

func (m *model) broken(format string, args ...any) {
	m.wrong = append(m.wrong, fmt.Sprintf(format, args...))
}

func (m *model) begin(x *told) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all = append(m.all, x)
}

// ended judges what can be judged at once: what a request's own node shows.
func (m *model) ended(x *told) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !x.answered {
		return
	}
	kind := crdt.Entry
	if x.out {
		kind = crdt.Exit
	}
	knew := make(map[crdt.Dot]bool)
	for _, t := range x.before {
		knew[t.Dot] = t.Told
	}
	if x.err == nil {
		for _, t := range x.after {
			own := t.Dot.Replica.Node() == x.at.Name()
			if t.Kind == kind && t.Told && !knew[t.Dot] && (x.byGate || own) {
				x.made = append(x.made, t.Dot)
			}
		}
		// An exit tells no plate to who does not know the entry that it ends, and
		// is forgotten once the log is full of others. So is an entry that was ended.
		forgotten := m.brief && (x.out || x.byGate && m.exited(x))
		if len(x.made) == 0 && !forgotten && (!x.out || !x.byGate || x.only && len(live(x.before)) > 0) {
			m.broken("accepted, and its own node does not show it: %v", x)
		}
		if x.out && !x.byGate {
			for _, d := range live(x.before) {
				if slices.Contains(live(x.after), d) {
					m.broken("exit accepted, and %v is still in the lot there: %v", d, x)
				}
			}
		}
		return
	}
	moment := x.begin.Equal(x.end)
	in0, in1 := len(live(x.before)) > 0, len(live(x.after)) > 0
	switch code := lot.CodeOf(x.err); {
	case code == lot.Present && !x.out && x.only && !m.entered(x):
		m.broken("refused as present, and nobody ever entered it: %v", x)
	case code == lot.Present && !x.byGate && !in0 && !in1 && (moment || x.only):
		m.broken("refused as present, and it was not in the lot there: %v", x)
	case code == lot.Absent && !x.byGate && in0 && in1 && (moment || x.only):
		m.broken("refused as absent, and it was in the lot there: %v", x)
	case code == lot.Absent && x.byGate && x.only && m.everywhere(x):
		m.broken("refused as absent, and it was in every lot: %v", x)
	case code == lot.Range && int(x.gate) <= min(x.range0[0], x.range0[1]):
		m.broken("refused for its gate, of %v gates: %v", x.range0, x)
	case code == lot.Full && (!x.byGate || x.out || !x.wasFull):
		m.broken("refused as full, and no lot was: %v", x)
	case code == lot.Unknown && x.ack > 0: // it is recorded there, and others may have it
	case code != lot.Present && code != lot.Absent && code != lot.Range && !x.byGate:
		m.broken("refused for no reason that its own node could have: %v", x)
	}
}

// held judges a write that was to be answered once other nodes had it.
func (m *model) held(x *told, had int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(x.made) > 0 && had <= x.ack {
		m.broken("accepted, and only %d nodes have it: %v", had, x)
	}
}

// entered reports whether somebody else asked to enter x's plate.
func (m *model) entered(x *told) bool {
	return len(m.base[x.plate]) > 0 || slices.ContainsFunc(m.all, func(o *told) bool { return o != x && o.plate == x.plate && !o.out })
}

// exited reports whether someone asked for an exit of x's plate while x was asked.
func (m *model) exited(x *told) bool {
	return slices.ContainsFunc(m.all, func(o *told) bool {
		return o.plate == x.plate && o.out && (o.end.IsZero() || !o.end.Before(x.begin))
	})
}

// everywhere reports whether x's plate was in every lot when all agreed, and
// nobody but x asked to send it out since.
func (m *model) everywhere(x *told) bool {
	return len(m.base[x.plate]) > 0 && !m.lost[m.base[x.plate][0]] &&
		!slices.ContainsFunc(m.all, func(o *told) bool { return o != x && o.plate == x.plate && o.out })
}

// dies notes what goes with a node: whatever it has and none of those that stay.
func (m *model) dies(n *lively, stay []*lively) {
	m.mu.Lock()
	defer m.mu.Unlock()
	versions := make([]crdt.Version, len(stay))
	for i, o := range stay {
		versions[i] = o.Version()
	}
	had := n.Version()
	goes := func(d crdt.Dot) bool {
		return had.Contains(d) && !slices.ContainsFunc(versions, func(v crdt.Version) bool { return v.Contains(d) })
	}
	covers := func(v crdt.Version) bool { return v.Covers(m.seen) }
	if covers(had) && !slices.ContainsFunc(versions, covers) { // settings too: the rest founds anew
		m.spaces, m.gates = append(m.spaces, 100), append(m.gates, 4)
	}
	for _, x := range m.all {
		if slices.ContainsFunc(x.made, goes) {
			x.lost = true
		}
	}
	for _, dots := range m.base {
		for _, d := range dots {
			if goes(d) {
				m.lost[d] = true
			}
		}
	}
}

// agreed judges what all nodes agree on, and takes it for what is known from
// now on. It returns what is wrong.
func (m *model) agreed(now map[lot.Plate][]crdt.Dot, seen crdt.Version, spaces lot.Spaces, gates int) (wrong []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	by := make(map[lot.Plate][]*told)
	for _, x := range m.all {
		by[x.plate] = append(by[x.plate], x)
	}
	in := make(map[crdt.Dot]bool)
	for _, dots := range now {
		for _, d := range dots {
			in[d] = true
		}
	}
	story := func(p lot.Plate) (s string) {
		for _, x := range by[p] {
			s += "\n    " + x.String()
		}
		return s + fmt.Sprintf("\n    in the lot before: %v, now: %v", m.base[p], now[p])
	}
	stays := func(p lot.Plate, d crdt.Dot, asked time.Time) {
		if !in[d] && !slices.ContainsFunc(by[p], func(x *told) bool { return x.couldSee(d, asked) }) {
			m.broken("the entry %v of %s was lost:%s", d, p, story(p))
		}
	}
	for p, dots := range m.base {
		for _, d := range dots {
			if !m.lost[d] {
				stays(p, d, time.Time{})
			}
		}
	}
	for _, x := range m.all {
		switch {
		case !x.accepted() || x.lost:
		case !x.out && len(x.made) == 1:
			stays(x.plate, x.made[0], x.begin)
		case x.out:
			for _, d := range live(x.before) {
				if in[d] && (!x.byGate || !slices.Contains(live(x.after), d)) {
					m.broken("an exit was undone, the entry %v is in the lot again: %v%s", d, x, story(x.plate))
				}
			}
		}
	}
	for p, dots := range now {
		for _, d := range dots {
			if m.gone[d] {
				m.broken("the entry %v of %s had left long ago:%s", d, p, story(p))
			}
			if !slices.Contains(m.base[p], d) && !slices.ContainsFunc(by[p], func(x *told) bool {
				return !x.out && !x.refused() && (len(x.made) == 0 || slices.Contains(x.made, d))
			}) {
				m.broken("nobody entered %v of %s:%s", d, p, story(p))
			}
		}
	}
	if spaces.Taken != len(now) {
		m.broken("%d spaces are taken by %d vehicles", spaces.Taken, len(now))
	}
	if !slices.Contains(m.spaces, spaces.Total) || !slices.Contains(m.gates, gates) {
		m.broken("%d spaces and %d gates; set were %v and %v", spaces.Total, gates, m.spaces, m.gates)
	}
	for _, dots := range m.base {
		for _, d := range dots {
			m.gone[d] = !in[d] && !m.lost[d] || m.gone[d]
		}
	}
	for _, x := range m.all {
		for _, d := range x.made {
			if !x.out && !in[d] && !x.lost {
				m.gone[d] = true
			}
		}
	}
	// What a call that was given up as unknown asks for may be on its way still:
	// what was sent on a link that lost half of everything is late by a minute.
	m.all = slices.DeleteFunc(m.all, func(x *told) bool { return x.accepted() || x.refused() })
	m.base, m.seen, m.lost = now, seen, make(map[crdt.Dot]bool)
	m.spaces, m.gates = []int{spaces.Total}, []int{gates}
	wrong, m.wrong = m.wrong, nil
	return wrong
}

// set notes that a setting was asked for, which nobody refused.
func (m *model) set(spaces bool, v int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if spaces {
		m.spaces = append(m.spaces, v)
	} else {
		m.gates = append(m.gates, v)
	}
}

package verdict

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"parking/lot/spans"
	"parking/node/history"
)

// register is what changes to one setting come to: a write supersedes those that
// its node had seen, and of the others one rules.
type register struct {
	m    *model
	last map[int32]int // of each node's writes the latest that is there: its place
	live []*op
}

func (m *model) register() *register { return &register{m: m, last: make(map[int32]int)} }

// add makes a write.
func (r *register) add(o *op) {
	m := r.m
	r.live = slices.DeleteFunc(r.live, func(e *op) bool { return e == o || m.sawBefore(o, e) })
	if last, known := r.last[o.life]; !known || last < o.place {
		r.last[o.life] = o.place
	}
	// Whatever a node wrote after it saw this one supersedes it, the latest too.
	for life, place := range r.last {
		if m.sawAt(life, o) < place {
			return
		}
	}
	r.live = append(r.live, o)
}

// value returns what rules: a value that was set, before one that was founded
// with; of the former the latest, of the latter the earliest; 0 if none was.
func (r *register) value() int {
	var best *op
	for _, o := range r.live {
		if best == nil || best.founded && !o.founded || best.founded == o.founded && (r.m.rank(o, best) > 0) != o.founded {
			best = o
		}
	}
	if best == nil {
		return 0
	}
	return best.value
}

// setting returns what a setting is, by the changes that has says are there; 0
// if by none.
func (m *model) setting(name string, has func(*op) bool) int {
	r := m.register()
	for _, i := range m.sets {
		if o := &m.ops[i]; o.text == name && has(o) {
			r.add(o)
		}
	}
	return r.value()
}

// writes returns the changes of a setting, as they were made.
func (m *model) writes(name string) (out []*op) {
	for _, i := range m.sets {
		if o := &m.ops[i]; o.kind == history.Set && o.text == name {
			out = append(out, o)
		}
	}
	slices.SortStableFunc(out, func(a, b *op) int { return a.real.Compare(b.real) })
	return out
}

// A value is what a setting was from some time on.
type value struct {
	at    time.Time
	value int
	op    *op // which change made it so; nil: one was lost
}

// values returns what a setting was, of all nodes together: a change counts when it
// is made, and no more once the last node that had it has died.
func (j *judge) values(name string) (out []value) {
	writes := j.model.writes(name)
	ends := make(map[*op]time.Time)
	for _, o := range writes {
		out = append(out, value{at: o.real, op: o})
		if end := j.dies(o); !end.IsZero() {
			ends[o] = latest(end, o.real)
		}
	}
	for _, end := range slices.SortedFunc(maps.Values(ends), time.Time.Compare) {
		if n := len(out); out[n-1].op != nil || !out[n-1].at.Equal(end) { // a node's are lost at once
			out = append(out, value{at: end})
		}
	}
	slices.SortStableFunc(out, func(a, b value) int { return a.at.Compare(b.at) })
	r := j.model.register()
	for i, v := range out {
		if v.op != nil {
			r.add(v.op)
		} else {
			r = j.model.register()
			for _, o := range writes {
				if end, lost := ends[o]; !o.real.After(v.at) && (!lost || end.After(v.at)) {
					r.add(o)
				}
			}
		}
		out[i].value = r.value()
	}
	return out
}

// dies returns when the last of the nodes died that had a change; zero if one has it
// still, or may.
func (j *judge) dies(o *op) (end time.Time) {
	m := j.model
	if _, there := j.anybody(m.lives[o.life], spans.Span{First: o.seq, Last: o.seq}); there || len(j.Unreached) > 0 {
		return time.Time{}
	}
	for i := range j.histories {
		h := &j.histories[i]
		switch {
		case m.sawAt(int32(m.number[h.Life]), o) == never:
		case j.reached[h.Life] != nil:
			return time.Time{}
		default:
			end = latest(end, h.Beat)
		}
	}
	return end
}

// rank orders concurrent values, as the ledger promises: by stamp, then by name.
func (m *model) rank(a, b *op) int {
	return cmp.Or(cmp.Compare(a.stamp, b.stamp), compareLives(m.lives[a.life], m.lives[b.life]), cmp.Compare(a.seq, b.seq))
}

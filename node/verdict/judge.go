package verdict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"parking/lot/spans"
	"parking/node/history"
)

// Judge returns the verdict on a session.
func Judge(e Evidence) Report {
	var histories []history.History
	told := make(map[history.Life]bool)
	for _, h := range e.Histories {
		if !told[h.Life] { // one each
			told[h.Life] = true
			histories = append(histories, h)
		}
	}
	j := &judge{Evidence: e, model: build(histories, e.States), histories: histories, reached: make(map[history.Life]*State)}
	for i := range e.States {
		j.reached[e.States[i].Life] = &e.States[i]
	}
	j.faults = j.readFaults()
	j.excused = union(slices.Clone(j.faults))
	j.partial = j.incomplete()
	r := Report{Ledger: e.Ledger, Checks: []Check{
		j.converged(), j.lost(), j.resurrected(), j.capacity(), j.gates(), j.refusals(),
	}}
	r.Outcome = outcome(r.Checks)
	for _, s := range e.States {
		r.Reached = append(r.Reached, s.Life.Node)
	}
	for _, l := range e.Unreached {
		r.Unreached = append(r.Unreached, l.Node)
	}
	for i := range histories {
		if l := histories[i].Life; j.reached[l] == nil && !slices.Contains(e.Unreached, l) {
			r.Dead = append(r.Dead, l.Node)
		}
	}
	slices.Sort(r.Dead)
	return r
}

// judge is one verdict in the making.
type judge struct {
	Evidence
	model     *model
	histories []history.History
	reached   map[history.Life]*State
	faults    []spell
	partial   []string // whose history is not whole
	apart     []*State // that hold different things
	excused   []spell  // when faults were in force, for unexcused
}

// spell is a stretch of time in which something was so.
type spell struct {
	from, to time.Time
	what     string
	open     bool // it goes on
}

func (s spell) lasted() time.Duration { return s.to.Sub(s.from) }

// readFaults returns the faults that were in force, and when.
func (j *judge) readFaults() (all []spell) {
	byID := make(map[uint64]*spell)
	for i := range j.histories {
		mine := make(map[uint64]bool) // in force there, as far as was read
		for _, r := range j.histories[i].Records {
			switch f := byID[r.First]; {
			case r.Kind == history.Faulted && f == nil:
				byID[r.First] = &spell{from: r.Real, to: r.Real, what: r.Text}
				mine[r.First] = true
			case r.Kind == history.Faulted:
				if r.Real.Before(f.from) {
					f.from = r.Real
				}
				mine[r.First] = true
			case r.Kind == history.Mended && f != nil:
				if r.Real.After(f.to) {
					f.to = r.Real
				}
				delete(mine, r.First)
			}
		}
		end := j.histories[i].Beat
		if j.reached[j.histories[i].Life] != nil {
			end = j.Now
		}
		for id := range mine {
			if f := byID[id]; end.After(f.to) {
				f.to = end
			}
		}
	}
	for _, f := range byID {
		f.open = !f.to.Before(j.Now)
		all = append(all, *f)
	}
	slices.SortFunc(all, func(a, b spell) int { return a.from.Compare(b.from) })
	return all
}

// incomplete returns the nodes whose history is not there, or not all of it.
func (j *judge) incomplete() (names []string) {
	m := j.model
	for n, l := range m.lives {
		h := m.tapes[n].history
		if h == nil && (m.tapes[n].made || j.reached[l] != nil) || h != nil && (h.Cut > 0 || h.Full || h.Damaged) {
			names = append(names, l.Node)
		}
	}
	for _, l := range j.Unreached {
		if n, ok := m.number[l]; !ok || m.tapes[n].history == nil {
			names = append(names, l.Node)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// faulty reports whether a fault is in force.
func (j *judge) faulty() bool {
	return slices.ContainsFunc(j.States, func(s State) bool { return len(s.Faults) > 0 })
}

// cause returns the fault that was in force for most of a spell, as text to add: of
// several the one that began last, and one that was ordered before what came of it.
func (j *judge) cause(s spell) string {
	var best *spell
	most := time.Duration(-1)
	for i := range j.faults {
		f := &j.faults[i]
		from, to := latest(s.from, f.from), s.to
		if f.to.Before(to) {
			to = f.to
		}
		if d := to.Sub(from); d > most || d >= 0 && d == most && !f.standstill() {
			best, most = f, d
		}
	}
	if best == nil {
		return ""
	}
	return ", " + best.what
}

// standstill reports whether a fault is one that nobody ordered: a process that was
// stopped.
func (s *spell) standstill() bool { return strings.HasSuffix(s.what, history.StoodStill) }

// converged judges whether all nodes hold the same.
func (j *judge) converged() Check {
	c := Check{Name: "converged", Word: "yes"}
	by := make(map[string][]string)
	for _, s := range j.States {
		by[s.Digest] = append(by[s.Digest], s.Life.Node)
	}
	all := len(j.States) + len(j.Unreached)
	switch len(by) {
	case 0:
		c.Word, c.Text = "open", "no node has said what it holds"
		c.add(Finding{Level: Open, Text: c.Text})
	case 1:
		c.Text = fmt.Sprintf("%d of %d, digest %s", len(j.States), all, short(j.States[0].Digest))
	default:
		c.Word = "no"
		parts := make([]string, 0, len(by))
		for d, names := range by {
			slices.Sort(names)
			parts = append(parts, fmt.Sprintf("%s on %s", short(d), strings.Join(names, " ")))
		}
		slices.Sort(parts)
		c.Text = "digest " + strings.Join(parts, ", ")
		f := Finding{Level: Open, Text: "the nodes hold different states: " + c.Text}
		switch {
		case j.sameSeen():
			f.Level, f.Text = Breach, "the nodes have seen the same changes and hold different states: "+c.Text
		case j.faulty():
			f.Level, f.Text = Allowed, "the nodes hold different states while faults are in force"
		case j.Waited && !j.Writing:
			f.Level, f.Text = Breach, "the nodes do not come to hold the same, with no fault in force and nothing written"
		}
		c.add(f)
	}
	if len(j.Unreached) > 0 {
		names := make([]string, 0, len(j.Unreached))
		for _, l := range j.Unreached {
			names = append(names, l.Node)
		}
		if c.Word == "yes" {
			c.Word = "open"
		}
		c.Text += "; not reached: " + strings.Join(names, " ")
		c.add(Finding{Level: Open, Text: strings.Join(names, " ") + " cannot be reached"})
	}
	return c
}

// sameSeen reports whether all states have seen the same.
func (j *judge) sameSeen() bool {
	for _, s := range j.States[1:] {
		if len(s.Seen) != len(j.States[0].Seen) {
			return false
		}
		for l, spans := range s.Seen {
			if !slices.Equal(spans, j.States[0].Seen[l]) {
				return false
			}
		}
	}
	return true
}

func short(digest string) string {
	if len(digest) < 8 {
		return digest
	}
	return digest[:4] + " " + digest[4:8]
}

// has returns what tells whether a state has seen a change.
func (j *judge) has(s *State) func(*op) bool {
	seen := make([]spans.Set, len(j.model.lives))
	for l, spans := range s.Seen {
		if n, ok := j.model.number[l]; ok {
			seen[n] = spans
		}
	}
	return func(o *op) bool { return seen[o.life].Has(o.seq) }
}

// distinct returns the states, but one only of those that hold the same; what a
// state holds is compared, and not its digest.
func (j *judge) distinct() (out []*State) {
	seen := make(map[string]bool)
	if j.apart != nil {
		return j.apart
	}
	for i := range j.States {
		s := &j.States[i]
		slices.SortFunc(s.Live, func(a, b Live) int {
			return cmp.Or(compareLives(a.Life, b.Life), cmp.Compare(a.Seq, b.Seq))
		})
		if key := fingerprint(s); !seen[key] {
			seen[key] = true
			out = append(out, s)
		}
	}
	j.apart = out
	return out
}

// seconds tells how long something lasted.
func seconds(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return "less than 1 ms"
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.2g s", d.Seconds())
	}
	return fmt.Sprintf("%.0f s", d.Seconds())
}

func clock(t time.Time) string { return t.Local().Format("15:04:05") }

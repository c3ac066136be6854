package verdict

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"parking/lot/spans"
	"parking/node/history"
)

// fingerprint is of what a state has seen and holds.
func fingerprint(s *State) string {
	h := sha256.New()
	var b []byte
	for _, l := range slices.SortedFunc(maps.Keys(s.Seen), compareLives) {
		b = append(binary.LittleEndian.AppendUint64(b[:0], l.Incarnation), l.Node...)
		for _, span := range s.Seen[l] {
			b = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(b, span.First), span.Last)
		}
		h.Write(b)
	}
	for _, l := range s.Live {
		b = binary.LittleEndian.AppendUint64(b[:0], l.Life.Incarnation)
		b = append(append(b, l.Life.Node...), 0)
		b = append(binary.LittleEndian.AppendUint64(b, l.Seq), l.Plate...)
		h.Write(append(b, 0))
	}
	return fmt.Sprintf("%x %d %d", h.Sum(nil), s.Spaces, s.Gates)
}

func compareLives(a, b history.Life) int {
	return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Incarnation, b.Incarnation))
}

// lost judges whether what was acknowledged is still there: seen by those who
// have to have seen it, and in the lot if nothing took it out.
func (j *judge) lost() Check {
	c := Check{Name: "lost", Word: "none"}
	m := j.model
	acknowledged, gone, died := 0, 0, 0
	for i := range j.histories {
		h := &j.histories[i]
		for k := range h.Records {
			r := &h.Records[k]
			if r.Kind != history.Answered || r.Code != "" || j.later(h, r.Real) {
				continue
			}
			if r.First == 0 && r.Plate == "" { // nothing was asked for
				continue
			}
			acknowledged++
			if r.First == 0 {
				gone++
				c.add(Finding{
					Level: Breach, Text: fmt.Sprintf("%s %s, answered ok on %s: nothing was recorded", r.Text, r.Plate, h.Life.Node),
					Events: []Event{{At: r.Real, Node: h.Life.Node, Text: r.Text + " " + string(r.Plate) + ": ok"}},
				})
				continue
			}
			if seq, all := j.anybody(r.Life, spans.Span{First: r.First, Last: r.Last}); !all {
				if level := j.missing(&c, h.Life, r, seq); level == Allowed {
					died++
				} else {
					gone++
				}
			}
		}
	}
	unjudged, strange := 0, 0
	for _, s := range j.distinct() {
		has := j.has(s)
		live := make([]bool, len(m.ops))
		for _, l := range s.Live {
			n, known := m.number[l.Life]
			var o *op
			if known {
				o = m.find(n, l.Seq)
			}
			switch {
			case o == nil && m.bound == 0:
				strange++
				c.add(Finding{Level: Breach, Text: fmt.Sprintf("%s holds an entry of %s by %s that no history tells of", s.Life.Node, l.Plate, l.Life.Node)})
			case o == nil:
				unjudged++
			case o.kind != history.Entered || m.plates[o.plate] != l.Plate:
				strange++
				c.add(Finding{Level: Breach, Events: []Event{m.event(o)}, Text: fmt.Sprintf("%s holds an entry of %s by %s, and there it was another change", s.Life.Node, l.Plate, l.Life.Node)})
			default:
				live[m.tapes[n].own[l.Seq-m.tapes[n].first]] = true
			}
		}
		for i := range m.ops {
			e := &m.ops[i]
			if e.kind != history.Entered || live[i] || !has(e) {
				continue
			}
			if m.remover(e, has) != nil {
				continue
			}
			if e.stamp < m.bound {
				unjudged++
				continue
			}
			gone++
			c.add(Finding{
				Level: Breach, Events: []Event{m.event(e)},
				Text: fmt.Sprintf("%s has seen that %s came in on %s, and does not hold it, though nothing took it out", s.Life.Node, m.plates[e.plate], m.name(e)),
			})
		}
		for _, set := range []struct {
			name string
			held int
		}{{"spaces", s.Spaces}, {"gates", s.Gates}} {
			if want := m.setting(set.name, has); m.bound == 0 && want != set.held && want > 0 {
				gone++
				c.add(Finding{Level: Breach, Text: fmt.Sprintf("%s has %s %d, and by what it has seen they were set to %d", s.Life.Node, set.name, set.held, want)})
			}
		}
	}
	switch {
	case gone+strange > 0:
		c.Word, c.Text = fmt.Sprint(gone+strange+died), gravest(c.Findings)
		if more := gone + strange + died - 1; more > 0 {
			c.Text += fmt.Sprintf("; and %d more", more)
		}
	case died > 0:
		c.Word, c.Text = fmt.Sprint(died), c.Findings[0].Text
		if died > 1 {
			c.Text += fmt.Sprintf("; and %d more", died-1)
		}
	default:
		c.Text = count(acknowledged, "acknowledged change") + " accounted for"
	}
	j.cutOff(&c, unjudged)
	return c
}

// later reports whether something in a history may have come after the states
// were taken. That history's clock need not be the judge's: of a node that was
// reached, the last sign of life is of when its history was.
func (j *judge) later(h *history.History, at time.Time) bool {
	if j.Asked.IsZero() {
		return false
	}
	asked := j.Asked
	if j.reached[h.Life] != nil {
		asked = h.Beat.Add(j.Asked.Sub(j.Now))
	}
	return at.After(asked)
}

// anybody returns the first of those changes that no node that was reached has
// seen, or true if there is none.
func (j *judge) anybody(l history.Life, all spans.Span) (seq uint64, every bool) {
	for seq = all.First; seq <= all.Last; {
		next := seq
		for i := range j.States {
			next = max(next, j.States[i].Seen[l].Beyond(seq))
		}
		switch {
		case next == seq:
			return seq, false
		case next > all.Last:
			return 0, true
		}
		seq = next
	}
	return 0, true
}

// missing says what it means that nobody has an acknowledged change.
func (j *judge) missing(c *Check, told history.Life, r *history.Record, seq uint64) Level {
	what := fmt.Sprintf("%s %s, answered ok on %s", r.Text, r.Plate, told.Node)
	f := Finding{Level: Breach, Events: []Event{{At: r.Real, Node: told.Node, Text: r.Text + " " + string(r.Plate) + ": ok"}}}
	runs := func(l history.Life) bool { return slices.Contains(j.Unreached, l) }
	had, forgot := j.had(r.Life, seq)
	switch {
	case j.reached[r.Life] != nil:
		f.Text = fmt.Sprintf("%s: %s itself does not have it any more", what, r.Life.Node)
	case j.reached[told] != nil:
		f.Text = fmt.Sprintf("%s, does not have it any more", what)
	case forgot != "":
		f.Text = fmt.Sprintf("%s: %s had it, and does not have it any more", what, forgot)
	case runs(r.Life) || runs(told):
		f.Level, f.Text = Open, fmt.Sprintf("%s: only a node that cannot be reached has it", what)
	case r.Need > 0 && len(had) <= r.Need:
		f.Text = fmt.Sprintf("%s once %s had it: nobody has it now", what, count(r.Need, "other node"))
	case len(had) > 1:
		f.Level, f.Text = Allowed, fmt.Sprintf("%s: it died with %s, and no other node had it", what, enumerate(had))
	default:
		f.Level, f.Text = Allowed, fmt.Sprintf("%s: it died with %s before another node had it", what, r.Life.Node)
	}
	c.add(f)
	return f.Level
}

// had returns the dead nodes that have had a change by their histories, and one
// that was reached, and must have it still.
func (j *judge) had(l history.Life, seq uint64) (dead []string, forgot string) {
	m := j.model
	n, known := m.number[l]
	if !known {
		return []string{l.Node}, ""
	}
	dead = []string{l.Node}
	for i := range j.histories {
		h := &j.histories[i]
		t := &m.tapes[m.number[h.Life]]
		place := t.sawAt(int32(n), seq)
		if h.Life == l || place == never {
			continue
		}
		switch {
		case j.reached[h.Life] == nil:
			dead = append(dead, h.Life.Node)
		case !j.later(h, h.Records[place].Real):
			forgot = h.Life.Node
		}
	}
	return dead, forgot
}

// resurrected judges whether an exit was undone.
func (j *judge) resurrected() Check {
	c := Check{Name: "resurrected", Word: "none"}
	m := j.model
	n := 0
	for _, s := range j.distinct() {
		has := j.has(s)
		for _, l := range s.Live {
			num, known := m.number[l.Life]
			if !known {
				continue
			}
			e := m.find(num, l.Seq)
			if e == nil || e.kind != history.Entered {
				continue
			}
			switch x := m.remover(e, has); {
			case x != nil:
				n++
				level := Breach
				if e.stamp < m.bound { // what had taken it out before may be what is cut off
					level = Open
				}
				c.add(Finding{
					Level: level, Events: []Event{m.event(e), m.event(x)},
					Text: fmt.Sprintf("%s holds an entry of %s that %s had seen when %s", s.Life.Node, m.plates[e.plate], m.name(x), m.event(x).Text),
				})
			case !has(e):
				n++
				c.add(Finding{
					Level: Breach, Events: []Event{m.event(e)},
					Text: fmt.Sprintf("%s holds an entry of %s that it says it has not seen", s.Life.Node, m.plates[e.plate]),
				})
			}
		}
	}
	if n > 0 {
		c.Word, c.Text = fmt.Sprint(n), c.Findings[0].Text
	} else {
		exits := 0
		for i := range m.ops {
			if m.ops[i].kind == history.Exited {
				exits++
			}
		}
		c.Text = count(exits, "exit") + " stand"
		if exits == 1 {
			c.Text += "s"
		}
	}
	j.cutOff(&c, 0)
	return c
}

// cutOff says that a check could not judge everything.
func (j *judge) cutOff(c *Check, unjudged int) {
	if len(j.partial) == 0 {
		return
	}
	text := fmt.Sprintf("the history of %s is not whole", enumerate(j.partial))
	if unjudged > 0 {
		text += fmt.Sprintf("; %s cannot be judged", count(unjudged, "entry"))
	}
	switch c.Word {
	case "none", "kept", "fair", "one each":
		c.Word = "open"
	}
	if c.Text != "" {
		c.Text += "; "
	}
	c.Text += text
	c.add(Finding{Level: Open, Text: text})
}

// count tells a number of things: "1 exit", "2 exits".
func count(n int, what string) string {
	switch {
	case n == 1:
		return "1 " + what
	case what[len(what)-1] == 'y':
		return fmt.Sprintf("%d %sies", n, what[:len(what)-1])
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func enumerate(names []string) string {
	const most = 6
	out := ""
	for i, n := range names[:min(len(names), most)] {
		if i > 0 {
			out += " "
		}
		out += n
	}
	if more := len(names) - most; more > 0 {
		out += fmt.Sprintf(" and %d more", more)
	}
	return out
}

// gravest is the text of a finding that none is worse than.
func gravest(all []Finding) string {
	for _, level := range []Level{Breach, Open} {
		for _, f := range all {
			if f.Level == level {
				return f.Text
			}
		}
	}
	return all[0].Text
}

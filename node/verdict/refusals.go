package verdict

import (
	"fmt"
	"slices"

	"parking/lot"
	"parking/lot/spans"
	"parking/node/history"
)

// refusals judges whether nodes refused, and gates let in, by what they knew.
func (j *judge) refusals() Check {
	c := Check{Name: "refusals", Word: "fair"}
	m := j.model
	judged, wrong := 0, 0
	if m.bound > 0 {
		j.cutOff(&c, 0)
		return c
	}
	for i := range j.histories {
		h := &j.histories[i]
		if !judges(m, h) {
			continue
		}
		v := newReplay(m, m.num(h.Life))
		for place := range h.Records {
			r := &h.Records[place]
			switch r.Kind {
			case history.Saw:
				v.saw(m.num(r.Life), spans.Span{First: r.First, Last: r.Last}, place)
			case history.Entered, history.Exited, history.Set, history.Wrote:
				o := m.find(v.life, r.First)
				if o == nil {
					continue
				}
				if o.gated {
					judged++
					if total := v.setting("spaces"); total > 0 && len(v.in) >= total {
						wrong++
						c.add(Finding{Level: Breach, Events: []Event{m.event(o)}, Text: fmt.Sprintf("gate %d on %s let %s in where %d of %d spaces were taken", o.gate, h.Life.Node, m.plates[o.plate], len(v.in), total)})
					}
				}
				v.apply(o, place)
			case history.Refused:
				judged++
				if why := v.wrong(r); why != "" {
					wrong++
					c.add(Finding{
						Level: Breach, Events: []Event{{At: r.Real, Node: h.Life.Node, Text: fmt.Sprintf("%s %s: %s", r.Text, r.Plate, r.Code)}},
						Text: fmt.Sprintf("%s refused %s %s: %s", h.Life.Node, r.Text, r.Plate, why),
					})
				}
			}
		}
	}
	if wrong > 0 {
		c.Word, c.Text = fmt.Sprint(wrong), c.Findings[0].Text
	} else {
		c.Text = count(judged, "decision") + " justified by what the node could know"
		if judged == 0 {
			c.Word, c.Text = "none", "nothing was refused, and no gate let anything in"
		}
	}
	return c
}

// judges reports whether a history has something to justify.
func judges(m *model, h *history.History) bool {
	for i := range h.Records {
		switch r := &h.Records[i]; r.Kind {
		case history.Refused:
			return true
		case history.Entered:
			if o := m.find(m.num(h.Life), r.First); o != nil && o.gated {
				return true
			}
		}
	}
	return false
}

// replay is what one node knew at one place of its history.
type replay struct {
	m    *model
	life int
	now  int
	in   map[int32][]*op // the entries in its lot, by plate
	seen map[int]*spans.Set
	sets map[string]*register
}

func newReplay(m *model, life int) *replay {
	return &replay{m: m, life: life, in: make(map[int32][]*op), seen: make(map[int]*spans.Set), sets: make(map[string]*register)}
}

func (v *replay) saw(life int, s spans.Span, place int) {
	set := v.seen[life]
	if set == nil {
		set = new(spans.Set)
		v.seen[life] = set
	}
	for _, fresh := range set.Add(s) {
		t := &v.m.tapes[life]
		for seq := max(fresh.First, t.first); seq <= fresh.Last && seq-t.first < uint64(len(t.own)); seq++ {
			v.apply(&v.m.ops[t.own[seq-t.first]], place)
		}
	}
}

// has reports whether the node has seen a change by now.
func (v *replay) has(o *op) bool { return v.m.sawAt(int32(v.life), o) <= v.now }

// apply makes a change.
func (v *replay) apply(o *op, place int) {
	v.now = place
	if o.kind == history.Set {
		r := v.sets[o.text]
		if r == nil {
			r = v.m.register()
			v.sets[o.text] = r
		}
		r.add(o)
	}
	if o.plate < 0 {
		return
	}
	var kept []*op
	for _, e := range v.in[o.plate] {
		if !slices.Contains(v.m.removers(e), o) {
			kept = append(kept, e)
		}
	}
	if o.kind == history.Entered && v.m.remover(o, v.has) == nil {
		kept = append(kept, o)
	}
	if len(kept) == 0 {
		delete(v.in, o.plate)
	} else {
		v.in[o.plate] = kept
	}
}

func (v *replay) setting(name string) int {
	if r := v.sets[name]; r != nil {
		return r.value()
	}
	return 0
}

// wrong says what is wrong with a refusal, or nothing.
func (v *replay) wrong(r *history.Record) string {
	p, known := v.m.plate[r.Plate]
	in := known && len(v.in[p]) > 0
	switch r.Code {
	case lot.Present:
		if !in {
			return "it was not in the lot, by all that the node had seen"
		}
	case lot.Absent:
		if in {
			return "it was in the lot, by what the node had seen"
		}
	case lot.Full:
		if n, total := len(v.in), v.setting("spaces"); n < total {
			return fmt.Sprintf("%d of %d spaces were taken, by what the node had seen", n, total)
		}
	}
	return ""
}

package verdict

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"parking/lot"
	"parking/node/history"
)

const (
	// splitGrace is for how long a gate may have two owners where no fault is in
	// force, nor was one within that time: a node that was suspected wrongly.
	splitGrace = 5 * time.Second
	// orphanGrace is likewise for how long it may have none: SWIM has to rule on
	// a host that is gone, and its gates' heirs to claim them.
	orphanGrace = 10 * time.Second
)

// stay is one node running one gate.
type stay struct {
	spell
	life history.Life
}

// gates judges whether each gate ran once.
func (j *judge) gates() Check {
	c := Check{Name: "gates", Word: "one each"}
	stays, lives := j.stays()
	var first time.Time // when any gate first ran
	for _, all := range stays {
		for _, s := range all {
			if first.IsZero() || s.from.Before(first) {
				first = s.from
			}
		}
	}
	var split, none []found
	for g := lot.GateID(1); int(g) <= lot.MaxGates; g++ {
		for _, s := range j.owned(g, stays[g], lives, first) {
			switch f := (found{s.spell, []lot.GateID{g}}); s.owners {
			case 0:
				none = append(none, f)
			default:
				split = append(split, f)
			}
		}
	}
	split, none = grouped(split), grouped(none)
	var parts []string
	for _, f := range split {
		c.add(Finding{Level: j.splitLevel(f), Text: fmt.Sprintf("%s had two owners for %s (%s-%s)%s", names(f.gates), seconds(f.lasted()), clock(f.from), clock(f.to), j.cause(f.spell)), Events: j.around(f)})
	}
	for _, f := range none {
		level := Allowed
		if j.unexcused(f.spell, orphanGrace) > orphanGrace {
			level = Breach
		}
		c.add(Finding{Level: level, Text: fmt.Sprintf("%s had no owner for %s%s", names(f.gates), seconds(f.lasted()), j.after(f.spell)), Events: j.around(f)})
	}
	if len(split) > 0 {
		c.Word = "split"
		longest := slices.MaxFunc(split, longer)
		parts = append(parts, fmt.Sprintf("%s had two owners for %s%s", names(longest.gates), seconds(longest.lasted()), j.cause(longest.spell)))
	}
	if len(none) > 0 {
		longest := slices.MaxFunc(none, longer)
		parts = append(parts, fmt.Sprintf("no owner for %s at most%s", seconds(longest.lasted()), j.after(longest.spell)))
	}
	c.Text = strings.Join(parts, "; ")
	if c.Text == "" {
		c.Text = "each had one owner throughout"
	}
	j.now(&c)
	return c
}

// found is what one or several gates had in common.
type found struct {
	spell
	gates []lot.GateID
}

func longer(a, b found) int { return int(a.lasted() - b.lasted()) }

// stays returns when which node ran each gate, and when each node lived.
func (j *judge) stays() (out map[lot.GateID][]stay, lives []spell) {
	out = make(map[lot.GateID][]stay)
	for i := range j.histories {
		h := &j.histories[i]
		end, ended := h.Beat, ""
		if j.reached[h.Life] != nil || slices.Contains(j.Unreached, h.Life) {
			end = j.Now
		}
		on := make(map[lot.GateID]time.Time)
		for _, r := range h.Records {
			switch at, running := on[r.Gate]; {
			case r.Kind == history.GateOn && !running:
				on[r.Gate] = r.Real
			case r.Kind == history.GateOff && running:
				out[r.Gate] = append(out[r.Gate], stay{spell{from: at, to: r.Real}, h.Life})
				delete(on, r.Gate)
			case r.Kind == history.Ended:
				end, ended = r.Real, r.Text
			}
		}
		_ = ended
		for g, at := range on {
			out[g] = append(out[g], stay{spell{from: at, to: end}, h.Life})
		}
		lives = append(lives, spell{from: h.From, to: end, what: h.Life.Node})
	}
	return out, lives
}

// ownedSpell is a spell in which a gate had another number of owners than one.
type ownedSpell struct {
	spell
	owners int
}

// blink is for how long a gate may have no owner, or two, without a word: it
// takes that to change hands.
const blink = 5 * time.Millisecond

// owned returns when a gate of the lot had no owner, or more than one.
func (j *judge) owned(g lot.GateID, stays []stay, lives []spell, first time.Time) (out []ownedSpell) {
	if len(stays) == 0 {
		return nil
	}
	// A gate is expected from its first start on, while the lot has it and
	// somebody lives.
	expected := intersect(j.while(g), union(slices.Clone(lives)))
	var times []time.Time
	for _, s := range stays {
		times = append(times, s.from, s.to)
	}
	for _, s := range expected {
		times = append(times, s.from, s.to)
	}
	slices.SortFunc(times, time.Time.Compare)
	begin := stays[0].from
	for _, s := range stays {
		if s.from.Before(begin) {
			begin = s.from
		}
	}
	for i := 1; i < len(times); i++ {
		from, to := times[i-1], times[i]
		if !from.Before(to) || from.Before(begin) {
			continue
		}
		covers := func(s spell) bool { return !s.from.After(from) && !s.to.Before(to) }
		owners := make(map[history.Life]bool)
		for _, s := range stays {
			if covers(s.spell) {
				owners[s.life] = true
			}
		}
		n := len(owners)
		if n == 1 || n == 0 && !slices.ContainsFunc(expected, covers) {
			continue
		}
		n = min(n, 2)
		if l := len(out); l > 0 && out[l-1].owners == n && out[l-1].to.Equal(from) {
			out[l-1].to = to
		} else {
			out = append(out, ownedSpell{spell{from: from, to: to}, n})
		}
	}
	return slices.DeleteFunc(out, func(s ownedSpell) bool { return s.lasted() < blink })
}

// while returns when the lot had a gate of that number.
func (j *judge) while(g lot.GateID) (out []spell) {
	m := j.model
	var sets []*op
	for _, i := range m.sets {
		if o := &m.ops[i]; o.text == "gates" {
			sets = append(sets, o)
		}
	}
	slices.SortFunc(sets, func(a, b *op) int { return a.real.Compare(b.real) })
	for i, s := range sets {
		to := j.Now
		if i+1 < len(sets) {
			to = sets[i+1].real
		}
		if m.setting("gates", func(o *op) bool { return !o.real.After(s.real) }) >= int(g) {
			out = append(out, spell{from: s.real, to: to})
		}
	}
	return union(out)
}

// intersect returns when something of both is so.
func intersect(a, b []spell) (out []spell) {
	for _, x := range a {
		for _, y := range b {
			s := x
			if y.from.After(s.from) {
				s.from = y.from
			}
			if y.to.Before(s.to) {
				s.to = y.to
			}
			if s.from.Before(s.to) {
				out = append(out, s)
			}
		}
	}
	return out
}

// grouped puts gates together that had the same at about the same time.
func grouped(all []found) (out []found) {
	const about = 250 * time.Millisecond
	near := func(a, b time.Time) bool { return a.Sub(b).Abs() <= about }
	for _, f := range all {
		i := slices.IndexFunc(out, func(o found) bool { return near(o.from, f.from) && near(o.to, f.to) })
		if i < 0 {
			out = append(out, f)
			continue
		}
		out[i].gates = append(out[i].gates, f.gates...)
		if f.lasted() > out[i].lasted() {
			out[i].spell = f.spell
		}
	}
	slices.SortFunc(out, func(a, b found) int { return a.from.Compare(b.from) })
	return out
}

// names tells gates: "gate 1", "gates 1-3".
func names(gates []lot.GateID) string {
	slices.Sort(gates)
	gates = slices.Compact(gates)
	if len(gates) == 1 {
		return fmt.Sprintf("gate %d", gates[0])
	}
	if int(gates[len(gates)-1]-gates[0]) == len(gates)-1 {
		return fmt.Sprintf("gates %d-%d", gates[0], gates[len(gates)-1])
	}
	parts := make([]string, 0, len(gates))
	for _, g := range gates {
		parts = append(parts, fmt.Sprint(g))
	}
	return "gates " + strings.Join(parts, " ")
}

// unexcused is for how much of a spell no fault was in force, nor had been within
// grace.
func (j *judge) unexcused(s spell, grace time.Duration) time.Duration {
	left := s.lasted()
	excuses := make([]spell, 0, len(j.faults))
	for _, f := range j.faults {
		excuses = append(excuses, spell{from: f.from, to: f.to.Add(grace)})
	}
	for _, e := range intersect([]spell{s}, union(excuses)) {
		left -= e.lasted()
	}
	return left
}

func (j *judge) splitLevel(f found) Level {
	if j.unexcused(f.spell, splitGrace) > splitGrace {
		return Breach
	}
	return j.allows()
}

// after says what happened when a gate lost its owner.
func (j *judge) after(s spell) string {
	const about = 500 * time.Millisecond
	for i := range j.histories {
		h := &j.histories[i]
		if j.reached[h.Life] == nil && !slices.Contains(j.Unreached, h.Life) && h.Beat.Sub(s.from).Abs() < about {
			return fmt.Sprintf(" after %s died", h.Life.Node)
		}
	}
	return j.cause(s)
}

// around returns the starts and stops of those gates at about the ends of a spell.
func (j *judge) around(f found) (out []Event) {
	const about = 300 * time.Millisecond
	for i := range j.histories {
		h := &j.histories[i]
		for _, r := range h.Records {
			if r.Kind != history.GateOn && r.Kind != history.GateOff || !slices.Contains(f.gates, r.Gate) {
				continue
			}
			if r.Real.Sub(f.from).Abs() < about || r.Real.Sub(f.to).Abs() < about {
				what := "stopped"
				if r.Kind == history.GateOn {
					what = "started"
				}
				out = append(out, Event{At: r.Real, Node: h.Life.Node, Text: fmt.Sprintf("gate %d %s", r.Gate, what)})
			}
		}
	}
	slices.SortFunc(out, func(a, b Event) int { return a.At.Compare(b.At) })
	return out
}

// now judges who runs the gates at last.
func (j *judge) now(c *Check) {
	if j.faulty() || len(j.Unreached) > 0 || len(j.States) == 0 {
		return
	}
	total := j.States[0].Gates
	for g := lot.GateID(1); int(g) <= total; g++ {
		var owners []string
		for _, s := range j.States {
			if slices.Contains(s.Running, g) {
				owners = append(owners, s.Life.Node)
			}
		}
		if len(owners) == 1 {
			continue
		}
		f := Finding{Level: Open, Text: fmt.Sprintf("gate %d runs nowhere just now", g)}
		if len(owners) > 1 {
			f.Text = fmt.Sprintf("gate %d runs on %s just now", g, strings.Join(owners, " "))
		}
		if j.Waited {
			f.Level = Breach
			f.Text += ", with no fault in force, and stays so"
		}
		c.Word = "split"
		c.Text = f.Text + "; " + c.Text
		c.add(f)
	}
}

package verdict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"parking/lot"
	"parking/node/history"
)

type gateID = lot.GateID

const (
	// splitGrace is for how long a gate may have two owners where no fault is in
	// force, nor was one within that time: a node that was suspected wrongly.
	splitGrace = 5 * time.Second
	// orphanGrace is likewise for how long it may have none: SWIM has to rule on
	// a host that is gone, and its gates' heirs to claim them.
	orphanGrace = 10 * time.Second
)

// gates judges whether each gate ran once.
func (j *judge) gates() Check {
	c := Check{Name: "gates", Word: "one each"}
	stays, lives := j.stays()
	there := j.while()
	var split, none []found
	for g := range gateIDs {
		for _, s := range owned(stays[g], intersect(there[g], lives)) {
			switch f := (found{s.spell, []gateID{g}}); s.owners {
			case 0:
				none = append(none, f)
			default:
				split = append(split, f)
			}
		}
	}
	split, none = grouped(split), grouped(none)
	for _, f := range split {
		j.tell(&c, j.levelOf(f.spell, splitGrace, j.allows()), f, func() string {
			return fmt.Sprintf("%s had two owners for %s (%s-%s)%s", names(f.gates), seconds(f.lasted()), clock(f.from), clock(f.to), j.cause(f.spell))
		})
	}
	for _, f := range none {
		j.tell(&c, j.levelOf(f.spell, orphanGrace, Allowed), f, func() string {
			return fmt.Sprintf("%s had no owner for %s%s", names(f.gates), seconds(f.lasted()), j.after(f.spell))
		})
	}
	var parts []string
	if len(split) > 0 {
		c.Word = "split"
		longest := slices.MaxFunc(split, longer)
		parts = append(parts, fmt.Sprintf("%s had two owners for %s%s", names(longest.gates), seconds(longest.lasted()), j.cause(longest.spell)))
	}
	if len(none) > 0 {
		if len(split) == 0 {
			c.Word = "gap"
		}
		longest := slices.MaxFunc(none, longer)
		parts = append(parts, fmt.Sprintf("no owner for %s at most%s", seconds(longest.lasted()), j.after(longest.spell)))
	}
	if c.Text = strings.Join(parts, "; "); c.Text == "" {
		c.Text = "each had one owner throughout"
	}
	j.now(&c)
	j.cutOff(&c, 0)
	return c
}

// tell adds a finding; its text and events are made if it is kept only.
func (j *judge) tell(c *Check, level Level, f found, text func() string) {
	if len(c.Findings) < maxFindings || level != Allowed {
		c.add(Finding{Level: level, Text: text(), Events: j.around(f)})
	}
}

// found is what one or several gates had in common.
type found struct {
	spell
	gates []gateID
}

func longer(a, b found) int { return cmp.Compare(a.lasted(), b.lasted()) }

// stays returns when which node ran each gate, and when any node lived.
func (j *judge) stays() (out map[gateID][]spell, lives []spell) {
	out = make(map[gateID][]spell)
	for i := range j.histories {
		h := &j.histories[i]
		end := h.Beat
		if j.reached[h.Life] != nil {
			end = j.Now
		}
		on := make(map[gateID]time.Time)
		for k := range h.Records {
			r := &h.Records[k]
			switch at, running := on[r.Gate]; {
			case r.Kind == history.GateOn && !running:
				on[r.Gate] = r.Real
			case r.Kind == history.GateOff && running:
				out[r.Gate] = append(out[r.Gate], spell{from: at, to: latest(at, r.Real)})
				delete(on, r.Gate)
			case r.Kind == history.Ended:
				end = r.Real
			}
		}
		for g, at := range on {
			out[g] = append(out[g], spell{from: at, to: latest(at, end)})
		}
		lives = append(lives, spell{from: h.From, to: latest(h.From, end)})
	}
	return out, union(lives)
}

// ownedSpell is a spell in which a gate had another number of owners than one.
type ownedSpell struct {
	spell
	owners int
}

// blink is for how long a gate may have no owner, or two, without a word: it
// takes that to change hands.
const blink = 5 * time.Millisecond

// owned returns when a gate had no owner, though it is expected to have one from
// its first start on, or more than one.
func owned(stays, expected []spell) (out []ownedSpell) {
	type turn struct {
		at               time.Time
		owners, expected int
	}
	turns := make([]turn, 0, 2*(len(stays)+len(expected)))
	for _, s := range stays {
		turns = append(turns, turn{s.from, 1, 0}, turn{s.to, -1, 0})
	}
	for _, s := range expected {
		turns = append(turns, turn{s.from, 0, 1}, turn{s.to, 0, -1})
	}
	slices.SortFunc(turns, func(a, b turn) int { return a.at.Compare(b.at) })
	owners, due, begun := 0, 0, false
	for i, t := range turns {
		owners, due, begun = owners+t.owners, due+t.expected, begun || t.owners > 0
		if !begun || i+1 == len(turns) || turns[i+1].at.Equal(t.at) || owners == 1 || owners == 0 && due == 0 {
			continue
		}
		s := ownedSpell{spell{from: t.at, to: turns[i+1].at}, min(owners, 2)}
		if l := len(out); l > 0 && out[l-1].owners == s.owners && out[l-1].to.Equal(s.from) {
			out[l-1].to = s.to
		} else {
			out = append(out, s)
		}
	}
	return slices.DeleteFunc(out, func(s ownedSpell) bool { return s.lasted() < blink })
}

// while returns when the lot had which gates.
func (j *judge) while() map[gateID][]spell {
	out := make(map[gateID][]spell)
	since := make(map[gateID]time.Time)
	turn := func(at time.Time, total int) {
		for g := range gateIDs {
			from, there := since[g]
			switch {
			case int(g) <= total && !there:
				since[g] = at
			case int(g) > total && there:
				out[g] = append(out[g], spell{from: from, to: latest(from, at)})
				delete(since, g)
			}
		}
	}
	for _, v := range j.values("gates") {
		turn(v.at, v.value)
	}
	turn(j.Now, 0)
	return out
}

// gateIDs yields all gates that there may be.
func gateIDs(yield func(gateID) bool) {
	for g := gateID(1); int(g) <= lot.MaxGates && yield(g); g++ {
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// intersect returns when something of both is so; either is in order and disjoint.
func intersect(a, b []spell) (out []spell) {
	for len(a) > 0 && len(b) > 0 {
		s := spell{from: latest(a[0].from, b[0].from), to: a[0].to}
		if b[0].to.Before(s.to) {
			s.to = b[0].to
			b = b[1:]
		} else {
			a = a[1:]
		}
		if s.from.Before(s.to) {
			out = append(out, s)
		}
	}
	return out
}

// grouped puts gates together that had the same at about the same time.
func grouped(all []found) (out []found) {
	const about = 250 * time.Millisecond
	near := func(a, b time.Time) bool { return a.Sub(b).Abs() <= about }
	slices.SortStableFunc(all, func(a, b found) int { return a.from.Compare(b.from) })
next:
	for _, f := range all {
		for i := len(out) - 1; i >= 0 && f.from.Sub(out[i].from) <= about; i-- {
			if o := &out[i]; near(o.to, f.to) && !slices.Contains(o.gates, f.gates[0]) {
				o.gates = append(o.gates, f.gates...)
				if f.to.After(o.to) {
					o.to = f.to
				}
				continue next
			}
		}
		out = append(out, f)
	}
	return out
}

// names tells gates: "gate 1", "gates 1-3".
func names(gates []gateID) string {
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
	after := s.from
	i, _ := slices.BinarySearchFunc(j.excused, s.from.Add(-grace), func(e spell, at time.Time) int { return e.to.Compare(at) })
	for _, e := range j.excused[i:] {
		from, to := latest(e.from, after), e.to.Add(grace)
		if !from.Before(s.to) {
			break
		}
		if to.After(s.to) {
			to = s.to
		}
		if to.After(from) {
			left -= to.Sub(from)
			after = to
		}
	}
	return left
}

// levelOf is the level of a spell that the ledger allows so, or rather: if it
// did not last, or there was a fault.
func (j *judge) levelOf(s spell, grace time.Duration, allowed Level) Level {
	switch {
	case allowed == Allowed && j.unexcused(s, grace) <= grace:
		return Allowed
	case len(j.partial) > 0: // who knows what ran there
		return Open
	}
	return Breach
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
		for k := range h.Records {
			r := &h.Records[k]
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
	for g := gateID(1); int(g) <= total; g++ {
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
		if c.Word == "one each" {
			c.Word = "gap"
		}
		if len(owners) > 1 {
			c.Word = "split"
		}
		c.Text = f.Text + "; " + c.Text
		c.add(f)
	}
}

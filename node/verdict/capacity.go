package verdict

import (
	"fmt"
	"slices"
	"time"

	"parking/node/history"
)

// capacity judges for how long, and by how much, more vehicles were in the lot
// than it has spaces: of all nodes together, whoever knew of it.
func (j *judge) capacity() Check {
	m := j.model
	type step struct {
		at    time.Time
		delta int // vehicles
		op    *op
	}
	var steps []step
	for p := range m.plates {
		var stays []spell
		for _, i := range m.of(int32(p)) {
			e := &m.ops[i]
			if e.kind != history.Entered {
				continue
			}
			s := spell{from: e.real, to: j.Now, open: true}
			for _, x := range m.removers(e) {
				if x.real.Before(s.to) {
					s.to, s.open = x.real, false
				}
			}
			stays = append(stays, s)
		}
		for _, s := range union(stays) {
			steps = append(steps, step{at: s.from, delta: 1, op: m.entryAt(int32(p), s.from)})
			if !s.open {
				steps = append(steps, step{at: s.to, delta: -1})
			}
		}
	}
	for _, i := range m.sets {
		if o := &m.ops[i]; o.text == "spaces" {
			steps = append(steps, step{at: o.real, op: o})
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return a.at.Compare(b.at) })

	c := Check{Name: "capacity", Word: "kept"}
	taken, total, most := 0, 0, 0
	var over spell
	var peak, peakOf int
	var total2 time.Duration
	var worst spell
	var events []Event
	spells := 0
	end := func(at time.Time, open bool) {
		over.to, over.open = at, open
		total2 += over.lasted()
		if spells++; over.lasted() >= worst.lasted() {
			worst = over
		}
		c.add(Finding{
			Level: j.allows(), Events: events,
			Text: fmt.Sprintf("%d vehicles on %d spaces at most, for %s (%s-%s)%s", peak, peakOf, seconds(over.lasted()), clock(over.from), clock(over.to), j.cause(over)),
		})
		over = spell{}
	}
	bestPeak, bestOf := 0, 0
	for _, s := range steps {
		taken += s.delta
		if s.op != nil && s.op.kind == history.Set {
			total = m.setting("spaces", func(o *op) bool { return !o.real.After(s.at) })
		}
		most = max(most, taken)
		switch {
		case total > 0 && taken > total:
			if over.from.IsZero() {
				over.from, peak, peakOf, events = s.at, 0, 0, nil
			}
			if taken-total > peak-peakOf {
				peak, peakOf = taken, total
			}
			if peak-peakOf > bestPeak-bestOf {
				bestPeak, bestOf = peak, peakOf
			}
			if s.op != nil && len(events) < maxEvents {
				events = append(events, m.event(s.op))
			}
		case !over.from.IsZero():
			end(s.at, false)
		}
	}
	if !over.from.IsZero() {
		end(j.Now, true)
	}
	if spells == 0 {
		c.Text = fmt.Sprintf("%d of %d at most", most, total)
		if total == 0 {
			c.Text = count(most, "vehicle") + " at most"
		}
		j.cutOff(&c, 0)
		return c
	}
	until := clock(worst.to)
	if worst.open {
		until = "now"
	}
	c.Word = "over"
	c.Text = fmt.Sprintf("%d of %d at most, %s (%s-%s)%s", bestPeak, bestOf, seconds(total2), clock(worst.from), until, j.cause(worst))
	if spells > 1 {
		c.Text += fmt.Sprintf(", and %s more", count(spells-1, "spell"))
	}
	return c
}

// allows is the level of what this ledger allows and others do not.
func (j *judge) allows() Level {
	if j.Ledger == "crdt" {
		return Allowed
	}
	return Breach
}

// entryAt returns the entry of a plate that was made then.
func (m *model) entryAt(plate int32, at time.Time) *op {
	for _, i := range m.of(plate) {
		if o := &m.ops[i]; o.kind == history.Entered && o.real.Equal(at) {
			return o
		}
	}
	return nil
}

// union merges spells that touch.
func union(all []spell) (out []spell) {
	slices.SortFunc(all, func(a, b spell) int { return a.from.Compare(b.from) })
	for _, s := range all {
		if n := len(out); n > 0 && !s.from.After(out[n-1].to) {
			if s.to.After(out[n-1].to) || s.open {
				out[n-1].to, out[n-1].open = s.to, s.open
			}
			continue
		}
		out = append(out, s)
	}
	return out
}

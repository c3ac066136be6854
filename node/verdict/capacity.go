package verdict

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"parking/node/history"
)

// capacity judges for how long, and by how much, more vehicles were in the lot
// than it has spaces: of all nodes together, whoever knew of it.
func (j *judge) capacity() Check {
	m := j.model
	steps := j.visits()
	for _, v := range j.values("spaces") {
		steps = append(steps, step{at: v.at.UnixNano(), op: v.op, set: true, total: v.value})
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.at, b.at) })

	c := Check{Name: "capacity", Word: "kept"}
	taken, total, most := 0, 0, 0
	var now, longest overSpell
	var worst overSpell // by how much
	var lasted time.Duration
	spells := 0
	end := func(at time.Time, open bool) {
		now.to, now.open = at, open
		lasted += now.lasted()
		if spells++; spells == 1 || now.lasted() > longest.lasted() {
			longest = now
		}
		if now.by() > worst.by() {
			worst = now
		}
		if len(c.Findings) < maxFindings || j.allows() != Allowed {
			c.add(Finding{
				Level: j.allows(), Events: now.events,
				Text: fmt.Sprintf("%s on %s at most, for %s (%s-%s)%s", count(now.taken, "vehicle"), count(now.total, "space"), seconds(now.lasted()), clock(now.from), clock(now.to), j.cause(now.spell)),
			})
		}
		now = overSpell{}
	}
	var events []Event
	for i, s := range steps {
		taken += s.delta
		if s.set {
			total = s.total
		}
		switch {
		case s.op == nil:
		case s.set:
			events = append(events, m.event(s.op))
		case len(events) < maxEvents:
			events = append(events, m.event(s.op))
		}
		if i+1 < len(steps) && steps[i+1].at == s.at { // who comes and who goes at once count as one
			continue
		}
		most = max(most, taken)
		at := time.Unix(0, s.at)
		if total > 0 && taken > total {
			if now.from.IsZero() {
				now.from = at
			}
			if taken-total > now.by() {
				now.taken, now.total = taken, total
			}
			now.events = append(now.events, events[:min(len(events), maxEvents-len(now.events))]...)
		} else if !now.from.IsZero() {
			end(at, false)
		}
		events = events[:0]
	}
	if !now.from.IsZero() {
		end(latest(now.from, j.Now), true)
	}
	if spells == 0 {
		c.Text = fmt.Sprintf("%d of %d at most", most, total)
		if total == 0 {
			c.Text = count(most, "vehicle") + " at most"
		}
		j.cutOff(&c, 0)
		return c
	}
	until := clock(longest.to)
	if longest.open {
		until = "now"
	}
	c.Word = "over"
	c.Text = fmt.Sprintf("%d of %d at most, %s (%s-%s)%s", worst.taken, worst.total, seconds(lasted), clock(longest.from), until, j.cause(longest.spell))
	if spells > 1 {
		c.Text = fmt.Sprintf("%d of %d at most, %s in %s, the longest %s (%s-%s)%s", worst.taken, worst.total,
			seconds(lasted), count(spells, "spell"), seconds(longest.lasted()), clock(longest.from), until, j.cause(longest.spell))
	}
	j.cutOff(&c, 0)
	return c
}

// overSpell is a spell in which the lot was over.
type overSpell struct {
	spell
	taken, total int // when it was most over
	events       []Event
}

func (o overSpell) by() int { return o.taken - o.total }

// step is a vehicle that comes or goes, or a setting.
type step struct {
	at    int64 // in nanoseconds since 1970
	delta int   // vehicles
	op    *op   // nil: what was there is lost
	set   bool  // the spaces, to total
	total int
}

// visit is a spell in which a plate was in the lot.
type visit struct {
	from, to int64
	open     bool
	op       *op
}

// visits returns who came and went.
func (j *judge) visits() (steps []step) {
	m := j.model
	known := j.known()
	var all []visit
	for p := range m.plates {
		all = all[:0]
		for _, i := range m.of(int32(p)) {
			e := &m.ops[i]
			if e.kind != history.Entered {
				continue
			}
			v := visit{from: e.real.UnixNano(), to: math.MaxInt64, open: true, op: e}
			survived := known(e)
			if !survived { // it died with its node, and so did whatever took it out
				v.to, v.open = m.tapes[e.life].history.Beat.UnixNano(), false
			}
			for _, x := range m.removers(e) {
				if at := x.real.UnixNano(); at < v.to && (!survived || known(x)) {
					v.to, v.open = at, false
				}
			}
			v.to = max(v.from, v.to)
			all = append(all, v)
		}
		for _, v := range merged(all) {
			steps = append(steps, step{at: v.from, delta: 1, op: v.op})
			if !v.open {
				steps = append(steps, step{at: v.to, delta: -1})
			}
		}
	}
	return steps
}

// known returns what tells whether a change is known to a node that lives.
func (j *judge) known() func(*op) bool {
	has := make([]func(*op) bool, 0, len(j.States))
	for _, s := range j.distinct() {
		has = append(has, j.has(s))
	}
	return func(o *op) bool {
		if len(j.Unreached) > 0 || j.reached[j.model.lives[o.life]] != nil {
			return true
		}
		return slices.ContainsFunc(has, func(has func(*op) bool) bool { return has(o) })
	}
}

// merged puts visits together that touch.
func merged(all []visit) []visit {
	slices.SortFunc(all, func(a, b visit) int { return cmp.Compare(a.from, b.from) })
	out := all[:0]
	for _, v := range all {
		if n := len(out); n > 0 && v.from <= out[n-1].to {
			if v.to > out[n-1].to {
				out[n-1].to, out[n-1].open = v.to, v.open
			}
			continue
		}
		out = append(out, v)
	}
	return out
}

// allows is the level of what this ledger allows and others do not.
func (j *judge) allows() Level {
	if j.Ledger == "crdt" {
		return Allowed
	}
	return Breach
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

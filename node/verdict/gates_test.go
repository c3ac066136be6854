package verdict

import (
	"testing"
	"time"

	"parking/lot"
	"parking/node/history"
)

// session is what is played in a world with three nodes, and what comes of it.
type session struct {
	name    string
	play    func(w *world, larry, gary, harry *teller)
	want    map[string]Level
	outcome Outcome
	check   string
	says    []string
}

func play(t *testing.T, spaces int, all []session) {
	for _, c := range all {
		t.Run(c.name, func(t *testing.T) {
			tell(t, func(t *testing.T, w *world) {
				larry, gary, harry := w.three(spaces)
				time.Sleep(time.Second)
				c.play(w, larry, gary, harry)
				r := w.wants(c.want)
				if r.Outcome != c.outcome {
					t.Errorf("outcome %s, want %s", r.Outcome, c.outcome)
				}
				for _, text := range c.says {
					says(t, r, c.check, text)
				}
			})
		})
	}
}

func TestGates(t *testing.T) {
	const cut = "partition larry | gary harry"
	split := func(d time.Duration) func(w *world, l, g, h *teller) {
		return func(_ *world, l, g, _ *teller) {
			g.runs(1)
			time.Sleep(d)
			g.stops(1)
			time.Sleep(time.Minute)
		}
	}
	play(t, 100, []session{
		{"one each", func(*world, *teller, *teller, *teller) { time.Sleep(time.Minute) }, map[string]Level{"gates": ""}, Kept, "gates", []string{"one each: each had one owner throughout"}},
		{"split under a fault", func(w *world, l, g, h *teller) {
			for _, n := range []*teller{l, g, h} {
				n.fault(1, cut)
			}
			time.Sleep(20 * time.Second)
			g.runs(1)
			time.Sleep(100 * time.Second)
			for _, n := range []*teller{l, g, h} {
				n.mend(1)
			}
			time.Sleep(time.Second)
			g.stops(1)
			time.Sleep(time.Minute)
		}, map[string]Level{"gates": Allowed}, Kept, "gates", []string{"split: gate 1 had two owners for 101 s, " + cut, "gary gate 1 started", "gary gate 1 stopped"}},
		{"split and stays so after the heal", func(w *world, l, g, h *teller) {
			l.fault(1, cut)
			g.runs(1)
			time.Sleep(20 * time.Second)
			l.mend(1)
			time.Sleep(11 * time.Second)
			g.stops(1)
			time.Sleep(time.Minute)
		}, map[string]Level{"gates": Breach}, Broken, "gates", []string{"two owners for 31 s"}},
		{"split without a fault", split(20 * time.Second), map[string]Level{"gates": Breach}, Broken, "gates", []string{"split: gate 1 had two owners for 20 s"}},
		{"split for a moment", split(time.Second), map[string]Level{"gates": Allowed}, Kept, "gates", []string{"two owners for 1 s"}},
		{"split and a history is damaged", func(w *world, l, g, h *teller) {
			split(20*time.Second)(w, l, g, h)
			h.damaged = true
		}, map[string]Level{"gates": Open, "lost": Open, "resurrected": Open, "capacity": Open, "refusals": Open}, Inconclusive, "gates", nil},
		{"handed over in a blink", func(_ *world, l, g, _ *teller) {
			l.stops(1)
			time.Sleep(4 * time.Millisecond)
			g.runs(1)
			time.Sleep(time.Second)
			l.runs(1)
			time.Sleep(4 * time.Millisecond)
			g.stops(1)
			time.Sleep(time.Second)
		}, map[string]Level{"gates": ""}, Kept, "gates", []string{"one each"}},
		{"no owner after a death", func(_ *world, l, g, h *teller) {
			l.crash()
			time.Sleep(1500 * time.Millisecond)
			g.runs(1)
			time.Sleep(time.Second)
		}, map[string]Level{"gates": Allowed}, Kept, "gates", []string{"gap: no owner for 1.5 s at most after larry died", "gate 1 had no owner for 1.5 s after larry died"}},
		{"no owner for long", func(_ *world, l, g, h *teller) {
			l.crash()
			time.Sleep(21 * time.Second)
			g.runs(1)
			time.Sleep(time.Second)
		}, map[string]Level{"gates": Breach}, Broken, "gates", []string{"no owner for 21 s after larry died"}},
		{"more gates, and the setting dies with who made it", func(_ *world, l, g, h *teller) {
			g.set("gates", 3, "")
			g.runs(2)
			g.runs(3)
			time.Sleep(time.Second)
			g.crash()
			time.Sleep(time.Minute)
		}, map[string]Level{"gates": ""}, Kept, "gates", []string{"one each"}},
		{"more gates, and the setting outlives who made it", func(_ *world, l, g, h *teller) {
			l.hears(g.set("gates", 3, ""))
			g.runs(2)
			g.runs(3)
			time.Sleep(time.Second)
			g.crash()
			time.Sleep(time.Minute)
			h.joins(l)
			l.runs(2)
			l.runs(3)
		}, map[string]Level{"gates": Breach}, Broken, "gates", []string{"no owner for 60 s after gary died"}},
		{"no owner for long, and who ran it has no history", func(_ *world, l, g, h *teller) {
			l.stops(1)
			n := h.w.node("curly")
			n.mute = true
			g.hears(n.make(history.Record{Kind: history.Wrote})) // its claim
			n.crash()
			time.Sleep(30 * time.Second)
			l.joins(g)
			h.joins(g)
			g.runs(1)
		}, map[string]Level{"gates": Open, "lost": Open, "resurrected": Open, "capacity": Open, "refusals": Open}, Inconclusive, "gates", []string{"the history of curly is not whole"}},
		{"nobody lived", func(w *world, l, g, h *teller) {
			l.crash()
			g.crash()
			h.crash()
			time.Sleep(time.Hour)
			n := w.node("larry")
			n.set("spaces", 100, history.Founding)
			n.set("gates", 1, history.Founding)
			n.runs(1)
			time.Sleep(time.Second)
		}, map[string]Level{"gates": ""}, Kept, "gates", nil},
		{"gates that were taken away and added", func(_ *world, l, g, h *teller) {
			all := []*change{l.set("gates", 3, "")}
			l.runs(2, 3)
			time.Sleep(time.Second)
			all = append(all, l.set("gates", 2, ""))
			l.stops(3)
			time.Sleep(time.Minute)
			all = append(all, l.set("gates", 4, ""))
			g.runs(3, 4)
			time.Sleep(time.Second)
			g.hears(all...)
			h.hears(all...)
		}, map[string]Level{"gates": ""}, Kept, "gates", []string{"one each"}},
		{"a gate that was added and never started", func(_ *world, l, g, h *teller) {
			s := l.set("gates", 2, "")
			g.hears(s)
			h.hears(s)
			time.Sleep(time.Second)
			w := l.w
			w.e.Waited = true
		}, map[string]Level{"gates": Breach}, Broken, "gates", []string{"gate 2 runs nowhere just now, with no fault in force, and stays so"}},
		{"two owners at the end", func(w *world, l, g, h *teller) {
			g.runs(1)
			time.Sleep(time.Second)
		}, map[string]Level{"gates": Open}, Inconclusive, "gates", []string{"gate 1 runs on larry gary just now"}},
		{"two owners at the end, and they stay", func(w *world, l, g, h *teller) {
			g.runs(1)
			time.Sleep(time.Second)
			w.e.Waited = true
		}, map[string]Level{"gates": Breach}, Broken, "gates", []string{"split: gate 1 runs on larry gary just now, with no fault in force, and stays so"}},
		{"two owners at the end under a fault", func(w *world, l, g, h *teller) {
			l.fault(1, cut)
			g.runs(1)
			time.Sleep(time.Hour)
			w.e.Waited = true
		}, map[string]Level{"gates": Allowed}, Kept, "gates", []string{"two owners for 3600 s", cut}},
	})
}

func TestCapacity(t *testing.T) {
	enter := func(n *teller, all ...lot.Plate) (out []*change) {
		for _, p := range all {
			out = append(out, n.enter(p))
		}
		return out
	}
	play(t, 2, []session{
		{"full and not over", func(w *world, l, g, h *teller) {
			all := enter(l, "A", "B")
			time.Sleep(time.Second)
			all = append(all, l.exit("A"))
			all = append(all, enter(l, "C")...) // at the same instant
			g.hears(all...)
			h.hears(all...)
		}, map[string]Level{"capacity": ""}, Kept, "capacity", []string{"kept: 2 of 2 at most"}},
		{"over from both sides", func(w *world, l, g, h *teller) {
			l.fault(1, "partition larry | gary harry")
			a, b := enter(l, "A", "B"), enter(g, "C", "D")
			time.Sleep(8 * time.Second)
			c := append(a, b...)
			c = append(c, l.exit("A"), g.exit("C"))
			l.mend(1)
			for _, n := range []*teller{l, g, h} {
				n.hears(c...)
			}
			time.Sleep(time.Minute)
		}, map[string]Level{"capacity": Allowed}, Kept, "capacity", []string{"over: 4 of 2 at most, 8 s", "partition larry | gary harry", "4 vehicles on 2 spaces at most, for 8 s", "gary D came in"}},
		{"the same plate twice is one vehicle", func(w *world, l, g, h *teller) {
			all := append(enter(l, "A", "B"), enter(g, "A", "B")...)
			for _, n := range []*teller{l, g, h} {
				n.hears(all...)
			}
		}, map[string]Level{"capacity": ""}, Kept, "capacity", []string{"kept: 2 of 2 at most"}},
		{"over twice, and now", func(w *world, l, g, h *teller) {
			all := enter(l, "A", "B", "C")
			time.Sleep(2 * time.Second)
			all = append(all, l.exit("C"))
			time.Sleep(2 * time.Second)
			all = append(all, enter(g, "D", "E")...)
			time.Sleep(3 * time.Second)
			g.hears(all...)
			l.hears(all...)
			h.hears(all...)
		}, map[string]Level{"capacity": Allowed}, Kept, "capacity", []string{"4 of 2 at most, 5 s in 2 spells, the longest 3 s", "-now"}},
		{"over since there are fewer spaces", func(w *world, l, g, h *teller) {
			all := enter(l, "A", "B")
			time.Sleep(time.Second)
			all = append(all, l.set("spaces", 1, ""))
			time.Sleep(time.Second)
			all = append(all, l.set("spaces", 3, ""))
			time.Sleep(time.Second)
			g.hears(all...)
			h.hears(all...)
		}, map[string]Level{"capacity": Allowed}, Kept, "capacity", []string{"over: 2 of 1 at most, 1 s", "larry set spaces"}},
		{"what died with its node is out with it", func(w *world, l, g, h *teller) {
			enter(g, "A", "B")
			time.Sleep(time.Second)
			g.crash()
			time.Sleep(time.Second)
			h.hears(enter(l, "C", "D")...)
			time.Sleep(time.Second)
		}, map[string]Level{"capacity": ""}, Kept, "capacity", []string{"kept: 2 of 2 at most"}},
		{"an exit that died with its node was none", func(w *world, l, g, h *teller) {
			all := enter(l, "A", "B")
			g.hears(all...)
			g.exit("A")
			g.crash()
			time.Sleep(time.Second)
			all = append(all, enter(l, "C")...)
			time.Sleep(time.Second)
			h.hears(all...)
		}, map[string]Level{"capacity": Allowed}, Kept, "capacity", []string{"over: 3 of 2 at most, 1 s"}},
	})
}

func TestRefusals(t *testing.T) {
	through := func(n *teller, p lot.Plate) *change {
		c := n.enter(p)
		n.answer(c, GateEnter, 0)
		return c
	}
	play(t, 2, []session{
		{"fair", func(w *world, l, g, h *teller) {
			a := through(l, "A")
			l.refuse(lot.Present, "A")
			g.refuse(lot.Absent, "A") // has not heard of it
			g.hears(a)
			g.refuse(lot.Present, "A")
			b := through(g, "B")
			g.refuse(lot.Full, "C")
			x := g.exit("A")
			g.refuse(lot.Absent, "A")
			l.hears(b, x)
			h.hears(a, b, x)
		}, map[string]Level{"refusals": ""}, Kept, "refusals", []string{"fair: 7 decisions justified by what the node could know"}},
		{"present and not there", func(w *world, l, g, h *teller) {
			l.refuse(lot.Present, "A")
		}, map[string]Level{"refusals": Breach}, Broken, "refusals", []string{"larry refused track_entry A: it was not in the lot, by all that the node had seen"}},
		{"absent and there", func(w *world, l, g, h *teller) {
			a := l.enter("A")
			g.hears(a)
			h.hears(a)
			g.refuse(lot.Absent, "A")
		}, map[string]Level{"refusals": Breach}, Broken, "refusals", []string{"it was in the lot, by what the node had seen"}},
		{"full and not", func(w *world, l, g, h *teller) {
			a := l.enter("A")
			g.hears(a)
			h.hears(a)
			l.refuse(lot.Full, "B")
		}, map[string]Level{"refusals": Breach}, Broken, "refusals", []string{"1 of 2 spaces were taken"}},
		{"full once fewer spaces were set", func(w *world, l, g, h *teller) {
			a, s := l.enter("A"), h.set("spaces", 1, "")
			l.hears(s)
			g.hears(a, s)
			h.hears(a)
			l.refuse(lot.Full, "B")
		}, map[string]Level{"refusals": ""}, Kept, "refusals", nil},
		{"let into a full lot", func(w *world, l, g, h *teller) {
			all := []*change{through(l, "A"), through(l, "B"), through(l, "C")}
			g.hears(all...)
			h.hears(all...)
		}, map[string]Level{"refusals": Breach}, Broken, "refusals", []string{"gate 1 on larry let C in where 2 of 2 spaces were taken"}},
		{"let in at both sides", func(w *world, l, g, h *teller) {
			a := []*change{through(l, "A"), through(l, "B")}
			b := []*change{through(g, "C"), through(g, "D")}
			for _, n := range []*teller{l, g, h} {
				n.hears(a...)
				n.hears(b...)
			}
		}, map[string]Level{"refusals": "", "capacity": Allowed}, Kept, "refusals", nil},
		{"recorded, not let in", func(w *world, l, g, h *teller) {
			all := []*change{l.enter("A"), l.enter("B"), l.ack(l.enter("C"), 0)}
			g.hears(all...)
			h.hears(all...)
		}, map[string]Level{"refusals": "", "capacity": Allowed}, Kept, "refusals", nil},
		{"there still for who has not heard of the exit of a conflict", func(w *world, l, g, h *teller) {
			a, b := l.enter("A"), g.enter("A")
			h.hears(a)
			x := h.exit("A")
			l.hears(b, x) // l's own is out, g's is not
			l.refuse(lot.Present, "A")
			g.hears(a, x)
			h.hears(b)
			h.refuse(lot.Present, "A")
		}, map[string]Level{"refusals": ""}, Kept, "refusals", nil},
	})
}

package verdict

import (
	"strings"
	"testing"
	"time"

	"parking/lot"
	"parking/node/history"
)

// says fails the test unless a check's findings say that somewhere.
func says(t *testing.T, r Report, check, text string) {
	t.Helper()
	for _, c := range r.Checks {
		if c.Name != check {
			continue
		}
		all := c.Word + ": " + c.Text
		for _, f := range c.Findings {
			all += "\n" + f.Text
			for _, e := range f.Events {
				all += "\n  " + e.Node + " " + e.Text
			}
		}
		if !strings.Contains(all, text) {
			t.Errorf("%s says\n%s\nand not %q", check, all, text)
		}
	}
}

// Each is a session of three nodes, of which larry founded the lot and runs the
// gate, and what the checks come to.
func TestChanges(t *testing.T) {
	for _, c := range []struct {
		name  string
		play  func(w *world, larry, gary, harry *teller)
		want  map[string]Level
		check string // says
		text  string
	}{
		{"an entry all have", func(_ *world, l, g, h *teller) {
			e := l.ack(l.enter("A"), 0)
			g.hears(e)
			h.hears(e)
		}, map[string]Level{"converged": "", "lost": "", "resurrected": "", "capacity": "", "gates": "", "refusals": ""}, "lost", "none: 1 acknowledged change accounted for"},
		{"an entry that its node lost", func(_ *world, l, _, _ *teller) {
			e := l.ack(l.enter("A"), 0)
			delete(l.all, e.dot)
		}, map[string]Level{"lost": Breach}, "lost", "larry itself does not have it any more"},
		{"an entry that was never made", func(_ *world, l, _, _ *teller) {
			l.log.Add(history.Record{Kind: history.Answered, Text: "track_entry", Plate: "A", Gate: 1, Stamp: l.stamp})
		}, map[string]Level{"lost": Breach}, "lost", "1: track_entry A, answered ok on larry: nothing was recorded"},
		{"died with its node before anybody had it", func(_ *world, _, g, _ *teller) {
			g.ack(g.enter("A"), 0)
			g.crash()
		}, map[string]Level{"lost": Allowed}, "lost", "it died with gary before another node had it"},
		{"died with its node though others were to have it", func(_ *world, _, g, _ *teller) {
			g.ack(g.enter("A"), 1)
			g.crash()
		}, map[string]Level{"lost": Breach}, "lost", "once 1 other node had it"},
		{"died with all that were to have it", func(_ *world, _, g, h *teller) {
			h.hears(g.ack(g.enter("A"), 1))
			g.crash()
			h.crash()
		}, map[string]Level{"lost": Allowed}, "lost", "it died with gary harry"},
		{"one that lives had it once", func(w *world, _, g, h *teller) {
			e := g.ack(g.enter("A"), 0)
			h.hears(e)
			g.crash()
			delete(h.all, e.dot)
			time.Sleep(time.Minute)
		}, map[string]Level{"lost": Breach}, "lost", "harry had it, and does not have it any more"},
		{"only one that is not reached has it", func(_ *world, _, g, _ *teller) {
			g.ack(g.enter("A"), 0)
			g.silent = true
		}, map[string]Level{"lost": Open, "converged": Open}, "lost", "only a node that cannot be reached has it"},
		{"seen and not held", func(_ *world, l, g, _ *teller) {
			e := l.enter("A")
			g.hears(e)
			g.gone[e.dot] = true
		}, map[string]Level{"lost": Breach, "converged": Open}, "lost", "gary has seen that A came in on larry, and does not hold it"},
		{"an exit undone", func(_ *world, l, g, _ *teller) {
			e := l.enter("A")
			g.hears(e)
			l.hears(g.exit("A"))
			delete(l.gone, e.dot)
		}, map[string]Level{"resurrected": Breach, "converged": Open}, "resurrected", "larry holds an entry of A that gary had seen when A went out"},
		{"held and not seen", func(w *world, l, _, _ *teller) {
			l.enter("A")
			w.e.States = []State{{Life: l.life, Live: []Live{{l.life, 3, "A"}}}}
			l.crash()
		}, map[string]Level{"resurrected": Breach, "converged": Open}, "resurrected", "it says it has not seen"},
		{"an exit that had not seen an entry leaves it", func(_ *world, l, g, h *teller) {
			a := l.enter("A")
			g.hears(a)
			b := h.enter("A")
			x := g.exit("A")
			for _, n := range []*teller{l, g, h} {
				n.hears(x, b, a)
			}
		}, map[string]Level{"lost": "", "resurrected": "", "converged": ""}, "resurrected", "1 exit stands"},
		{"and an exit that takes it out nevertheless", func(_ *world, l, g, h *teller) {
			a := l.enter("A")
			g.hears(a)
			b := h.enter("A")
			x := g.exit("A")
			for _, n := range []*teller{l, g, h} {
				n.hears(x, b, a)
				n.gone[b.dot] = true
			}
		}, map[string]Level{"lost": Breach, "converged": ""}, "lost", "came in on harry, and does not hold it"},
		{"an exit that died, and an entry after it that did not", func(_ *world, l, g, h *teller) {
			a := l.enter("A")
			for _, n := range []*teller{g, h} {
				n.hears(a)
			}
			g.exit("A")
			b := g.enter("A")
			l.hears(b)
			h.hears(b)
			g.crash()
		}, map[string]Level{"lost": "", "resurrected": "", "converged": ""}, "", ""},
		{"an entry that nobody made", func(_ *world, l, g, h *teller) {
			c := &change{dot: dot{l.life, 9}, Record: history.Record{Kind: history.Entered, Plate: "GHOST"}}
			for _, n := range []*teller{l, g, h} {
				n.apply(c)
			}
		}, map[string]Level{"lost": Breach, "converged": ""}, "lost", "GHOST"},
		{"an entry under another plate", func(_ *world, l, g, h *teller) {
			c := l.enter("A")
			g.hears(c)
			other := *c
			other.Plate = "B"
			h.hears(&other)
		}, map[string]Level{"lost": Breach, "converged": Breach}, "lost", "A"},
		{"of two founders the earlier rules", func(w *world, l, g, h *teller) {
			time.Sleep(time.Second)
			n := w.node("curly")
			c, d := n.set("spaces", 7, history.Founding), n.set("gates", 2, history.Founding)
			for _, o := range []*teller{l, g, h} {
				o.hears(c, d)
			}
			n.joins(l)
		}, map[string]Level{"lost": "", "converged": ""}, "", ""},
		{"of two that founded at once it is one", func(w *world, l, g, h *teller) {
			n, m := w.node("curly"), w.node("moe")
			all := []*change{n.set("spaces", 7, history.Founding), m.set("spaces", 8, history.Founding)}
			for _, o := range w.nodes {
				o.hears(all...)
				o.joins(l)
			}
		}, map[string]Level{"lost": "", "converged": ""}, "", ""},
		{"what was set rules over what was founded", func(w *world, l, g, h *teller) {
			s := g.set("spaces", 7, "")
			time.Sleep(time.Second)
			n := w.node("curly")
			c, d := n.set("spaces", 9, history.Founding), n.set("gates", 1, history.Founding)
			for _, o := range w.nodes {
				o.hears(s, c, d)
			}
			n.joins(l)
		}, map[string]Level{"lost": "", "converged": ""}, "", ""},
		{"a setting that a node did not take over", func(_ *world, l, g, h *teller) {
			s := l.set("spaces", 7, "")
			g.hears(s)
			h.hears(s)
			s.Kind = history.Wrote // as they hold it
			for _, n := range []*teller{l, g, h} {
				for d := range n.gone {
					delete(n.gone, d)
				}
			}
		}, map[string]Level{"lost": Breach, "converged": ""}, "lost", "has spaces 100, and by what it has seen they were set to 7"},
		{"a history that begins late", func(_ *world, l, g, h *teller) {
			for _, p := range []lot.Plate{"A", "B", "C"} {
				c := l.enter(p)
				g.hears(c)
				h.hears(c)
			}
			l.cut = 4
		}, map[string]Level{"lost": Open, "gates": Open, "resurrected": Open, "refusals": Open, "capacity": Open}, "lost", "the history of larry is not whole"},
		{"a damaged history", func(_ *world, l, g, h *teller) {
			c := l.enter("A")
			g.hears(c)
			h.hears(c)
			g.damaged = true
		}, map[string]Level{"lost": Open, "gates": Open, "resurrected": Open, "refusals": Open, "capacity": Open}, "lost", "the history of gary is not whole"},
		{"no history of one that is dead", func(_ *world, l, g, h *teller) {
			c := g.enter("A")
			l.hears(c)
			h.hears(c)
			g.crash().mute = true
		}, map[string]Level{"lost": Open, "gates": Open, "resurrected": Open, "refusals": Open, "capacity": Open}, "lost", "the history of gary is not whole"},
		{"no history of one that lives", func(_ *world, _, g, _ *teller) {
			g.enter("A")
			g.mute = true
		}, map[string]Level{"lost": Open, "gates": Open, "resurrected": Open, "refusals": Open, "capacity": Open, "converged": Open}, "lost", "the history of gary is not whole"},
		{"states that differ, and faults", func(_ *world, l, _, _ *teller) {
			l.enter("A")
			l.fault(1, "partition larry | gary harry")
		}, map[string]Level{"converged": Allowed}, "converged", "while faults are in force"},
		{"states that differ, and stay so", func(w *world, l, _, _ *teller) {
			l.enter("A")
			w.e.Waited = true
		}, map[string]Level{"converged": Breach}, "converged", "do not come to hold the same"},
		{"states that differ, and are written to", func(w *world, l, _, _ *teller) {
			l.enter("A")
			w.e.Waited, w.e.Writing = true, true
		}, map[string]Level{"converged": Open}, "", ""},
		{"seen the same and not equal", func(_ *world, l, g, h *teller) {
			e := l.enter("A")
			g.hears(e)
			h.hears(e)
			g.gone[e.dot] = true
		}, map[string]Level{"converged": Breach, "lost": Breach}, "converged", "have seen the same changes and hold different states"},
		{"one is not reached", func(_ *world, _, g, _ *teller) { g.silent = true }, map[string]Level{"converged": Open}, "converged", "not reached: gary"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tell(t, func(t *testing.T, w *world) {
				larry, gary, harry := w.three(100)
				time.Sleep(time.Second)
				c.play(w, larry, gary, harry)
				r := w.wants(c.want)
				want := Kept
				for _, l := range c.want {
					switch {
					case l == Breach:
						want = Broken
					case l == Open && want != Broken:
						want = Inconclusive
					}
				}
				if r.Outcome != want {
					t.Errorf("outcome %s, want %s", r.Outcome, want)
				}
				if c.text != "" {
					says(t, r, c.check, c.text)
				}
			})
		})
	}
}

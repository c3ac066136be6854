package verdict

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"parking/lot"
	"parking/node/history"
)

var seedFlag = flag.Uint64("verdict.seed", 0, "replay the random session of that seed")

// gate sends a vehicle in through a gate at this node.
func (n *teller) gate(p lot.Plate) *change {
	switch {
	case len(n.in(p)) > 0:
		n.log.Add(history.Record{Kind: history.Refused, Text: GateEnter, Plate: p, Code: lot.Present})
		return nil
	case n.taken() >= n.setting("spaces") && !n.w.slip.letIn:
		n.log.Add(history.Record{Kind: history.Refused, Text: GateEnter, Plate: p, Code: lot.Full})
		return nil
	}
	c := n.enter(p)
	n.answer(c, GateEnter, 0)
	return c
}

// command is what a user does at random.
func (n *teller) command(r *rand.Rand, plates int) {
	p := lot.Plate(fmt.Sprint("P", r.IntN(plates)))
	var c *change
	in, k := len(n.in(p)) > 0, r.IntN(20)
	switch {
	case k == 0:
		c = n.set("spaces", 1+r.IntN(plates), "")
		n.answer(c, "set", 0)
		return
	case k < 5:
		c = n.gate(p)
	case k < 12 && in:
		n.refuse(lot.Present, p)
	case k < 12:
		c = n.ack(n.enter(p), 0)
	case !in:
		n.log.Add(history.Record{Kind: history.Refused, Text: "track_exit", Plate: p, Code: lot.Absent})
	default:
		c = n.ack(n.exit(p), 0)
	}
	if c != nil && n.w.slip.loseOwn && r.IntN(8) == 0 {
		delete(n.all, c.dot)
	}
}

// random plays a session: changes at all nodes, that reach others in any order,
// late or never; crashes and restarts; at the end all that live exchange what
// they have.
func (w *world) random(r *rand.Rand) {
	nodes, plates := 2+r.IntN(4), 2+r.IntN(8)
	founders := 1 + r.IntN(2)
	for i := range nodes {
		n := w.node(fmt.Sprint("n", i))
		if i < founders {
			n.set("spaces", 1+r.IntN(plates), history.Founding)
			n.set("gates", 1, history.Founding)
			time.Sleep(time.Duration(r.IntN(2)) * time.Millisecond)
		}
	}
	living := func() (out []*teller) {
		for _, n := range w.nodes {
			if n.dead == nil {
				out = append(out, n)
			}
		}
		return out
	}
	for range 50 + r.IntN(250) {
		all := living()
		n, o := all[r.IntN(len(all))], all[r.IntN(len(all))]
		switch k := r.IntN(100); {
		case k < 50:
			n.command(r, plates)
		case k < 85: // some of what the other has, in any order
			cs := o.sorted()
			r.Shuffle(len(cs), func(i, j int) { cs[i], cs[j] = cs[j], cs[i] })
			n.hears(cs[:r.IntN(len(cs)+1)]...)
		case k < 93:
			n.joins(o)
		case k < 95 && len(all) > 1:
			n.crash()
			w.node(n.life.Node).joins(o)
		default:
			time.Sleep(time.Duration(r.IntN(3000)) * time.Microsecond)
		}
	}
	for range 2 {
		for _, n := range living() {
			for _, o := range living() {
				n.joins(o)
			}
		}
	}
	for _, n := range living() {
		if r.IntN(15) == 0 {
			n.silent = true
			break
		}
	}
	living()[0].runs(1)
	w.e.Waited = true
}

// rounds plays random sessions and counts the verdicts.
func rounds(t *testing.T, n int, planted slip, judge func(w *world, seed uint64)) {
	t.Helper()
	seed := *seedFlag
	if seed != 0 {
		n = 1
	} else {
		seed = rand.Uint64()
	}
	t.Logf("-verdict.seed=%d, and %d after it", seed, n-1)
	for i := range uint64(n) {
		synctest.Test(t, func(t *testing.T) {
			w := &world{t: t, e: Evidence{Ledger: "crdt"}, slip: planted}
			w.random(rand.New(rand.NewPCG(seed+i, 0)))
			judge(w, seed+i)
		})
	}
}

// A kernel that keeps its promises is never told that it broke one.
func TestRandomSessionsAreNotBroken(t *testing.T) {
	n := 600
	if testing.Short() {
		n = 100
	}
	kept := 0
	rounds(t, n, slip{}, func(w *world, seed uint64) {
		r := w.judge()
		if r.Outcome == Kept {
			kept++
		}
		for _, c := range r.Checks {
			if level(c) == Breach {
				w.t.Errorf("-verdict.seed=%d: %s: %s\n%+v", seed, c.Name, c.Text, c.Findings)
			}
		}
	})
	t.Logf("%d kept", kept)
}

// One that does not is found out.
func TestRandomSessionsFindSlips(t *testing.T) {
	for _, c := range []struct {
		name string
		slip
		checks []string
	}{
		{"an entry of another's is forgotten", slip{forgetEntry: true}, []string{"lost"}},
		{"an exit of another's is not carried out", slip{keepExited: true}, []string{"resurrected"}},
		{"an exit takes out what its node had not seen", slip{takeUnseen: true}, []string{"lost"}},
		{"a setting is not taken over", slip{keepSetting: true}, []string{"lost"}},
		{"what was acknowledged is lost", slip{loseOwn: true}, []string{"lost"}},
		{"what was seen is not said to be", slip{forgetSeen: true}, []string{"lost", "resurrected"}},
		{"an entry comes in again", slip{again: true}, []string{"resurrected"}},
		{"a gate lets in who finds no space", slip{letIn: true}, []string{"refusals"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := 0
			n := 100
			rounds(t, n, c.slip, func(w *world, _ uint64) {
				for _, k := range w.judge().Checks {
					for _, name := range c.checks {
						if k.Name == name && level(k) == Breach {
							found++
							return
						}
					}
				}
			})
			if t.Logf("found in %d of %d sessions", found, n); found == 0 {
				t.Errorf("not found by %v", c.checks)
			}
		})
	}
}

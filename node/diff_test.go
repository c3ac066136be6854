package node_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"parking/lot"
	"parking/lot/crdt"
	"parking/node"
)

// said renders changes shortly: what was done, and on which replica.
func said(c node.Changes) (lines []string) {
	for _, x := range c.First {
		what := [...]string{crdt.Entry: "enter", crdt.Exit: "exit", crdt.Register: "set"}[x.Kind]
		lines = append(lines, fmt.Sprintf("%s %s%s %d %s", what, x.Plate, x.Setting, x.Gate, x.Node))
	}
	return lines
}

func (l *lab) diff(n *lively, with string) node.Difference {
	l.t.Helper()
	d, err := n.Diff(l.t.Context(), with)
	if err != nil {
		l.t.Fatal(err)
	}
	return d
}

func (l *lab) do(errs ...error) {
	l.t.Helper()
	for _, err := range errs {
		if err != nil {
			l.t.Fatal(err)
		}
	}
}

func (n *lively) track(t *testing.T, out bool, plates ...lot.Plate) {
	t.Helper()
	for _, p := range plates {
		if _, err := n.Track(t.Context(), node.Movement{Plate: p, Gate: 1, Out: out}); err != nil {
			t.Fatal(err)
		}
	}
}

// partition cuts larry off, and waits until all have noticed.
func (l *lab) partition(n *lively) {
	l.t.Helper()
	if untold, err := n.Partition(l.t.Context(), [][]string{{n.Name()}}, "cut"); err != nil || len(untold) > 0 {
		l.t.Fatalf("%v, untold %v", err, untold)
	}
	l.eventually(20*time.Second, "the cut to be noticed", func() bool {
		for _, n := range l.living() {
			alive := 0
			for _, m := range n.Members() {
				if m.Status == "alive" {
					alive++
				}
			}
			if alive == len(l.living()) {
				return false
			}
		}
		return true
	})
	time.Sleep(2 * time.Second)
}

func (l *lab) rejoin(n *lively) {
	l.t.Helper()
	if _, untold, apart, err := n.Heal(l.t.Context(), node.Selection{All: true}); err != nil || len(untold)+len(apart) > 0 {
		l.t.Fatalf("%v, untold %v, apart %v", err, untold, apart)
	}
	l.settled(5 * time.Second)
}

// While two nodes are cut from each other, each can tell what only one of them
// has, and neither changes by that.
func TestDiffAcrossACut(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		all := l.cluster("larry", "gary")
		larry, gary := all[0], all[1]
		larry.track(t, false, "BOTH", "GOES")
		l.settled(3 * time.Second)
		if d := l.diff(larry, "gary"); !d.Same || d.Ours != gary.Digest() || !d.Here.None() || !d.There.None() {
			t.Errorf("when all is equal: %+v", d)
		}
		l.partition(larry)
		larry.track(t, false, "LARRYS")
		gary.track(t, true, "GOES")
		gary.track(t, false, "GARYS")
		l.do(gary.SetSpaces(t.Context(), 7))
		before := [2]crdt.Digest{larry.Digest(), gary.Digest()}
		d := l.diff(larry, "gary")
		if d.Same || d.Whole || d.Ours != before[0] || d.Theirs != before[1] {
			t.Errorf("after the cut: %+v", d)
		}
		if want := []string{"enter LARRYS 1 larry"}; !slices.Equal(said(d.Here), want) || d.Here.More > 0 {
			t.Errorf("only here: %q and %d more, want %q", said(d.Here), d.Here.More, want)
		}
		if want := []string{"exit GOES 1 gary", "enter GARYS 1 gary", "set spaces 7 0 gary"}; !slices.Equal(said(d.There), want) || d.There.More > 0 {
			t.Errorf("only on gary: %q and %d more, want %q", said(d.There), d.There.More, want)
		}
		if d.There.Gates == 0 {
			t.Error("gary took the gates over, and that is not told")
		}
		back := l.diff(gary, "larry")
		if !slices.Equal(said(back.Here), said(d.There)) || !slices.Equal(said(back.There), said(d.Here)) {
			t.Errorf("the other way round: here %q, there %q", said(back.Here), said(back.There))
		}
		time.Sleep(5 * time.Second)
		if now := [2]crdt.Digest{larry.Digest(), gary.Digest()}; now != before {
			t.Error("looking has changed a replica")
		}
		l.rejoin(larry)
		if d := l.diff(larry, "gary"); !d.Same {
			t.Errorf("after the heal: %+v", d)
		}
	})
}

// Who is looked at is not made to pull by that, even where it could.
func TestDiffMakesNobodyPull(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		l.mangle(1, 0, 0) // gossip loses all
		l.setup = func(c *node.Config) { c.Pull = time.Hour }
		larry, gary := l.start("larry"), l.start("gary")
		time.Sleep(10 * time.Second)
		larry.track(t, false, "LARRYS")
		gary.track(t, false, "GARYS")
		before := gary.Digest()
		d := l.diff(larry, "gary")
		if !slices.Equal(said(d.Here), []string{"enter LARRYS 1 larry"}) || !slices.Equal(said(d.There), []string{"enter GARYS 1 gary"}) {
			t.Errorf("here %q, there %q", said(d.Here), said(d.There))
		}
		time.Sleep(100 * time.Millisecond)
		if gary.Digest() != before || gary.has("LARRYS") || larry.has("GARYS") {
			t.Error("looking has changed a replica")
		}
	})
}

// What would take a whole state to be told is compared by what is live.
func TestDiffOfWholeStates(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		all := l.cluster("larry", "gary")
		larry, gary := all[0], all[1]
		larry.track(t, false, "BOTH", "LARRYS EXIT", "GARYS EXIT")
		l.settled(3 * time.Second)
		l.partition(larry)
		larry.track(t, true, "LARRYS EXIT")
		gary.track(t, true, "GARYS EXIT")
		for range 700 { // much more than the lots hold
			larry.track(t, false, "BUSY")
			larry.track(t, true, "BUSY")
		}
		larry.track(t, false, "LARRYS")
		gary.track(t, false, "GARYS")
		here := []string{"exit LARRYS EXIT 1 larry", "enter LARRYS 1 larry"}
		exact := []string{"exit GARYS EXIT 1 gary", "enter GARYS 1 gary"}
		if d := l.diff(larry, "gary"); !d.Whole || !slices.Equal(said(d.There), exact) || !slices.Equal(said(d.Here), here) || d.Here.More > 0 {
			t.Errorf("larry here: whole %v, here %q and %d more, there %q", d.Whole, said(d.Here), d.Here.More, said(d.There))
		}
		there := []string{"exit LARRYS EXIT 0 ", "enter LARRYS 1 larry"}
		if d := l.diff(gary, "larry"); !d.Whole || !slices.Equal(said(d.Here), exact) || !slices.Equal(said(d.There), there) {
			t.Errorf("gary here: whole %v, here %q, there %q", d.Whole, said(d.Here), said(d.There))
		}
		for range 700 {
			gary.track(t, false, "BUSY")
			gary.track(t, true, "BUSY")
		}
		there = []string{"exit GARYS EXIT 0 ", "enter GARYS 1 gary"}
		if d := l.diff(larry, "gary"); !d.Whole || !slices.Equal(said(d.Here), here) || !slices.Equal(said(d.There), there) {
			t.Errorf("both: whole %v, here %q, there %q", d.Whole, said(d.Here), said(d.There))
		}
		l.rejoin(larry)
	})
}

func TestDiffIsBounded(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		all := l.cluster("larry", "gary")
		l.partition(all[0])
		for i := range 500 {
			all[1].track(t, false, plate(i))
		}
		d := l.diff(all[0], "gary")
		if len(d.There.First) != node.MaxDiff || d.There.More != 500-node.MaxDiff || d.There.First[3].Plate != plate(3) {
			t.Errorf("%d and %d more: %q", len(d.There.First), d.There.More, said(d.There))
		}
		if d := l.diff(all[1], "larry"); len(d.Here.First) != node.MaxDiff || d.Here.More != 500-node.MaxDiff {
			t.Errorf("%d and %d more: %q", len(d.Here.First), d.Here.More, said(d.Here))
		}
	})
}

func TestDiffRefuses(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry := l.cluster("larry", "gary", "harry")[0]
		l.crash("gary")
		for name, want := range map[string]struct {
			code lot.Code
			text string
		}{
			"moe":   {lot.Unreachable, "no node is called moe; members lists them"},
			"larry": {lot.Usage, "larry is this node; name another, members lists them"},
			"gary":  {lot.Unreachable, "gary cannot be compared: connection refused; members lists who is there"},
		} {
			_, err := larry.Diff(t.Context(), name)
			if !errors.Is(err, want.code) || err.Error() != want.text {
				t.Errorf("%s: %v, want %s", name, err, want.text)
			}
		}
		l.cut([]string{"larry"}, []string{"harry"}) // the wire itself, not by a fault
		begin := time.Now()
		if _, err := larry.Diff(t.Context(), "harry"); !errors.Is(err, lot.Unreachable) || time.Since(begin) > 5*time.Second {
			t.Errorf("out of reach: %v after %v", err, time.Since(begin))
		}
	})
}

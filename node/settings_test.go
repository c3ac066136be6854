package node_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"parking/node"
)

// Gates open and close everywhere when their number is set; those that stay
// do not move, and a gate that opens again counts on.
func TestSetGates(t *testing.T) {
	inLabs(t, 5, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary", "harry")
		gary := nodes[1]
		gary.forget()
		if err := gary.SetGates(t.Context(), 6); err != nil {
			t.Fatal(err)
		}
		t.Logf("six gates after %v", l.settled(3*time.Second))
		got, _ := l.spread()
		if got["larry"] != 4 || got["gary"] != 1 || got["harry"] != 1 {
			t.Errorf("gates run on %v, want the new ones on those that had none", got)
		}
		l.eventually(time.Second, "gary tells of both", func() bool {
			ran := 0
			for _, e := range gary.told(node.GatesRun) {
				ran += len(e.Gates)
			}
			return ran == 2
		})
		for _, e := range gary.told(node.GatesRun) {
			if e.Reason != "new gate" {
				t.Errorf("event %+v, want the reason new gate", e)
			}
		}
		if err := nodes[2].Enter(t.Context(), 6, "SIX"); err != nil {
			t.Error(err)
		}
		if err := nodes[0].SetGates(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		t.Logf("two gates after %v", l.settled(3*time.Second))
		if err := gary.Exit(t.Context(), 6, "SIX"); err == nil || err.Error() != "gate 6: this lot has gates 1-2" {
			t.Errorf("a closed gate answers %v", err)
		}
		if got, _ := l.spread(); got["larry"] != 2 {
			t.Errorf("gates run on %v, want two on larry", got)
		}
		time.Sleep(100 * time.Millisecond)
		closed := gary.told(node.GatesClosed)
		if len(closed) != 1 || !slices.Equal(closed[0].Gates, gateIDs(3, 6)) {
			t.Errorf("gary told of closed gates with %+v, want 3 to 6 once", closed)
		}
		if err := nodes[2].SetGates(t.Context(), 6); err != nil {
			t.Fatal(err)
		}
		l.settled(3 * time.Second)
		if s := gary.GateStates()[5]; s.In != 1 || s.State() != "running" {
			t.Errorf("gate 6, open again, is %+v", s)
		}
		for _, n := range []int{0, -1, 257} {
			if err := gary.SetGates(t.Context(), n); err == nil || gary.Gates() != 6 {
				t.Errorf("set gates %d: %v, gates %d", n, err, gary.Gates())
			}
		}
	})
}

// Fewer spaces than cars: nobody is thrown out, the overbooking is shown, and
// nobody is let in.
func TestSetSpacesBelowTheCars(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary", "harry")
		for i := range 5 {
			if err := nodes[i%3].Enter(t.Context(), 1, plate(i)); err != nil {
				t.Fatal(err)
			}
		}
		l.settled(3 * time.Second)
		if err := nodes[1].SetSpaces(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
		l.settled(3 * time.Second)
		for _, n := range nodes {
			if s := n.Spaces(); s.Total != 3 || s.Taken != 5 || s.Free() != 0 || s.Over() != 2 {
				t.Errorf("%s: spaces %+v", n.Name(), s)
			}
		}
		if err := nodes[0].Enter(t.Context(), 2, "ONE MORE"); err == nil || !strings.Contains(err.Error(), "full") {
			t.Errorf("one more was answered %v", err)
		}
		time.Sleep(100 * time.Millisecond)
		if over := nodes[2].told(node.LotOver); len(over) != 1 || over[0].Count != 2 {
			t.Errorf("harry told of overbooking with %+v, want once, by 2", over)
		}
	})
}

// Settings written at the same time on both sides of a cut come out the same
// everywhere, and so do the gates.
func TestConcurrentSets(t *testing.T) {
	inLabs(t, 5, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary", "harry")
		cut := l.rand.IntN(2) == 0
		if cut {
			l.cut([]string{"larry"}, []string{"gary", "harry"})
			time.Sleep(5 * time.Second)
		}
		for i, n := range nodes {
			if err := n.SetGates(t.Context(), 2+2*i); err != nil {
				t.Error(err)
			}
			if err := n.SetSpaces(t.Context(), 10+i); err != nil {
				t.Error(err)
			}
		}
		if cut {
			time.Sleep(time.Second)
			l.heal([]string{"larry"}, []string{"gary", "harry"})
		}
		t.Logf("settled after %v", l.settled(4*time.Second))
		for _, n := range nodes {
			if n.Gates() != nodes[0].Gates() || n.Spaces() != nodes[0].Spaces() {
				t.Errorf("%s has gates %d, spaces %d; larry %d, %d", n.Name(), n.Gates(), n.Spaces().Total, nodes[0].Gates(), nodes[0].Spaces().Total)
			}
		}
		time.Sleep(time.Second)
		l.settled(0)
	})
}

// Gates that open, close and move at the same time settle.
func TestSetsAndMovesRace(t *testing.T) {
	inLabs(t, 5, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary", "harry")
		l.watched(1, 100*time.Millisecond, 60*time.Millisecond, func() {
			done := make(chan struct{})
			for _, n := range nodes {
				choices := make([]int, 12)
				for i := range choices {
					choices[i] = l.rand.IntN(100)
				}
				go func() {
					defer func() { done <- struct{}{} }()
					for _, c := range choices {
						switch {
						case c < 30:
							_ = n.SetGates(t.Context(), 1+c%8)
						case c < 90:
							_ = n.Move(t.Context(), 1, []string{"larry", "gary", "harry"}[c%3])
						default:
							_, _ = n.Rebalance(t.Context())
						}
						time.Sleep(time.Duration(c%7) * time.Millisecond)
					}
				}()
			}
			for range nodes {
				<-done
			}
			t.Logf("settled after %v", l.settled(3*time.Second))
		})
	})
}

// Who joins follows the cluster's settings, whatever its own configuration,
// and says so if they were given; a default says nothing.
func TestAJoinerFollows(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry := l.start("larry", func(c *node.Config) { c.Spaces = node.Setting{Value: 10, Given: true} })
		gary := l.start("gary", func(c *node.Config) {
			c.Gates = node.Setting{Value: 8, Given: true}
			c.Spaces = node.Setting{Value: 99}
		})
		l.settled(3 * time.Second)
		for _, n := range []*lively{larry, gary} {
			if n.Gates() != 4 || n.Spaces().Total != 10 {
				t.Errorf("%s has gates %d, spaces %d; the founder had 4 and 10", n.Name(), n.Gates(), n.Spaces().Total)
			}
		}
		got := gary.told(node.Notice)
		if len(got) != 1 || !strings.Contains(got[0].Reason, "gates 8 was given, the cluster has 4") {
			t.Errorf("gary's notices: %+v, want one about its gates", got)
		}
		if got := larry.told(node.Notice); len(got) > 0 {
			t.Errorf("larry's notices: %+v", got)
		}
		// A set is no surprise that needs a notice, and outlives who made it.
		if err := gary.SetSpaces(t.Context(), 20); err != nil {
			t.Fatal(err)
		}
		l.settled(3 * time.Second)
		if got := larry.told(node.Notice); len(got) > 0 || larry.Spaces().Total != 20 {
			t.Errorf("after a set larry has %d spaces and notices %+v", larry.Spaces().Total, got)
		}
		if got := larry.told(node.SettingSet); len(got) != 1 || got[0].Reason != "spaces" || got[0].Count != 20 || got[0].Node != "gary" {
			t.Errorf("larry told of the set with %+v", got)
		}
	})
}

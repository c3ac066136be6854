package node_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parking/lot"
	"parking/node"
)

// Minutes of a cut: both sides go on, admit and run every gate. After the heal
// all is one again: each sees each, the replicas are equal and hold what either
// side admitted, and each gate runs once; the loser's has stopped.
func TestACutAndItsHeal(t *testing.T) {
	for _, c := range []struct{ a, b []string }{
		{[]string{"larry"}, []string{"gary", "harry"}},
		{[]string{"node-1", "node-2"}, []string{"node-3", "node-4", "node-5"}},
		{[]string{"node-1", "node-4"}, []string{"node-2", "node-3", "node-5"}},
	} {
		t.Run(fmt.Sprint(c.a, c.b), func(t *testing.T) {
			inLabs(t, 5, func(t *testing.T, l *lab) {
				all := append(slices.Clone(c.a), c.b...)
				l.cluster(all...)
				if _, err := l.get(all[0]).Rebalance(t.Context()); err != nil {
					t.Fatal(err)
				}
				l.settled(3 * time.Second)
				var sides [2][]*lively
				for i, s := range [][]string{c.a, c.b} {
					for _, name := range s {
						sides[i] = append(sides[i], l.get(name))
					}
				}
				l.cut(c.a, c.b)
				took := l.eventually(15*time.Second, "each side to run all gates", func() bool {
					_, left := spreadOver(sides[0]...)
					_, right := spreadOver(sides[1]...)
					return left && right
				})
				t.Logf("both sides run all gates %v after the cut", took)
				var admitted []lot.Plate
				for i := range 40 {
					n := sides[i%2][l.rand.IntN(len(sides[i%2]))]
					p := plate(i / 2) // the same plate on both sides
					if err := n.Enter(t.Context(), lot.GateID(i%4+1), p); err != nil {
						t.Fatal(err)
					}
					admitted = append(admitted, p)
					time.Sleep(time.Duration(l.rand.Int64N(int64(6 * time.Second))))
				}
				for _, n := range l.living() {
					n.forget()
				}
				l.heal(c.a, c.b)
				l.watched(4, 50*time.Millisecond, 200*time.Millisecond, func() {
					t.Logf("each sees each %v after the heal", l.eventually(1500*time.Millisecond, "each to see each", func() bool { return l.members(len(all)) }))
					t.Logf("all settled %v later", l.settled(3*time.Second))
					time.Sleep(10 * time.Second)
				})
				l.settled(0)
				split := make(map[lot.GateID]bool)
				for _, n := range l.living() {
					for _, e := range n.told(node.GatesSplit) {
						for _, g := range e.Gates {
							split[g] = true
						}
					}
				}
				if len(split) != 4 {
					t.Errorf("told of two nodes for the gates %v, want all four", split)
				}
				for _, n := range l.living() {
					for _, p := range admitted {
						if v, in := n.Vehicle(p); !in || len(v.Conflicts) != 1 {
							t.Errorf("%s: %s in %v with %d conflicts, want 1: both sides admitted it", n.Name(), p, in, len(v.Conflicts))
						}
					}
					joined := 0
					for _, e := range n.told() {
						switch e.Kind {
						case node.NodeJoined:
							joined++
						case node.NodeFailed, node.NodeLeft, node.Notice:
							t.Errorf("%s told of %+v after the heal", n.Name(), e)
						}
					}
					side := c.a
					if slices.Contains(c.a, n.Name()) {
						side = c.b
					}
					if joined != len(side) {
						t.Errorf("%s saw %d join, want the %d of the other side once each", n.Name(), joined, len(side))
					}
				}
			})
		})
	}
}

// Cuts that come and go, of random groups, with writers on all sides: whenever
// it ends, the cluster is one again.
func TestCutsThatComeAndGo(t *testing.T) {
	inLabs(t, 6, func(t *testing.T, l *lab) {
		all := names("node-", 5)
		nodes := l.cluster(all...)
		entries, cuts := 0, 8
		if raceEnabled {
			cuts = 3
		}
		for range cuts {
			l.rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			k := 1 + l.rand.IntN(4)
			l.cut(all[:k], all[k:])
			for until := time.Now().Add(time.Duration(l.rand.Int64N(int64(8 * time.Second)))); time.Now().Before(until); {
				if _, err := nodes[l.rand.IntN(5)].TrackEntry(t.Context(), plate(entries), 1); err != nil {
					t.Fatal(err)
				}
				entries++
				time.Sleep(time.Duration(l.rand.Int64N(int64(time.Second))))
			}
			l.heal(all[:k], all[k:])
			time.Sleep(time.Duration(l.rand.Int64N(int64(2 * time.Second))))
		}
		t.Logf("settled after %v", l.settled(8*time.Second))
		if got := nodes[0].Spaces().Taken; got != entries {
			t.Errorf("%d entries, want %d", got, entries)
		}
	})
}

// A node whose --join could not be reached at its start founds a cluster of
// its own. When it reaches the other, nothing changes there, neither settings
// nor gates, though the loner is older and its name ranks higher; what it
// recorded comes along.
func TestALoneFounderGivesWay(t *testing.T) {
	inLabs(t, 5, func(t *testing.T, l *lab) {
		skew := []time.Duration{0, -time.Hour, time.Hour}[l.rand.IntN(3)]
		t.Logf("the loner's clock is %v off", skew)
		zed := l.launch("zed", func(c *node.Config) {
			c.Directory = nil
			c.Join = []string{"10.0.0.1:7002"}
			c.Gates, c.Spaces = node.Setting{Value: 6, Given: true}, node.Setting{Value: 7, Given: true}
			c.Now = func() time.Time { return time.Now().Add(skew) }
		})
		larryHost := func() { // nobody listens there yet
			l.eventually(time.Minute, "zed to give up for now", func() bool {
				select {
				case <-zed.Ready():
					return true
				default:
					return false
				}
			})
		}
		larryHost()
		if err := zed.Enter(t.Context(), 6, "ALONE"); err != nil {
			t.Fatal(err)
		}
		l.mu.Lock()
		zed.dead = true // for the moment
		l.mu.Unlock()
		time.Sleep(300 * time.Millisecond)
		larry := l.launchAt(7002, "larry")
		l.port = 7002
		l.await(larry)
		gary := l.start("gary")
		harry := l.start("harry")
		epochs := l.gateEpochs()
		gary.forget()
		l.mu.Lock()
		zed.dead = false
		l.mu.Unlock()
		l.watched(4, 0, 100*time.Millisecond, func() {
			t.Logf("the loner is in after %v", l.settled(6*time.Second))
		})
		for _, n := range []*lively{larry, gary, harry, zed} {
			if n.Gates() != 4 || n.Spaces().Total != 100 {
				t.Errorf("%s has gates %d, spaces %d; the cluster had 4 and 100", n.Name(), n.Gates(), n.Spaces().Total)
			}
			if !n.has("ALONE") {
				t.Errorf("%s lacks what the loner recorded", n.Name())
			}
		}
		if now := l.gateEpochs(); now != epochs {
			t.Errorf("the loner moved gates: epochs %s, then %s", epochs, now)
		}
		notices := zed.told(node.Notice)
		if n := slices.IndexFunc(notices, func(e node.Event) bool { return strings.Contains(e.Reason, "gates 6 was given") }); n < 0 {
			t.Errorf("the loner said %+v, nothing of its gates 6", notices)
		}
		for _, e := range gary.told() {
			if e.Kind != node.NodeJoined && e.Kind != node.VehicleCame && e.Kind != node.StateJoined {
				t.Errorf("gary told of %+v", e)
			}
		}
	})
}

// Two that each were alone become one, whoever reaches whom.
func TestTwoLonersMeet(t *testing.T) {
	inLabs(t, 10, func(t *testing.T, l *lab) {
		a := l.launch("a", func(c *node.Config) { c.Directory = nil; c.Join = []string{"10.0.0.1:7002"}; c.Gates.Value = 2 })
		b := l.launch("b", func(c *node.Config) { c.Directory = nil; c.Join = []string{"10.0.0.1:7001"}; c.Gates.Value = 3 })
		l.cut([]string{"a"}, []string{"b"})
		l.await(a)
		l.await(b)
		time.Sleep(time.Duration(l.rand.Int64N(int64(5 * time.Second))))
		l.heal([]string{"a"}, []string{"b"})
		t.Logf("one after %v", l.settled(6*time.Second))
		if g := a.Gates(); g != 2 && g != 3 {
			t.Errorf("gates %d, want one of the two's", g)
		}
	})
}

// A partition that is ordered before the node is ready waits for that.
func TestAPartitionWaitsUntilReady(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		l.start("larry")
		gary := l.launch("gary")
		if untold, err := gary.Partition(t.Context(), [][]string{{"larry"}}, "partition larry"); err != nil || len(untold) > 0 {
			t.Errorf("untold %v, %v", untold, err)
		}
	})
}

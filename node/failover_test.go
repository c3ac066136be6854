package node_test

import (
	"fmt"
	"testing"
	"time"

	"parking/lot"
	"parking/node"
)

// A process that dies is noticed at once, not after SWIM's silence, and its
// gates run elsewhere a moment later, evenly.
func TestTheOwnerCrashes(t *testing.T) {
	for _, size := range []int{3, 5} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			inLabs(t, 10, func(t *testing.T, l *lab) {
				nodes := l.cluster(names("node-", size)...)
				if err := nodes[1].Enter(t.Context(), 1, "BEFORE"); err != nil {
					t.Fatal(err)
				}
				l.eventually(time.Second, "equal digests", l.converged)
				l.watched(4, 100*time.Millisecond, 0, func() {
					l.crash("node-1")
					t.Logf("settled after %v", l.settled(3*time.Second))
				})
				got, _ := l.spread()
				for name, n := range got {
					if size == 3 && n != 2 || size == 5 && n != 1 {
						t.Errorf("%s runs %d gates: %v is uneven", name, n, got)
					}
				}
				for i, n := range nodes[1:] {
					if err := n.Enter(t.Context(), lot.GateID(i+1), plate(i)); err != nil {
						t.Errorf("entry through %s after the crash: %v", n.Name(), err)
					}
					if !n.has("BEFORE") {
						t.Errorf("%s lost what was admitted before", n.Name())
					}
				}
			})
		})
	}
}

func TestTwoOfFiveCrash(t *testing.T) {
	inLabs(t, 10, func(t *testing.T, l *lab) {
		l.cluster(names("node-", 5)...)
		first, second := fmt.Sprintf("node-%d", 1+l.rand.IntN(2)), fmt.Sprintf("node-%d", 3+l.rand.IntN(3))
		if _, err := l.get("node-1").Rebalance(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.settled(3 * time.Second)
		l.watched(4, 200*time.Millisecond, 50*time.Millisecond, func() {
			l.crash(first)
			l.crash(second)
			t.Logf("settled after %v", l.settled(3*time.Second))
		})
		got, _ := l.spread()
		for name, n := range got {
			if n > 2 {
				t.Errorf("%s runs %d gates: %v is uneven", name, n, got)
			}
		}
	})
}

// The successor dies too, at any moment of the failover.
func TestTheSuccessorCrashes(t *testing.T) {
	inLabs(t, 10, func(t *testing.T, l *lab) {
		l.cluster("larry", "gary", "harry", "barry")
		l.crash("larry")
		time.Sleep(time.Duration(l.rand.Int64N(int64(30 * time.Millisecond))))
		l.crash("gary")
		t.Logf("settled after %v", l.settled(3*time.Second))
		if got, _ := l.spread(); got["harry"] != 2 || got["barry"] != 2 {
			t.Errorf("gates run on %v, want two and two", got)
		}
	})
}

// A node that is there and does not answer is noticed by SWIM.
func TestAFrozenOwner(t *testing.T) {
	inLabs(t, 5, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary", "harry")
		l.cut([]string{"larry"}, []string{"gary", "harry"})
		took := l.eventually(6*time.Second, "the others to run the gates", func() bool {
			_, ok := spreadOver(nodes[1], nodes[2])
			return ok
		})
		t.Logf("noticed and failed over after %v", took)
	})
}

// A node that was taken for dead and is not is back as soon as it answers.
func TestATakenForDead(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary", "harry")
		nodes[1].Suspect("larry")
		l.eventually(100*time.Millisecond, "gary to believe it", func() bool { return !nodes[1].sees(nodes[0]) })
		t.Logf("settled after %v", l.settled(1500*time.Millisecond))
	})
}

// The last one standing runs everything.
func TestAllButOneCrash(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		l.cluster(names("node-", 5)...)
		for i := range 4 {
			l.crash(fmt.Sprintf("node-%d", i+1))
		}
		l.settled(3 * time.Second)
		if got, _ := l.spread(); got["node-5"] != 4 {
			t.Errorf("gates run on %v, want all on the one that lives", got)
		}
	})
}

// What a user sees of a crash: who died and why, how many live, and where the
// gates went, each told once.
func TestTheEventsOfACrash(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary", "harry")
		time.Sleep(100 * time.Millisecond)
		if got := nodes[0].told(node.GatesRun); len(got) != 1 || len(got[0].Gates) != 4 || got[0].Reason != "first node" || !got[0].Here {
			t.Errorf("larry told of its gates with %+v, want once, all four, first node", got)
		}
		if got := nodes[0].told(node.NodeJoined); len(got) != 2 || got[0].Count != 2 || got[1].Count != 3 || got[1].Node != "harry" {
			t.Errorf("larry told of joins with %+v", got)
		}
		nodes[1].forget()
		l.crash("larry")
		l.settled(3 * time.Second)
		time.Sleep(20 * time.Second) // past the overlay and SWIM's own ruling
		failed := nodes[1].told(node.NodeFailed)
		if len(failed) != 1 || failed[0].Node != "larry" || failed[0].Reason != "connection refused" || failed[0].Count != 2 {
			t.Errorf("gary told of the crash with %+v", failed)
		}
		gates := nodes[1].told(node.GatesRun)
		if len(gates) != 2 {
			t.Fatalf("gary told of the gates with %+v, want one event a node", gates)
		}
		for _, e := range gates {
			if len(e.Gates) != 2 || e.Reason != "larry failed" || e.Here != (e.Node == "gary") {
				t.Errorf("event %+v, want two gates, larry failed", e)
			}
		}
		if rest := nodes[1].told(node.NodeJoined, node.NodeLeft, node.GatesSplit, node.Notice); len(rest) > 0 {
			t.Errorf("and with %+v, which did not happen", rest)
		}
	})
}

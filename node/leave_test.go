package node_test

import (
	"testing"
	"time"

	"parking/lot"
	"parking/node"
)

// A node that leaves hands its gates over: each is without an owner for
// milliseconds only, the successors have all that was admitted, and nothing is
// lost or doubled under load.
func TestTheOwnerLeaves(t *testing.T) {
	inLabs(t, 10, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary", "harry")
		if err := nodes[0].SetSpaces(t.Context(), 2000); err != nil {
			t.Fatal(err)
		}
		l.settled(3 * time.Second)
		nodes[1].forget()
		admitted := make(chan lot.Plate, 2000)
		stop := make(chan struct{})
		loaded := make(chan struct{})
		go func() {
			defer close(loaded)
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
				}
				p := plate(i)
				if err := nodes[1+i%2].Enter(t.Context(), lot.GateID(i%4+1), p); err == nil {
					admitted <- p
				} else {
					t.Errorf("entry of %s during a leave: %v", p, err)
					return
				}
			}
		}()
		time.Sleep(20 * time.Millisecond)
		l.watched(4, 20*time.Millisecond, 0, func() {
			begin := time.Now()
			l.leave("larry")
			t.Logf("left in %v", time.Since(begin))
			l.eventually(3*time.Second, "two members", func() bool { return l.members(2) })
		})
		close(stop)
		<-loaded
		close(admitted)
		l.settled(3 * time.Second)
		if got, _ := l.spread(); got["gary"] != 2 || got["harry"] != 2 {
			t.Errorf("gates run on %v, want two and two", got)
		}
		n := 0
		for p := range admitted {
			n++
			for _, x := range nodes[1:] {
				if v, in := x.Vehicle(p); !in || len(v.Conflicts) > 0 {
					t.Errorf("%s: %s in %v, conflicts %v", x.Name(), p, in, v.Conflicts)
				}
			}
		}
		if got := nodes[1].Spaces().Taken; got != n {
			t.Errorf("%d were admitted, %d are there", n, got)
		}
		time.Sleep(12 * time.Second)
		if left := nodes[1].told(node.NodeLeft); len(left) != 1 || left[0].Node != "larry" || left[0].Count != 2 {
			t.Errorf("gary told of the leave with %+v", left)
		}
		if failed := nodes[1].told(node.NodeFailed); len(failed) > 0 {
			t.Errorf("gary took a leave for a failure: %+v", failed)
		}
		run := nodes[1].told(node.GatesRun)
		for _, e := range run {
			if e.Reason != "larry left" {
				t.Errorf("event %+v, want the reason larry left", e)
			}
		}
		if len(run) > 4 {
			t.Errorf("gary told %d times where the gates went: %+v", len(run), run)
		}
	})
}

// Each successor has all that the leaver's gates admitted when it runs its
// first, though no gossip gets through.
func TestALeaverHandsOverWhatItAdmitted(t *testing.T) {
	inLabs(t, 5, func(t *testing.T, l *lab) {
		l.mangle(1, 0, 0)
		nodes := l.cluster("larry", "gary", "harry")
		for i := range 20 {
			if err := nodes[0].Enter(t.Context(), lot.GateID(i%4+1), plate(i)); err != nil {
				t.Fatal(err)
			}
		}
		gone := make(chan struct{})
		go func() { defer close(gone); l.leave("larry") }()
		for _, n := range nodes[1:] {
			l.eventually(time.Second, "gates to run on "+n.Name(), func() bool { return len(n.RunsHere()) > 0 })
			if taken := n.Spaces().Taken; taken != 20 {
				t.Errorf("%s runs gates %v and has %d of the 20 cars that larry let in", n.Name(), n.RunsHere(), taken)
			}
		}
		<-gone
	})
}

// A successor that no longer answers costs the leaver time, not the gates:
// they run on until one is found that does.
func TestALeaveBesideAFrozenNode(t *testing.T) {
	inLabs(t, 5, func(t *testing.T, l *lab) {
		l.cluster("larry", "gary", "harry")
		l.cut([]string{"gary"}, []string{"larry", "harry"})
		l.mu.Lock()
		l.nodes["gary"].dead = true // for what follows
		l.mu.Unlock()
		l.watched(4, 20*time.Millisecond, 0, func() {
			begin := time.Now()
			l.leave("larry")
			t.Logf("left in %v", time.Since(begin))
			l.settled(5 * time.Second)
		})
	})
}

// What a node recorded just before it left stays, even if no gossip gets
// through.
func TestNothingIsLostByLeaving(t *testing.T) {
	inLabs(t, 5, func(t *testing.T, l *lab) {
		l.mangle(1, 0, 0)
		nodes := l.cluster("larry", "gary", "harry")
		l.net.SetDelay(time.Duration(l.rand.Int64N(int64(100 * time.Millisecond))))
		for i := range 50 {
			if _, err := nodes[2].TrackEntry(t.Context(), plate(i), 1); err != nil {
				t.Fatal(err)
			}
		}
		l.leave("harry")
		if a, b := nodes[0].Spaces().Taken, nodes[1].Spaces().Taken; max(a, b) != 50 {
			t.Errorf("harry recorded 50 entries and left; larry has %d, gary %d", a, b)
		}
		l.settled(12 * time.Second)
	})
}

func TestLeaveUntilOneIsLeft(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		l.cluster("larry", "gary", "harry")
		for _, name := range []string{"larry", "gary"} {
			l.watched(4, 20*time.Millisecond, 0, func() { l.leave(name); l.settled(2 * time.Second) })
		}
		if got, _ := l.spread(); got["harry"] != 4 {
			t.Errorf("gates run on %v, want all on the last node", got)
		}
		begin := time.Now()
		l.leave("harry")
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("the last node took %v to leave", took)
		}
	})
}

// The successor dies while it takes the gates over, or is cut off; the leave
// ends, and the gates run on who is left.
func TestTheSuccessorFailsDuringALeave(t *testing.T) {
	for _, how := range []string{"crash", "cut"} {
		t.Run(how, func(t *testing.T) {
			inLabs(t, 10, func(t *testing.T, l *lab) {
				l.cluster("larry", "gary", "harry")
				limit := 500 * time.Millisecond
				if how == "cut" {
					limit = 5 * time.Second
				}
				time.AfterFunc(time.Duration(l.rand.Int64N(int64(5*time.Millisecond))), func() {
					if how == "crash" {
						l.crash("gary")
						return
					}
					l.cut([]string{"gary"}, []string{"larry", "harry"})
					l.mu.Lock()
					l.nodes["gary"].dead = true // for what follows
					l.mu.Unlock()
				})
				l.watched(4, limit, 50*time.Millisecond, func() {
					begin := time.Now()
					l.leave("larry")
					t.Logf("left in %v", time.Since(begin))
					if took := time.Since(begin); took > 6*time.Second {
						t.Errorf("the leave took %v", took)
					}
					l.settled(5 * time.Second)
				})
				if got, _ := l.spread(); got["harry"] != 4 {
					t.Errorf("gates run on %v, want all on harry", got)
				}
			})
		})
	}
}

// Two leave at once: neither hands its gates to the other for good.
func TestTwoLeaveAtOnce(t *testing.T) {
	inLabs(t, 10, func(t *testing.T, l *lab) {
		l.cluster("larry", "gary", "harry")
		if _, err := l.get("larry").Rebalance(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.settled(3 * time.Second)
		l.watched(4, 300*time.Millisecond, 50*time.Millisecond, func() {
			gone := make(chan struct{})
			go func() { defer close(gone); l.leave("gary") }()
			time.Sleep(time.Duration(l.rand.Int64N(int64(20 * time.Millisecond))))
			l.leave("larry")
			<-gone
			l.settled(3 * time.Second)
		})
	})
}

// Two leave at once, and the third cannot be reached for a moment: what one of
// the two recorded waits for it.
func TestTwoLeaveAtOnceWithNews(t *testing.T) {
	inLabs(t, 10, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary", "harry")
		time.Sleep(3 * time.Second)
		l.cut([]string{"larry"}, []string{"gary", "harry"})
		for i := range 50 {
			if _, err := nodes[1].TrackEntry(t.Context(), plate(i), 1); err != nil {
				t.Fatal(err)
			}
		}
		time.AfterFunc(450*time.Millisecond, func() { l.heal([]string{"larry"}, []string{"gary", "harry"}) })
		gone := make(chan struct{})
		go func() { defer close(gone); l.leave("gary") }()
		time.Sleep(time.Duration(l.rand.Int64N(int64(20 * time.Millisecond))))
		l.leave("harry")
		<-gone
		if taken := nodes[0].Spaces().Taken; taken != 50 {
			t.Errorf("larry has %d of the 50 that gary recorded", taken)
		}
		l.settled(5 * time.Second)
	})
}

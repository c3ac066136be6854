package node_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"parking/node"
)

// A node that died comes back under its name at any moment, on the same port
// or another: it is let in, has the cluster's state, holds no old claim, and
// the others see one larry, alive.
func TestRestartUnderTheSameName(t *testing.T) {
	for _, port := range []string{"same port", "new port"} {
		for _, after := range []time.Duration{0, 100 * time.Millisecond, time.Second, 10 * time.Second} {
			t.Run(port+" after "+after.String(), func(t *testing.T) {
				inLabs(t, 4, func(t *testing.T, l *lab) {
					nodes := l.cluster("larry", "gary", "harry")
					if err := nodes[0].Enter(t.Context(), 1, "BEFORE"); err != nil {
						t.Fatal(err)
					}
					l.eventually(time.Second, "equal digests", l.converged)
					l.crash("larry")
					time.Sleep(after)
					var back *lively
					if port == "same port" {
						back = l.launchAt(7001, "larry")
					} else {
						back = l.launch("larry")
					}
					l.await(back)
					t.Logf("settled after %v", l.settled(5*time.Second))
					if !back.has("BEFORE") {
						t.Error("the new life lacks what the old one recorded")
					}
					if _, err := back.TrackEntry(t.Context(), "AFTER", 1); err != nil {
						t.Error(err)
					}
					l.eventually(2*time.Second, "the new life's entry everywhere", l.converged)
					epochs := l.gateEpochs()
					time.Sleep(15 * time.Second)
					l.settled(0)
					if now := l.gateEpochs(); now != epochs {
						t.Errorf("gates moved on after they had settled: epochs %s, then %s", epochs, now)
					}
				})
			})
		}
	}
}

// A crash and a restart that come so close that nobody saw the node gone are
// told as both.
func TestTheEventsOfARestart(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary", "harry")
		nodes[1].forget()
		l.crash("larry")
		l.await(l.launchAt(7001, "larry"))
		l.settled(5 * time.Second)
		time.Sleep(15 * time.Second)
		got := nodes[1].told(node.NodeFailed, node.NodeJoined, node.NodeLeft)
		if len(got) != 2 || got[0].Kind != node.NodeFailed || got[1].Kind != node.NodeJoined || got[0].Count != 2 || got[1].Count != 3 {
			t.Errorf("gary told of the restart with %+v, want a failure, then a join", got)
		}
	})
}

// A node that comes back on its port and looks for nobody is not taken for its
// old life, though it answers in its name. Those that knew it find it, and what
// it founded alone changes nothing for them: neither settings nor gates. Only if
// it is back before anybody took the gates that its old life left may it have
// its share of them.
func TestARestartThatJoinsNobody(t *testing.T) {
	for when, share := range map[string]int{"at once": 2, "after the failover": 0, "much later": 0} {
		t.Run(when, func(t *testing.T) {
			inLabs(t, 4, func(t *testing.T, l *lab) {
				l.cluster("larry", "gary", "harry")
				time.Sleep(time.Duration(l.rand.Int64N(int64(time.Second))))
				failedOver := func() bool {
					return !slices.ContainsFunc(l.get("gary").GateStates(), func(g node.GateState) bool {
						return g.Epoch < 2 || len(g.Owners) != 1
					})
				}
				l.crash("larry")
				if when != "at once" {
					l.eventually(100*time.Millisecond, "the gates to fail over", failedOver)
				}
				if when == "much later" {
					time.Sleep(5 * time.Second)
				}
				back := l.launchAt(7001, "larry", func(c *node.Config) {
					c.Directory = nil
					c.Spaces = node.Setting{Value: 7, Given: true}
					c.Now = func() time.Time { return time.Now().Add(-time.Hour) }
				})
				l.eventually(100*time.Millisecond, "the gates to fail over", failedOver)
				l.await(back)
				t.Logf("settled after %v", l.settled(5*time.Second))
				if back.Spaces().Total != 100 || len(back.RunsHere()) > share {
					t.Errorf("the new life brought %d spaces and runs gates %v", back.Spaces().Total, back.RunsHere())
				}
			})
		})
	}
}

// The second live node of one name is turned away in words, and the cluster is
// not harmed.
func TestATakenName(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary", "harry")
		before := l.gateEpochs()
		for _, at := range nodes { // larry itself too
			nodes[1].forget()
			err := l.refused(l.launch("larry", func(c *node.Config) {
				c.Directory = nil
				c.Join = []string{at.Addr()}
			}))
			if err == nil || !strings.Contains(err.Error(), "larry") || !strings.Contains(err.Error(), "--sname") {
				t.Errorf("the second larry, at %s, was refused with %q", at.Name(), err)
			}
			time.Sleep(3 * time.Second)
			l.settled(0)
			if after := l.gateEpochs(); after != before {
				t.Errorf("the gates moved: epochs %s, then %s", before, after)
			}
			if got := nodes[1].told(); len(got) > 0 {
				t.Errorf("gary told of %+v", got)
			}
		}
	})
}

// A name is free again once its node has left.
func TestANameIsReusedAfterALeave(t *testing.T) {
	inLabs(t, 4, func(t *testing.T, l *lab) {
		l.cluster("larry", "gary", "harry")
		l.leave("larry")
		time.Sleep(time.Duration(l.rand.Int64N(int64(3 * time.Second))))
		if l.rand.IntN(2) == 0 {
			l.await(l.launchAt(7001, "larry"))
		} else {
			l.start("larry")
		}
		t.Logf("settled after %v", l.settled(3*time.Second))
		if got, _ := l.spread(); got["larry"] != 0 {
			t.Errorf("gates run on %v: a joiner takes none", got)
		}
	})
}

// Whoever hears of a node's next life after its last one has left, in whatever
// order, sees it alive in the end, though Serf says nothing when it finds that a
// leaving member stays.
func TestANameIsReusedOnABadNetwork(t *testing.T) {
	inLabs(t, 5, func(t *testing.T, l *lab) {
		l.cluster("larry", "gary", "harry")
		for range 5 {
			l.leave("harry")
			time.Sleep(time.Duration(l.rand.Int64N(int64(3 * time.Second))))
			if l.rand.IntN(2) == 0 { // who knows of harry only that it left
				l.crash("larry")
				l.launchAt(7001, "larry")
				time.Sleep(time.Duration(l.rand.Int64N(int64(300 * time.Millisecond))))
			}
			l.net.SetLoss(0.5)
			l.net.SetDelay(time.Duration(l.rand.Int64N(int64(80 * time.Millisecond))))
			l.launchAt(7003, "harry")
			time.Sleep(2 * time.Second)
			l.net.SetLoss(0)
			l.net.SetDelay(time.Millisecond)
			t.Logf("settled after %v", l.settled(5*time.Second))
		}
	})
}

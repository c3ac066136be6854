package node_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"parking/node"
)

func TestTheWalkThrough(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		ctx := t.Context()
		c := l.cluster("larry", "gary", "harry")
		larry, gary, harry := c[0], c[1], c[2]
		if got, ok := l.spread(); !ok || got["larry"] != 4 {
			t.Fatalf("gates run on %v, want all four on the first node\n%s", got, l.dump())
		}
		if _, err := larry.TrackEntry(ctx, "ABC 123", 1); err != nil {
			t.Fatal(err)
		}
		took := l.eventually(time.Second, "the entry everywhere", func() bool { return gary.has("ABC 123") && harry.has("ABC 123") })
		t.Logf("converged in %v", took)
		if _, err := gary.TrackExit(ctx, "ABC 123", 1); err != nil {
			t.Fatal(err)
		}
		if _, err := gary.TrackEntry(ctx, "2FAST4U", 3); err != nil {
			t.Fatal(err)
		}
		l.eventually(time.Second, "equal digests", l.converged)
		if err := harry.Enter(ctx, 2, "THROUGH2"); err != nil {
			t.Fatal(err)
		}
		if !harry.has("THROUGH2") || !larry.has("THROUGH2") {
			t.Error("an entry through a gate is not at the gate and at the caller when it returns")
		}
		l.crash("larry")
		took = l.eventually(3*time.Second, "two gates on gary, two on harry", func() bool {
			got, ok := l.spread()
			return ok && got["gary"] == 2 && got["harry"] == 2
		})
		t.Logf("failed over in %v", took)
		if !harry.has("2FAST4U") || !gary.has("THROUGH2") {
			t.Error("the state did not survive")
		}
	})
}

// Nodes that start together, in any order and within any few milliseconds,
// agree on one owner for each gate. The original breaks on all three.
func TestNodesStartTogether(t *testing.T) {
	for _, size := range []int{3, 5} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			inLabs(t, 120/size, func(t *testing.T, l *lab) {
				spread := []time.Duration{0, time.Millisecond, 5 * time.Millisecond, 50 * time.Millisecond}[l.rand.IntN(4)]
				var offsets []time.Duration
				for range size {
					offsets = append(offsets, time.Duration(l.rand.Int64N(int64(spread)+1)))
				}
				t.Logf("offsets %v", offsets)
				begin := time.Now()
				started := make(chan *lively, size)
				for i, name := range names("node-", size) {
					time.AfterFunc(offsets[i], func() { started <- l.launch(name) })
				}
				for range size {
					l.await(<-started)
				}
				t.Logf("ready after %v", time.Since(begin))
				t.Logf("settled after %v more", l.settled(3*time.Second-time.Since(begin)))
				before := l.gateEpochs()
				l.watched(4, 0, 0, func() { time.Sleep(2 * time.Second) })
				if after := l.gateEpochs(); after != before {
					t.Errorf("gates moved on after they had settled: epochs %s, then %s", before, after)
				}
				for _, n := range l.all {
					if len(n.done) > 0 {
						t.Errorf("%s ended: %v", n.Name(), <-n.done)
					}
				}
			})
		})
	}
}

// Nodes of another cookie or cluster that turn up in the mesh are turned away
// in words, and the cluster goes on as before.
func TestStrangersAreLeftAlone(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		c := l.cluster("larry", "gary", "harry")
		before := l.gateEpochs()
		for what, change := range map[string]func(*node.Config){
			"cookie":  func(c *node.Config) { c.Keys = keysOf("x") },
			"cluster": func(c *node.Config) { c.Cluster = "elsewhere" },
		} {
			stranger := l.launch("stranger-"+what, change, func(cfg *node.Config) {
				cfg.Directory = nil
				cfg.Join = []string{c[1].Addr()}
			})
			err := l.refused(stranger)
			if err == nil || !strings.Contains(err.Error(), what) || strings.Contains(err.Error(), "\n") {
				t.Errorf("a node of another %s was refused with %q", what, err)
			}
		}
		// One that listens where the directory says a neighbour is.
		l.start("loner", func(c *node.Config) { c.Keys = keysOf("x"); c.Directory = nil })
		l.mu.Lock()
		l.dir = append(l.dir, node.Neighbour{Name: "loner", Addr: l.nodes["loner"].Addr()})
		l.mu.Unlock()
		l.start("barry")
		time.Sleep(3 * time.Second)
		l.mu.Lock()
		loner := l.nodes["loner"]
		loner.dead = true // for what follows
		l.mu.Unlock()
		if n := loner.alive(); n != 1 {
			t.Errorf("the stranger sees %d members, want itself alone", n)
		}
		l.settled(3 * time.Second)
		if after := l.gateEpochs(); after != before {
			t.Errorf("strangers moved the gates: epochs %s, then %s", before, after)
		}
	})
}

// The first node runs all gates, however the others follow.
func TestTheFirstNodeRunsAllGates(t *testing.T) {
	inLabs(t, 10, func(t *testing.T, l *lab) {
		l.start("zed")
		for i, name := range names("a", 4) {
			time.Sleep(time.Duration(l.rand.Int64N(int64(50 * time.Millisecond))))
			l.watched(4, 0, 0, func() { l.start(name) })
			if got, ok := l.spread(); !ok || got["zed"] != 4 {
				l.settled(0)
				t.Fatalf("with %d joiners the gates run on %v, want all on the first node", i+1, got)
			}
		}
	})
}

// The gossip of a join gets lost: the others see the joiner nevertheless, long
// before Serf compares its lists.
func TestAJoinThatGossipLoses(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry := l.start("larry", func(c *node.Config) { c.Directory = nil })
		join := func(c *node.Config) { c.Directory, c.Join = nil, []string{larry.Addr()} }
		l.start("gary", join)
		l.start("harry", join)
		l.settled(3 * time.Second)
		l.net.SetLoss(1)
		l.start("mary", join)
		t.Logf("seen by all after %v", l.settled(5*time.Second))
	})
}

// The gossip of a next life gets lost: it sees all the others and they see it, long
// before Serf compares its lists.
func TestANextLifeThatGossipLoses(t *testing.T) {
	inLabs(t, 5, func(t *testing.T, l *lab) {
		gary := l.start("gary", func(c *node.Config) { c.Directory = nil })
		join := func(c *node.Config) { c.Directory, c.Join = nil, []string{gary.Addr()} }
		larry := l.start("larry", join)
		l.start("harry", join)
		l.settled(3 * time.Second)
		l.crash("harry")
		l.eventually(5*time.Second, "the death to be noticed", func() bool { return l.members(2) })
		l.net.SetLoss(1)
		l.start("harry", join)
		took := l.settled(15 * time.Second)
		if n := larry.alive(); n != 3 {
			t.Errorf("larry sees %d members, want all 3", n)
		}
		t.Logf("seen by all after %v", took)
	})
}

// Commands given before a node is ready wait for it, and what is read is
// empty, not a panic.
func TestBeforeReady(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		n := l.launch("larry")
		if len(n.Members()) != 0 || len(n.GateStates()) != 0 || n.Addr() != "" || n.Status().Node != "larry" {
			t.Error("a node that is not ready knows something")
		}
		if err := n.Enter(t.Context(), 1, "EARLY"); err != nil {
			t.Errorf("a command given early: %v", err)
		}
	})
}

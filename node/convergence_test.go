package node_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"parking/lot"
	"parking/node"
	"parking/node/replicate"
)

// mangled is a gossip that loses, doubles and delays events.
type mangled struct {
	replicate.Gossip
	mu           sync.Mutex
	rand         *rand.Rand
	lose, double float64
	late         time.Duration // at most; so that events overtake each other
}

func (m *mangled) Broadcast(b []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rand.Float64() < m.lose {
		return nil
	}
	for again := true; again; again = m.rand.Float64() < m.double {
		if m.late == 0 {
			return m.Gossip.Broadcast(b)
		}
		time.AfterFunc(time.Duration(m.rand.Int64N(int64(m.late))), func() { _ = m.Gossip.Broadcast(b) })
	}
	return nil
}

// mangle does that to every node that starts from now on.
func (l *lab) mangle(lose, double float64, late time.Duration) {
	seed := l.seed
	l.tweak = func(n *lively) {
		seed++
		r := rand.New(rand.NewPCG(seed, 3))
		n.WrapGossip(func(g replicate.Gossip) replicate.Gossip {
			return &mangled{Gossip: g, rand: r, lose: lose, double: double, late: late}
		})
	}
}

// fanout makes nodes that start from now on push straight to each other.
func (l *lab) fanout() { l.setup = func(c *node.Config) { c.Push = node.Fanout } }

// Whatever happens to gossip, what was recorded anywhere is everywhere soon,
// and nothing else is.
func TestReplicasConverge(t *testing.T) {
	for _, c := range []struct {
		what   string
		before func(*lab)
		after  func(*lab)
		within time.Duration
	}{
		{what: "on a good network", within: 300 * time.Millisecond},
		{what: "with 30% of the packets lost", after: func(l *lab) { l.net.SetLoss(0.3) }, within: 4 * time.Second},
		{what: "with every packet lost", after: func(l *lab) { l.net.SetLoss(1) }, within: 12 * time.Second},
		{what: "with every event lost", before: func(l *lab) { l.mangle(1, 0, 0) }, within: 12 * time.Second},
		{what: "by fan-out", before: (*lab).fanout, within: 50 * time.Millisecond},
		{what: "by fan-out with every event lost", before: func(l *lab) { l.fanout(); l.mangle(1, 0, 0) }, within: 50 * time.Millisecond},
		{what: "by fan-out with every packet lost", before: (*lab).fanout, after: func(l *lab) { l.net.SetLoss(1) }, within: 12 * time.Second},
		{what: "with half the events lost, the others doubled and reordered", before: func(l *lab) { l.mangle(0.5, 0.4, 300*time.Millisecond) }, within: 4 * time.Second},
	} {
		for _, size := range []int{3, 5} {
			t.Run(fmt.Sprint(c.what, ", ", size, " nodes"), func(t *testing.T) {
				inLabs(t, 3, func(t *testing.T, l *lab) {
					if c.before != nil {
						c.before(l)
					}
					nodes := l.cluster(names("node-", size)...)
					if c.after != nil {
						c.after(l)
					}
					in := make(map[lot.Plate]bool)
					for i := range 60 {
						time.Sleep(time.Duration(l.rand.Int64N(int64(20 * time.Millisecond))))
						n, p := nodes[l.rand.IntN(size)], plate(i)
						if v := plate(l.rand.IntN(i + 1)); l.rand.IntN(3) == 0 && in[v] && n.has(v) {
							if _, err := n.TrackExit(t.Context(), v, 0); err != nil {
								t.Fatal(err)
							}
							delete(in, v)
							continue
						}
						if _, err := n.TrackEntry(t.Context(), p, 1); err != nil {
							t.Fatal(err)
						}
						in[p] = true
					}
					t.Logf("equal %v after the last change", l.eventually(c.within, "equal digests", l.converged))
					for _, n := range nodes {
						if n.Spaces().Taken != len(in) {
							t.Errorf("%s has %d vehicles, want %d", n.Name(), n.Spaces().Taken, len(in))
						}
						for p := range in {
							if !n.has(p) {
								t.Errorf("%s lost %s", n.Name(), p)
							}
						}
						if k := n.warned.count(""); k > 0 {
							t.Errorf("%s warned %d times: %s", n.Name(), k, n.warned.all[0])
						}
					}
				})
			})
		}
	}
}

// Anti-entropy works both ways: a node that never asks is told when it is
// asked.
func TestANodeThatNeverPulls(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		l.mangle(1, 0, 0)
		larry := l.start("larry")
		gary := l.start("gary", func(c *node.Config) { c.Pull = time.Hour })
		l.settled(3 * time.Second)
		time.Sleep(5 * time.Second)
		if _, err := larry.TrackEntry(t.Context(), "TOLD", 1); err != nil {
			t.Fatal(err)
		}
		l.eventually(3*time.Second, "gary to hear", func() bool { return gary.has("TOLD") })
	})
}

// An event that is lost shows as a gap once the next one comes, and the gap is
// closed at once.
func TestAGapIsClosed(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		var lossy *mangled
		l.tweak = func(n *lively) {
			n.WrapGossip(func(g replicate.Gossip) replicate.Gossip {
				if n.Name() != "larry" {
					return g
				}
				lossy = &mangled{Gossip: g, rand: rand.New(rand.NewPCG(1, 1))}
				return lossy
			})
		}
		larry := l.start("larry")
		gary := l.start("gary", func(c *node.Config) { c.Pull = time.Hour })
		l.settled(3 * time.Second)
		time.Sleep(10 * time.Second)
		for i, lose := range []float64{1, 0} {
			lossy.mu.Lock()
			lossy.lose = lose
			lossy.mu.Unlock()
			if _, err := larry.TrackEntry(t.Context(), plate(i), 1); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Logf("closed after %v", l.eventually(100*time.Millisecond, "both entries on gary", func() bool { return gary.has(plate(0)) && gary.has(plate(1)) }))
	})
}

// After a change nobody waits for the interval, though no gossip gets through.
func TestPullsComeSoonAfterAChange(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		l.mangle(1, 0, 0)
		rare := func(c *node.Config) { c.Pull = time.Hour }
		larry, gary := l.start("larry", rare), l.start("gary", rare)
		l.settled(5 * time.Second)
		time.Sleep(time.Minute)
		if _, err := larry.TrackEntry(t.Context(), "SOON", 1); err != nil {
			t.Fatal(err)
		}
		l.eventually(time.Second, "gary to hear", func() bool { return gary.has("SOON") })
	})
}

// How long one entry takes to be everywhere, and that it is a matter of
// milliseconds.
func TestAnEntryIsEverywhereAtOnce(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		nodes := l.cluster(names("node-", 5)...)
		var worst, sum time.Duration
		const times = 100
		for i := range times {
			if _, err := nodes[i%5].TrackEntry(t.Context(), plate(i), 1); err != nil {
				t.Fatal(err)
			}
			took := l.eventually(time.Second, "the entry everywhere", l.converged)
			worst, sum = max(worst, took), sum+took
		}
		t.Logf("one entry, 5 nodes, gossip every 20ms: mean %v, worst %v", sum/times, worst)
		if mean := sum / times; mean > 80*time.Millisecond {
			t.Errorf("the mean is %v: gossip does not work and pulls do", mean)
		}
	})
}

// A writer that is faster than the gossip loses nothing.
func TestABurstConverges(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary", "harry")
		if err := nodes[0].SetSpaces(t.Context(), 50000); err != nil {
			t.Fatal(err)
		}
		for i := range 20000 {
			if _, err := nodes[i%3].TrackEntry(t.Context(), plate(i), 1); err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("20000 entries at once: equal after %v", l.eventually(10*time.Second, "equal digests", l.converged))
		if n := nodes[1].Spaces().Taken; n != 20000 {
			t.Errorf("%d vehicles, want 20000", n)
		}
		l.start("late") // right after full load
		t.Logf("a joiner right after: %v", l.settled(3*time.Second))
	})
}

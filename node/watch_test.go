package node_test

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"parking/lot"
	"parking/node/member"
)

// watch sees, every millisecond, where each gate really runs.
type watch struct {
	stop chan struct{}
	wg   sync.WaitGroup

	gap     map[lot.GateID]time.Duration // the longest without any owner
	overlap map[lot.GateID]time.Duration // the longest on two nodes that see each other
}

// watchGates begins to watch gates 1..n on all living nodes.
func (l *lab) watchGates(n int) *watch {
	w := &watch{
		stop: make(chan struct{}),
		gap:  make(map[lot.GateID]time.Duration), overlap: make(map[lot.GateID]time.Duration),
	}
	none, two := make(map[lot.GateID]time.Duration), make(map[lot.GateID]time.Duration)
	const step = time.Millisecond
	w.wg.Go(func() {
		for {
			select {
			case <-w.stop:
				return
			case <-time.After(step):
			}
			nodes := l.living()
			for g := lot.GateID(1); int(g) <= n; g++ {
				var on []*lively
				for _, x := range nodes {
					if slices.Contains(x.RunsHere(), g) {
						on = append(on, x)
					}
				}
				if none[g] += step; len(on) > 0 {
					none[g] = 0
				}
				if two[g] += step; len(on) < 2 || !on[0].sees(on[1]) || !on[1].sees(on[0]) {
					two[g] = 0
				}
				w.gap[g] = max(w.gap[g], none[g])
				w.overlap[g] = max(w.overlap[g], two[g])
			}
		}
	})
	return w
}

// end stops the watch and returns the longest time that any gate was without
// an owner, and had two.
func (w *watch) end() (gap, overlap time.Duration) {
	close(w.stop)
	w.wg.Wait()
	for g := range w.gap {
		gap, overlap = max(gap, w.gap[g]), max(overlap, w.overlap[g])
	}
	return gap, overlap
}

// sees reports whether n sees that life of the other, alive or about to leave.
func (n *lively) sees(o *lively) bool {
	for _, m := range n.Members() {
		if m.Name == o.Name() {
			return (m.Status == member.Alive || m.Status == member.Leaving) && m.Addr == o.Addr()
		}
	}
	return false
}

// watched runs f under a watch and fails the test if a gate had no owner for
// longer than gap, or two for longer than overlap.
func (l *lab) watched(gates int, gap, overlap time.Duration, f func()) {
	l.t.Helper()
	w := l.watchGates(gates)
	var g, o time.Duration
	func() {
		defer func() { g, o = w.end() }() // f may end the test
		f()
	}()
	l.t.Logf("a gate was without an owner for %v at most, and had two for %v", g, o)
	if g > gap {
		l.t.Errorf("a gate was without an owner for %v, %v at most\n%s", g, gap, l.dump())
	}
	if o > overlap {
		l.t.Errorf("a gate ran for %v on two nodes that saw each other, %v at most\n%s", o, overlap, l.dump())
	}
}

func names(prefix string, n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("%s%d", prefix, i+1))
	}
	return out
}

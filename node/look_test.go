package node_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"parking/lot"
	"parking/node"
	"parking/node/member"
)

// living returns the nodes that were neither crashed nor left, sorted.
func (l *lab) living() (out []*lively) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.all {
		if !n.dead {
			out = append(out, n)
		}
	}
	slices.SortFunc(out, func(a, b *lively) int { return strings.Compare(a.Name(), b.Name()) })
	return out
}

// eventually waits for a condition, in virtual time, and returns how long it
// took.
func (l *lab) eventually(within time.Duration, what string, holds func() bool) time.Duration {
	l.t.Helper()
	begin := time.Now()
	for !holds() {
		if time.Since(begin) > within {
			l.t.Fatalf("not within %v: %s\n%s", within, what, l.dump())
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(begin)
}

// settled waits until the living nodes see each other and nobody else, have
// equal replicas, and run each gate exactly once, where all say it runs.
func (l *lab) settled(within time.Duration) time.Duration {
	l.t.Helper()
	return l.eventually(within, "a settled cluster", func() bool {
		_, once := l.spread()
		return l.members(len(l.living())) && l.converged() && once
	})
}

func (l *lab) dump() string {
	var b strings.Builder
	for _, n := range l.living() {
		fmt.Fprintf(&b, "%s: digest %v, version %v, runs %v\n", n.Name(), n.Digest(), n.Status().Version, n.RunsHere())
		for _, m := range n.Members() {
			fmt.Fprintf(&b, "  %s %s %s\n", m.Name, m.Addr, m.Status)
		}
		for _, g := range n.GateStates() {
			fmt.Fprintf(&b, "  gate %d: %v epoch %d\n", g.Gate, g.Owners, g.Epoch)
		}
		for _, e := range n.told() {
			fmt.Fprintf(&b, "  event %+v\n", e)
		}
	}
	return b.String()
}

// converged reports whether all living nodes have the same digest.
func (l *lab) converged() bool { return same(l.living()...) }

func same(nodes ...*lively) bool {
	for _, n := range nodes {
		if n.Digest() != nodes[0].Digest() {
			return false
		}
	}
	return true
}

// spread returns how many gates each living node really runs, and whether
// every gate runs exactly once, just where every living node thinks it does.
func (l *lab) spread() (map[string]int, bool) { return spreadOver(l.living()...) }

func spreadOver(nodes ...*lively) (map[string]int, bool) {
	runs := make(map[lot.GateID]string)
	has := make(map[string]int)
	for _, n := range nodes {
		for _, g := range n.RunsHere() {
			if runs[g] != "" {
				return nil, false
			}
			runs[g] = n.Name()
			has[n.Name()]++
		}
	}
	for _, n := range nodes {
		seen := make(map[lot.GateID]string)
		for _, g := range n.GateStates() {
			if len(g.Owners) != 1 {
				return nil, false
			}
			seen[g.Gate] = g.Owners[0]
		}
		if !maps.Equal(seen, runs) {
			return nil, false
		}
	}
	return has, true
}

// owner returns which node runs the gate.
func (l *lab) owner(g lot.GateID) *lively {
	l.t.Helper()
	for _, n := range l.living() {
		if slices.Contains(n.RunsHere(), g) {
			return n
		}
	}
	l.t.Fatalf("gate %d runs nowhere\n%s", g, l.dump())
	return nil
}

// members reports whether every living node sees n members alive.
func (l *lab) members(n int) bool {
	for _, x := range l.living() {
		if x.alive() != n {
			return false
		}
	}
	return true
}

// alive returns how many members this node sees alive.
func (n *lively) alive() (alive int) {
	for _, m := range n.Members() {
		if m.Status == member.Alive {
			alive++
		}
	}
	return alive
}

func (n *lively) has(p lot.Plate) bool { _, in := n.Vehicle(p); return in }

// told returns the events so far, those of the given kinds if any are given.
func (n *lively) told(kinds ...node.Kind) (out []node.Event) {
	synctest.Wait() // until what was emitted is here
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range n.events {
		if len(kinds) == 0 || slices.Contains(kinds, e.Kind) {
			out = append(out, e)
		}
	}
	return out
}

// forget drops the events so far.
func (n *lively) forget() {
	synctest.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.events = nil
}

func plate(i int) lot.Plate { return lot.Plate(fmt.Sprintf("CAR %d", i)) }

func (l *lab) gateEpochs() string { return l.living()[0].epochs() }

// epochs returns who runs each gate in which epoch, as this node sees it.
func (n *lively) epochs() string {
	var b strings.Builder
	for _, g := range n.GateStates() {
		fmt.Fprintf(&b, "%d:%v/%d ", g.Gate, g.Owners, g.Epoch)
	}
	return b.String()
}

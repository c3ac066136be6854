package node_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parking/lot"
	"parking/node"
	"parking/node/cookie"
	"parking/node/member"
	"parking/node/simnet"
)

// lab is a cluster in memory, in virtual time.
type lab struct {
	t     *testing.T
	net   *simnet.Network
	seed  uint64
	port  int
	nodes map[string]*lively
	dir   []node.Neighbour
}

// lively is a running node.
type lively struct {
	*node.Node
	host *simnet.Host
	stop context.CancelFunc
	done chan error
	dead bool
}

// inLab runs f in a bubble of virtual time and stops what it started.
func inLab(t *testing.T, f func(*testing.T, *lab)) {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		l := &lab{t: t, net: simnet.New(seed, 200*time.Microsecond), seed: seed, port: 7000, nodes: make(map[string]*lively)}
		defer l.close()
		f(t, l)
	})
}

func (l *lab) close() {
	for _, n := range l.nodes {
		n.stop()
	}
	for _, n := range l.nodes {
		<-n.done
	}
	// memberlist's last probes wait for their timers, and a bubble's clock
	// stands still once its first goroutine has returned.
	time.Sleep(10 * time.Second)
}

// directory is the lab's stand-in for the runtime directory.
type directory struct {
	l    *lab
	self string
}

func (d directory) Publish(addr string, _ uint64) error {
	d.l.dir = slices.DeleteFunc(d.l.dir, func(n node.Neighbour) bool { return n.Name == d.self })
	d.l.dir = append(d.l.dir, node.Neighbour{Name: d.self, Addr: addr})
	return nil
}

func (d directory) Neighbours() (out []node.Neighbour, err error) {
	for _, n := range d.l.dir {
		if n.Name != d.self {
			out = append(out, n)
		}
	}
	return out, nil
}

func testKeys() *cookie.Keys {
	k, err := cookie.FromSecret([]byte(strings.Repeat("k", cookie.SecretSize)))
	if err != nil {
		panic(err)
	}
	return k
}

// launch starts a node and does not wait for it.
func (l *lab) launch(name string, change ...func(*node.Config)) *lively {
	l.t.Helper()
	l.port++
	host, err := l.net.Host("10.0.0.1", l.port)
	if err != nil {
		l.t.Fatal(err)
	}
	n := &lively{host: host, done: make(chan error, 1)}
	cfg := node.DefaultConfig()
	cfg.Name, cfg.Keys, cfg.Network = name, testKeys(), host
	cfg.Directory = directory{l, name}
	cfg.Gossip = 20 * time.Millisecond
	cfg.Rand = rand.New(rand.NewPCG(l.seed, uint64(l.port)))
	cfg.Die = func() { l.crash(name) }
	if os.Getenv("PARKING_TEST_LOG") != "" {
		cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("node", name)
	}
	for _, c := range change {
		c(&cfg)
	}
	if n.Node, err = node.New(cfg); err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.stop = cancel
	go func() { n.done <- n.Run(ctx) }()
	l.nodes[name] = n
	return n
}

// start starts a node and waits until it is ready.
func (l *lab) start(name string, change ...func(*node.Config)) *lively {
	l.t.Helper()
	n := l.launch(name, change...)
	select {
	case <-n.Ready():
	case err := <-n.done:
		n.done <- err
		l.t.Fatalf("%s did not start: %v", name, err)
	case <-time.After(time.Minute):
		l.t.Fatalf("%s did not become ready", name)
	}
	return n
}

// crash takes a node off the network, as kill -9 does.
func (l *lab) crash(name string) {
	n := l.nodes[name]
	n.dead = true
	l.dir = slices.DeleteFunc(l.dir, func(x node.Neighbour) bool { return x.Name == name })
	_ = n.host.Shutdown()
	n.stop()
}

// leave stops a node in good order.
func (l *lab) leave(name string) {
	l.t.Helper()
	n := l.nodes[name]
	l.dir = slices.DeleteFunc(l.dir, func(x node.Neighbour) bool { return x.Name == name })
	n.stop()
	if err := <-n.done; err != nil {
		l.t.Errorf("%s left with %v", name, err)
	}
	n.done <- nil
	n.dead = true
}

// living returns the nodes that were neither crashed nor left.
func (l *lab) living() (out []*lively) {
	for _, n := range l.nodes {
		if !n.dead {
			out = append(out, n)
		}
	}
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

func (l *lab) dump() string {
	var b strings.Builder
	for _, n := range l.living() {
		fmt.Fprintf(&b, "%s: digest %v, version %v\n", n.Name(), n.Digest(), n.Status().Version)
		for _, m := range n.Members() {
			fmt.Fprintf(&b, "  %s %s %s\n", m.Name, m.Addr, m.Status)
		}
		for _, g := range n.GateStates() {
			fmt.Fprintf(&b, "  gate %d: %v epoch %d\n", g.Gate, g.Owners, g.Epoch)
		}
	}
	return b.String()
}

// converged reports whether all living nodes have the same digest.
func (l *lab) converged() bool {
	all := l.living()
	for _, n := range all {
		if n.Digest() != all[0].Digest() {
			return false
		}
	}
	return true
}

// spread returns how many gates each node runs, in every living node's view,
// or false if the views differ or a gate has not exactly one owner.
func (l *lab) spread() (map[string]int, bool) {
	var first map[string]int
	for _, n := range l.living() {
		has := make(map[string]int)
		for _, g := range n.GateStates() {
			if len(g.Owners) != 1 {
				return nil, false
			}
			has[g.Owners[0]]++
		}
		if first == nil {
			first = has
		} else if fmt.Sprint(first) != fmt.Sprint(has) {
			return nil, false
		}
	}
	return first, true
}

// members reports whether every living node sees n members alive.
func (l *lab) members(n int) bool {
	for _, x := range l.living() {
		alive := 0
		for _, m := range x.Members() {
			if m.Status == member.Alive {
				alive++
			}
		}
		if alive != n {
			return false
		}
	}
	return true
}

func TestTheWalkThrough(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		ctx := t.Context()
		larry := l.start("larry")
		gary := l.start("gary")
		harry := l.start("harry")
		l.eventually(2*time.Second, "three members", func() bool { return l.members(3) })
		if got, ok := l.spread(); !ok || got["larry"] != 4 {
			t.Fatalf("gates run on %v, want all four on larry\n%s", got, l.dump())
		}
		if _, err := larry.TrackEntry(ctx, "ABC 123", 1); err != nil {
			t.Fatal(err)
		}
		has := func(n *lively, p lot.Plate) bool { _, in := n.Vehicle(p); return in }
		took := l.eventually(time.Second, "the entry on gary", func() bool { return has(gary, "ABC 123") && has(harry, "ABC 123") })
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
		if !has(harry, "THROUGH2") || !has(larry, "THROUGH2") {
			t.Error("an entry through a gate is not at the gate and at the caller when it returns")
		}
		l.crash("larry")
		took = l.eventually(3*time.Second, "two gates on gary, two on harry", func() bool {
			got, ok := l.spread()
			return ok && got["gary"] == 2 && got["harry"] == 2
		})
		t.Logf("failed over in %v", took)
		if !has(harry, "2FAST4U") || !has(gary, "THROUGH2") {
			t.Error("the state did not survive")
		}
	})
}

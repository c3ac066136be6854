package node_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parking/node"
	"parking/node/cookie"
	"parking/node/history"
	"parking/node/simnet"
)

// lab is a cluster in memory, in virtual time: real nodes, real Serf.
type lab struct {
	t    *testing.T
	net  *simnet.Network
	seed uint64
	rand *rand.Rand // the test's own; not for the nodes' goroutines

	mu    sync.Mutex
	port  int
	lives int                // that were ever started
	nodes map[string]*lively // the latest of each name
	all   []*lively
	dir   []node.Neighbour
	past  *archive           // the nodes' histories
	tweak func(*lively)      // each node, before it runs
	setup func(*node.Config) // of each node
	gone  []*lively          // those that have vanished
}

// lively is a node that was started.
type lively struct {
	*node.Node
	host   *simnet.Host
	stop   context.CancelFunc
	done   chan error // Run's result; stays there
	dead   bool       // crashed, or has left; under lab.mu
	warned lines

	mu     sync.Mutex
	events []node.Event
}

// inLab runs f in a bubble of virtual time, then ends all nodes; the bubble
// fails the test if a goroutine is left behind. PARKING_TEST_SEED replays a
// seed that was printed, as far as Serf's own random source lets it.
func inLab(t *testing.T, f func(*testing.T, *lab)) {
	t.Helper()
	t.Parallel()
	seed := rand.Uint64()
	if s, err := strconv.ParseUint(os.Getenv("PARKING_TEST_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("PARKING_TEST_SEED=%d", seed)
	inBubble(t, seed, f)
}

// inBubble is inLab with that seed.
func inBubble(t *testing.T, seed uint64, f func(*testing.T, *lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &lab{
			t: t, net: simnet.New(seed, 200*time.Microsecond), seed: seed,
			rand: rand.New(rand.NewPCG(seed, 2)), port: 7000, nodes: make(map[string]*lively), past: &archive{Memory: history.NewMemory()},
		}
		defer l.close()
		f(t, l)
	})
}

const raceEnabled = node.RaceEnabled

// inLabs is inLab with several seeds: fewer where each takes long.
func inLabs(t *testing.T, n int, f func(*testing.T, *lab)) {
	if testing.Short() || raceEnabled {
		n = (n + 4) / 5
	}
	for i := range n {
		t.Run(strconv.Itoa(i), func(t *testing.T) { inLab(t, f) })
	}
}

func (l *lab) close() {
	for _, n := range l.all {
		n.stop()
	}
	for _, n := range l.all {
		<-n.done
	}
	// memberlist's last probes wait for their timers, and a bubble's clock
	// stands still once its first goroutine has returned.
	time.Sleep(15 * time.Second)
}

// directory is the lab's stand-in for the runtime directory.
type directory struct {
	l    *lab
	self string
}

func (d directory) Publish(addr string, incarnation uint64) error {
	d.l.mu.Lock()
	defer d.l.mu.Unlock()
	d.l.delist(d.self)
	_, port, _ := strings.Cut(addr, ":")
	pid, _ := strconv.Atoi(port) // of one node at a time, as a process's number is
	d.l.dir = append(d.l.dir, node.Neighbour{Name: d.self, Addr: addr, PID: pid, Incarnation: incarnation})
	return nil
}

func (directory) Accept(_, _ []string) error { return nil }

// signal is the lab's stand-in for SIGSTOP and SIGCONT: a node that is stopped has
// the network stand still. Its timers go on.
func (l *lab) signal(from *lively, pid int, stop bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if from.dead {
		return errors.New("the dead send no signals")
	}
	for _, n := range l.all {
		if !n.dead && strings.HasSuffix(n.host.Addr(), ":"+strconv.Itoa(pid)) {
			n.host.Freeze(stop)
			return nil
		}
	}
	return errors.New("no such process")
}

func (d directory) Neighbours() (out []node.Neighbour, err error) {
	d.l.mu.Lock()
	defer d.l.mu.Unlock()
	for _, n := range d.l.dir {
		if n.Name != d.self {
			out = append(out, n)
		}
	}
	return out, nil
}

// delist takes a node out of the directory; l.mu is held.
func (l *lab) delist(name string) {
	l.dir = slices.DeleteFunc(l.dir, func(n node.Neighbour) bool { return n.Name == name })
}

func keysOf(secret string) *cookie.Keys {
	k, err := cookie.FromSecret([]byte(strings.Repeat(secret, cookie.SecretSize)))
	if err != nil {
		panic(err)
	}
	return k
}

var testKeys = sync.OnceValue(func() *cookie.Keys { return keysOf("k") })

// launch starts a node on a new port and does not wait for it.
func (l *lab) launch(name string, change ...func(*node.Config)) *lively {
	l.t.Helper()
	l.mu.Lock()
	l.port++
	port := l.port
	l.mu.Unlock()
	return l.launchAt(port, name, change...)
}

func (l *lab) launchAt(port int, name string, change ...func(*node.Config)) *lively {
	l.t.Helper()
	host, err := l.net.Host("10.0.0.1", port)
	if err != nil {
		l.t.Fatal(err)
	}
	l.mu.Lock()
	l.apart(host)
	l.lives++
	life := l.lives
	l.mu.Unlock()
	n := &lively{host: host, done: make(chan error, 1)}
	cfg := node.DefaultConfig()
	cfg.Name, cfg.Keys, cfg.Network = name, testKeys(), host
	cfg.Directory, cfg.History, cfg.Signal = directory{l, name}, l.past, func(pid int, stop bool) error { return l.signal(n, pid, stop) }
	cfg.Gossip = 20 * time.Millisecond
	cfg.Rand = rand.New(rand.NewPCG(l.seed, uint64(port)<<32|uint64(life)))
	cfg.Die = func() { l.crash(name) }
	cfg.Log = slog.New(slog.NewTextHandler(&n.warned, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if os.Getenv("PARKING_TEST_LOG") != "" {
		cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("node", name)
	}
	if l.setup != nil {
		l.setup(&cfg)
	}
	for _, c := range change {
		c(&cfg)
	}
	if n.Node, err = node.New(cfg); err != nil {
		l.t.Fatal(err)
	}
	if l.tweak != nil {
		l.tweak(n)
	}
	sub := n.Subscribe()
	go func() {
		for {
			events, _ := sub.Next(context.Background())
			if events == nil {
				return
			}
			n.mu.Lock()
			n.events = append(n.events, events...)
			n.mu.Unlock()
		}
	}()
	ctx, cancel := context.WithCancel(context.Background())
	n.stop = cancel
	go func() { n.done <- n.Run(ctx) }()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nodes[name] = n
	l.all = append(l.all, n)
	return n
}

// start starts a node and waits until it is ready.
func (l *lab) start(name string, change ...func(*node.Config)) *lively {
	l.t.Helper()
	return l.await(l.launch(name, change...))
}

// await waits until a node is ready.
func (l *lab) await(n *lively) *lively {
	l.t.Helper()
	select {
	case <-n.Ready():
	case err := <-n.done:
		n.done <- err
		l.t.Fatalf("%s did not start: %v", n.Name(), err)
	case <-time.After(time.Minute):
		l.t.Fatalf("%s did not become ready", n.Name())
	}
	return n
}

// refused waits until a node that may not join has ended, and returns why.
func (l *lab) refused(n *lively) error {
	l.t.Helper()
	select {
	case <-n.Ready():
		l.t.Errorf("%s was let in", n.Name())
	case err := <-n.done:
		n.done <- err
		l.bury(n)
		return err
	case <-time.After(time.Minute):
		l.t.Errorf("%s is neither ready nor ended", n.Name())
	}
	return errors.New("let in")
}

func (l *lab) bury(n *lively) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n.dead = true
	if l.nodes[n.Name()] == n {
		delete(l.nodes, n.Name())
	}
	for _, o := range l.all { // the one of that name which lives on
		if o.Name() == n.Name() && !o.dead {
			l.nodes[n.Name()] = o
		}
	}
}

// cluster starts the nodes one after the other and waits until they agree.
func (l *lab) cluster(names ...string) (out []*lively) {
	l.t.Helper()
	for _, name := range names {
		out = append(out, l.start(name))
	}
	l.settled(3 * time.Second)
	return out
}

// crash takes a node off the network, as kill -9 does.
func (l *lab) crash(name string) {
	l.mu.Lock()
	n := l.nodes[name]
	n.dead = true
	l.delist(name)
	l.mu.Unlock()
	_ = n.host.Shutdown()
	n.stop()
}

// leave stops a node in good order.
func (l *lab) leave(name string) {
	l.t.Helper()
	n := l.get(name)
	l.mu.Lock()
	l.delist(name)
	l.mu.Unlock()
	n.stop()
	err := <-n.done
	n.done <- err
	if err != nil {
		l.t.Errorf("%s left with %v", name, err)
	}
	l.mu.Lock()
	n.dead = true
	l.mu.Unlock()
}

func (l *lab) get(name string) *lively {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.nodes[name]
}

// cut parts the network between the two groups; heal undoes it.
func (l *lab) cut(a, b []string)  { l.between(a, b, l.net.Cut) }
func (l *lab) heal(a, b []string) { l.between(a, b, l.net.Heal) }

func (l *lab) between(a, b []string, f func(a, b *simnet.Host)) {
	for _, x := range a {
		for _, y := range b {
			f(l.get(x).host, l.get(y).host)
		}
	}
}

// lines is what a node logged.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(p))
	return len(p), nil
}

func (l *lines) count(substr string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.all {
		if strings.Contains(s, substr) {
			n++
		}
	}
	return n
}

package repl

import (
	"bytes"
	"context"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"parking/lot"
	"parking/node"
	"parking/node/cookie"
	"parking/node/simnet"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) { os.Exit(code) }))
}

// lab is a cluster of real nodes in virtual time, on a network in memory.
type lab struct {
	t    *testing.T
	net  *simnet.Network
	port int
	ends []func()

	mu  sync.Mutex
	dir []node.Neighbour
}

// inLab runs f in a bubble of virtual time, then ends all nodes.
func inLab(t *testing.T, f func(t *testing.T, l *lab)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &lab{t: t, net: simnet.New(1, 200*time.Microsecond), port: 7000}
		defer func() {
			for _, end := range l.ends {
				end()
			}
			time.Sleep(15 * time.Second) // memberlist's last probes wait for their timers
		}()
		f(t, l)
	})
}

var labKeys = sync.OnceValue(func() *cookie.Keys {
	k, err := cookie.FromSecret(bytes.Repeat([]byte("k"), cookie.SecretSize))
	if err != nil {
		panic(err)
	}
	return k
})

// directory is the nodes started so far: the lab's runtime directory.
type directory struct{ l *lab }

func (directory) Publish(string, uint64) error { return nil }

func (d directory) Neighbours() ([]node.Neighbour, error) {
	d.l.mu.Lock()
	defer d.l.mu.Unlock()
	return slices.Clone(d.l.dir), nil
}

func (directory) Accept(_, _ []string) error { return nil }

// at is a terminal at one node.
type at struct {
	*Engine
	t     *testing.T
	opt   Options
	host  *simnet.Host
	crash func() // takes the node off the network, as kill -9 does
}

// unstarted returns a node that does not run.
func unstarted(t *testing.T) *node.Node {
	t.Helper()
	l := &lab{t: t, net: simnet.New(1, time.Millisecond), port: 7000}
	n, host := l.build("larry")
	t.Cleanup(func() { _ = host.Shutdown() })
	return n
}

// start starts a node, waits until it is ready and sits down at it.
func (l *lab) start(name string, change ...func(*node.Config)) *at {
	l.t.Helper()
	n, host := l.build(name, change...)
	ctx, leave := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	l.ends = append(l.ends, func() { leave(); <-done })
	select {
	case <-n.Ready():
	case err := <-done:
		l.t.Fatalf("%s did not start: %v", name, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dir = append(l.dir, node.Neighbour{Name: name, Addr: n.Addr()})
	return &at{Engine: NewEngine(n), t: l.t, opt: Options{Format: Table}, host: host, crash: func() { _ = host.Shutdown(); leave() }}
}

// build returns a node on a host of its own.
func (l *lab) build(name string, change ...func(*node.Config)) (*node.Node, *simnet.Host) {
	l.t.Helper()
	l.port++
	host, err := l.net.Host("10.0.0.1", l.port)
	if err != nil {
		l.t.Fatal(err)
	}
	cfg := node.DefaultConfig()
	cfg.Name, cfg.Keys, cfg.Network, cfg.Directory = name, labKeys(), host, directory{l}
	cfg.Gossip = 20 * time.Millisecond
	cfg.Rand = rand.New(rand.NewPCG(1, uint64(l.port)))
	cfg.Log = slog.New(slog.DiscardHandler)
	for _, c := range change {
		c(&cfg)
	}
	n, err := node.New(cfg)
	if err != nil {
		l.t.Fatal(err)
	}
	return n, host
}

// json is the same seat, with the other format.
func (a *at) json() *at {
	b := *a
	b.opt.Format = JSON
	return &b
}

// exec runs a line and returns all it wrote.
func (a *at) exec(line string) (out, remarks string, err error) {
	var o, r strings.Builder
	err = a.Exec(a.t.Context(), line, a.opt, &o, &r)
	return o.String(), r.String(), err
}

// do runs a line that must succeed, and returns its answer.
func (a *at) do(line string) string {
	a.t.Helper()
	out, _, err := a.exec(line)
	if err != nil {
		a.t.Fatalf("%s> %s: %v", a.node.Name(), line, err)
	}
	return out
}

// fails runs a line that must fail with that code and text and change nothing.
func (a *at) fails(line string, code lot.Code, text string) {
	a.t.Helper()
	before := a.node.Digest()
	out, _, err := a.exec(line)
	switch {
	case err == nil:
		a.t.Errorf("%s: no error, but %q", line, out)
		return
	case err.Error() != text:
		a.t.Errorf("%s: the error is\n  %s\nwant\n  %s", line, err, text)
	case lot.CodeOf(err) != code:
		a.t.Errorf("%s: the code is %s, want %s", line, lot.CodeOf(err), code)
	}
	if out != "" {
		a.t.Errorf("%s: failed and answered %q", line, out)
	}
	if a.node.Digest() != before {
		a.t.Errorf("%s: failed and changed the lot", line)
	}
}

// equal compares texts line by line.
func equal(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n%s\nwant:\n%s", what, got, want)
	}
}

// untilMinute waits for a full minute, so that times can be told ahead.
func untilMinute() { time.Sleep(time.Until(time.Now().Truncate(time.Minute).Add(time.Minute))) }

package node_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parking/lot"
	"parking/node"
	"parking/node/member"
)

// The same on the host's own network: join, an entry through a gate, the death
// of the owner, a leave. Nothing is left behind.
func TestOnTheHostsNetwork(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	type running struct {
		*node.Node
		network member.Transport
		stop    context.CancelFunc
		done    chan error
	}
	start := func(name string, join ...string) *running {
		t.Helper()
		network, err := member.Listen(net.IPv4(127, 0, 0, 1), 0, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		cfg := node.DefaultConfig()
		cfg.Name, cfg.Keys, cfg.Network, cfg.Join = name, testKeys(), network, join
		cfg.Rand = rand.New(rand.NewPCG(rand.Uint64(), 1))
		n, err := node.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		r := &running{n, network, cancel, make(chan error, 1)}
		go func() { r.done <- n.Run(ctx) }()
		select {
		case <-n.Ready():
		case err := <-r.done:
			t.Fatalf("%s did not start: %v", name, err)
		case <-time.After(10 * time.Second):
			t.Fatalf("%s is not ready", name)
		}
		return r
	}
	eventually := func(what string, holds func() bool) time.Duration {
		t.Helper()
		begin := time.Now()
		for !holds() {
			if time.Since(begin) > 10*time.Second {
				t.Fatalf("not within 10s: %s", what)
			}
			time.Sleep(time.Millisecond)
		}
		return time.Since(begin).Round(time.Millisecond)
	}
	runs := func(n *running) int { return len(n.RunsHere()) }

	larry := start("larry")
	gary := start("gary", larry.Addr())
	harry := start("harry", larry.Addr())
	eventually("three members everywhere", func() bool {
		return len(larry.Members()) == 3 && len(gary.Members()) == 3 && len(harry.Members()) == 3
	})
	if err := harry.Enter(t.Context(), 2, "REAL"); err != nil {
		t.Fatal(err)
	}
	t.Logf("the entry is everywhere after %v", eventually("equal digests", func() bool {
		return larry.Digest() == gary.Digest() && gary.Digest() == harry.Digest()
	}))
	_ = larry.network.Shutdown() // the listener and all that it accepted
	larry.stop()
	t.Logf("failed over after %v", eventually("two gates each", func() bool { return runs(gary) == 2 && runs(harry) == 2 }))
	<-larry.done
	gary.stop()
	if err := <-gary.done; err != nil {
		t.Error(err)
	}
	eventually("all gates on harry", func() bool { return runs(harry) == 4 })
	if err := harry.Enter(t.Context(), 1, "REAL"); !errors.Is(err, lot.Present) {
		t.Errorf("harry forgot: %v", err)
	}
	harry.stop()
	if err := <-harry.done; err != nil {
		t.Error(err)
	}
	// Memberlist's last probe may wait for a node that is gone, a few intervals.
	eventually("no goroutine is left", func() bool { return goleak.Find(ignore) == nil })
}

package node_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"parking/lot"
	"parking/node"
	"parking/node/simnet"
)

// A rolling restart under load, by the settings of a network: each of three nodes
// leaves in turn and comes back at another address. No acknowledged change is lost,
// each gate has an owner all the while but for a moment, and each node says truly
// whether it is to be sent work.
func TestARollingRestart(t *testing.T) {
	inLabs(t, 2, func(t *testing.T, l *lab) {
		l.setup = func(c *node.Config) { onLAN(c); c.Ack = 1 }
		names := []string{"larry", "gary", "harry"}
		nodes := l.cluster(names...)
		if err := nodes[0].SetSpaces(t.Context(), 1_000_000); err != nil {
			t.Fatal(err)
		}
		if _, err := nodes[0].Rebalance(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.settled(3 * time.Second)

		ctx, stop := context.WithCancel(t.Context())
		var load sync.WaitGroup
		var mu sync.Mutex
		acked := make(map[lot.Plate]bool)
		for i, name := range names {
			load.Go(func() {
				for k := i; ctx.Err() == nil; k += len(names) {
					n := l.get(name)
					if ready, _ := n.Readiness(); !ready {
						time.Sleep(5 * time.Millisecond)
						continue
					}
					var err error
					if k%2 == 0 {
						_, err = n.TrackEntry(t.Context(), plate(k), 1)
					} else {
						err = n.Enter(t.Context(), lot.GateID(1+k/2%4), plate(k))
					}
					if err == nil {
						mu.Lock()
						acked[plate(k)] = true
						mu.Unlock()
					}
					time.Sleep(10 * time.Millisecond)
				}
			})
		}
		l.watched(4, time.Second, time.Second, func() {
			for _, name := range names {
				time.Sleep(time.Second)
				says := l.asked(l.get(name))
				time.Sleep(5 * time.Millisecond)
				begin := time.Now()
				l.leave(name)
				took := time.Since(begin)
				if got := says(); got != "ready, leaving" {
					t.Errorf("%s, which left, has said: %s", name, got)
				}
				if took > 6*time.Second {
					t.Errorf("%s left in %v", name, took)
				}
				mu.Lock()
				before := len(acked)
				mu.Unlock()
				back := l.launch(name)
				says = l.asked(back)
				for ready, _ := back.Readiness(); !ready; ready, _ = back.Readiness() {
					time.Sleep(time.Millisecond)
				}
				if has := back.Spaces().Taken; has < before {
					t.Errorf("%s is ready with %d vehicles of the %d that were acknowledged before it", name, has, before)
				}
				time.Sleep(time.Second)
				if got := says(); !strings.HasSuffix(got, "joining, ready") {
					t.Errorf("%s, which is back, has said: %s", name, got)
				}
				t.Logf("%s left in %v", name, took)
				if _, err := back.Rebalance(t.Context()); err != nil {
					t.Errorf("rebalance: %v", err)
				}
			}
		})
		stop()
		load.Wait()
		l.settled(10 * time.Second)
		for _, x := range l.living() {
			for p := range acked {
				if _, in := x.Vehicle(p); !in {
					t.Errorf("%s was acknowledged, and %s lacks it", p, x.Name())
				}
			}
		}
		t.Logf("%d changes were acknowledged", len(acked))
		if len(acked) < 300 {
			t.Errorf("%d acknowledged changes are no load", len(acked))
		}
	})
}

// asked asks a node every millisecond whether it is ready, until it is told to
// tell: then it returns what was answered, each change of it.
func (l *lab) asked(n *lively) (tell func() string) {
	stop, done := make(chan struct{}), make(chan struct{})
	var said []string
	go func() {
		defer close(done)
		for {
			ready, why := n.Readiness()
			if ready {
				why = "ready"
			}
			if len(said) == 0 || said[len(said)-1] != why {
				said = append(said, why)
			}
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	return func() string {
		close(stop)
		<-done
		return strings.Join(said, ", ")
	}
}

// A node is alive while its parts answer, cut off from all others too.
func TestAliveAndCutOff(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry := l.cluster("larry", "gary", "harry")[0]
		l.cut([]string{"larry"}, []string{"gary", "harry"})
		l.eventually(20*time.Second, "larry alone", func() bool {
			return strings.Count(fmt.Sprint(larry.Members()), "failed") == 2
		})
		if err := larry.Alive(t.Context()); err != nil {
			t.Error(err)
		}
		if ready, why := larry.Readiness(); !ready {
			t.Errorf("larry is not ready: %s", why)
		}
		l.leave("larry")
		if err := larry.Alive(t.Context()); err == nil {
			t.Error("larry has ended, and is alive")
		}
	})
}

// A node whose replica is held is not alive, and the answer names that. Whoever
// asks meanwhile leaves nothing behind but one that waits.
func TestAPartThatDoesNotAnswer(t *testing.T) {
	host, err := simnet.New(1, 0).Host("10.0.0.1", 7000)
	if err != nil {
		t.Fatal(err)
	}
	defer host.Shutdown()
	cfg := node.DefaultConfig()
	cfg.Name, cfg.Keys, cfg.Network, cfg.Rand = "larry", testKeys(), host, rand.New(rand.NewPCG(1, 1))
	n, err := node.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if ready, why := n.Readiness(); ready || why != "starting" {
		t.Errorf("a node that was not run says %v %q", ready, why)
	}
	if err := n.Alive(t.Context()); err != nil {
		t.Error(err)
	}
	release, held, let := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(let)
		n.Hold(func() {
			close(held)
			<-release
		})
	}()
	<-held
	before := runtime.NumGoroutine()
	for range 100 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if err := n.Alive(ctx); err == nil || !strings.Contains(err.Error(), "no answer from the replica") {
			t.Errorf("the replica is held: %v", err)
		}
		cancel()
	}
	if more := runtime.NumGoroutine() - before; more > 20 { // other tests have theirs
		t.Errorf("%d goroutines wait for it", more)
	}
	close(release)
	<-let
	if err := n.Alive(t.Context()); err != nil {
		t.Errorf("let go: %v", err)
	}
}

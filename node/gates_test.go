package node_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"

	"parking/lot"
	"parking/lot/wire"
	"parking/node"
)

func gateIDs(from, to int) (out []lot.GateID) {
	for g := from; g <= to; g++ {
		out = append(out, lot.GateID(g))
	}
	return out
}

// A gate answers through any node, each refusal has its code and its words,
// and what was refused changed nothing.
func TestThroughAGateFromAnywhere(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary", "harry")
		if err := nodes[0].SetSpaces(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		if _, err := nodes[0].Rebalance(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.settled(3 * time.Second)
		for _, n := range nodes {
			for g := lot.GateID(1); g <= 4; g++ {
				before := n.Digest()
				refused := func(what string, err error, code lot.Code, words string) {
					t.Helper()
					if !errors.Is(err, code) || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "\n") {
						t.Errorf("%s by gate %d at %s: %v, want %s %q", what, g, n.Name(), err, code, words)
					}
				}
				a, b := lot.Plate("A "+n.Name()), lot.Plate("B "+n.Name())
				refused("exit of an absent car", n.Exit(t.Context(), g, a), lot.Absent, "not in the lot")
				refused("a gate that is not", n.Enter(t.Context(), g+4, a), lot.Range, "this lot has gates 1-4")
				refused("a gate that is not", n.Enter(t.Context(), 0, a), lot.Range, "this lot has gates 1-4")
				if n.Digest() != before {
					t.Error("a refusal changed something")
				}
				for _, p := range []lot.Plate{a, b} {
					if err := n.Enter(t.Context(), g, p); err != nil {
						t.Errorf("entry by gate %d at %s: %v", g, n.Name(), err)
					}
					v, in := n.Vehicle(p)
					if !in || v.Gate != g || v.Node != l.owner(g).Name() {
						t.Errorf("after the entry %s has %+v, %v", n.Name(), v, in)
					}
				}
				refused("entry of a present car", n.Enter(t.Context(), g, a), lot.Present, "already in the lot (gate "+fmt.Sprint(int(g)))
				refused("entry into a full lot", n.Enter(t.Context(), g, "C"), lot.Full, "2 of 2 spaces")
				for _, p := range []lot.Plate{a, b} {
					if err := n.Exit(t.Context(), g, p); err != nil || n.has(p) {
						t.Errorf("exit by gate %d at %s: %v", g, n.Name(), err)
					}
				}
				l.eventually(time.Second, "equal digests", l.converged)
			}
		}
		for _, s := range nodes[1].GateStates() {
			if s.In != 6 || s.Out != 6 {
				t.Errorf("gate %d counts %d in and %d out, want 6 and 6", s.Gate, s.In, s.Out)
			}
		}
	})
}

// 110 cars at one gate from all nodes at once: exactly as many get in as there
// are spaces, and the others hear why not. The original let in 101 by a gate
// and 113 by three nodes.
func TestExactlyAsManyAsSpaces(t *testing.T) {
	inLabs(t, 3, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary", "harry")
		var in, full atomic.Int64
		var wg sync.WaitGroup
		for i := range 110 {
			wg.Go(func() {
				switch err := nodes[i%3].Enter(t.Context(), 1, plate(i)); {
				case err == nil:
					in.Add(1)
				case errors.Is(err, lot.Full):
					full.Add(1)
				default:
					t.Errorf("%v", err)
				}
			})
		}
		wg.Wait()
		l.settled(3 * time.Second)
		if in.Load() != 100 || full.Load() != 10 || nodes[2].Spaces().Taken != 100 {
			t.Errorf("%d admitted, %d refused, %d there; want 100, 10, 100", in.Load(), full.Load(), nodes[2].Spaces().Taken)
		}
	})
}

// A gate that crashes in the middle is started again; each of the others'
// requests is answered, and an answer is never wrong.
func TestAGateCrashesUnderLoad(t *testing.T) {
	inLabs(t, 3, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary", "harry")
		var wg sync.WaitGroup
		for i := range 60 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				p := plate(i)
				err := nodes[i%3].Enter(t.Context(), 1, p)
				switch in := nodes[0].has(p); {
				case err == nil && !in:
					t.Errorf("%s: admitted and not in the lot", p)
				case err != nil && !errors.Is(err, lot.Unknown) && in:
					t.Errorf("%s: refused (%v) and in the lot", p, err)
				}
			})
		}
		for range 3 {
			time.Sleep(15 * time.Millisecond)
			if err := nodes[1].Crash(t.Context(), 1); err != nil {
				t.Errorf("crash: %v", err)
			}
		}
		wg.Wait()
		if err := nodes[2].Enter(t.Context(), 1, "AFTER"); err != nil {
			t.Errorf("after the crashes: %v", err)
		}
		l.settled(3 * time.Second)
		if got := nodes[0].told(node.GateCrashed); len(got) != 3 {
			t.Errorf("%d crashes were told of, want 3", len(got))
		}
	})
}

// A gate that keeps crashing rests longer and longer; its callers hear within
// a bounded time, the other gates and the node go on.
func TestACrashLoop(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary")
		stop, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for stop.Err() == nil {
					begin := time.Now()
					_ = nodes[i%2].Crash(t.Context(), 1)
					if took := time.Since(begin); took > 4100*time.Millisecond {
						t.Errorf("a crash took %v", took)
					}
				}
			})
		}
		time.Sleep(time.Second)
		for i := range 50 {
			begin := time.Now()
			if err := nodes[i%2].Enter(t.Context(), lot.GateID(2+i%3), plate(i)); err != nil {
				t.Errorf("gate %d beside the crashing one: %v", 2+i%3, err)
			}
			if took := time.Since(begin); took > 50*time.Millisecond {
				t.Errorf("gate %d took %v beside the crashing one", 2+i%3, took)
			}
			time.Sleep(100 * time.Millisecond)
		}
		begin := time.Now()
		err := nodes[1].Enter(t.Context(), 1, "PATIENT")
		t.Logf("through the crashing gate: %v after %v", err, time.Since(begin))
		if in := nodes[0].has("PATIENT"); (err == nil) != in {
			t.Errorf("answered %v, in the lot: %v", err, in)
		}
		if took := time.Since(begin); took > 4100*time.Millisecond {
			t.Errorf("the crashing gate answered after %v", took)
		}
		cancel()
		wg.Wait()
		time.Sleep(5 * time.Second)
		if err := nodes[1].Enter(t.Context(), 1, "BETTER"); err != nil {
			t.Errorf("once it no longer crashes: %v", err)
		}
		if crashes := len(nodes[0].told(node.GateCrashed)); crashes > 60 {
			t.Errorf("%d crashes in ten seconds: no back-off", crashes)
		}
	})
}

// Gates move on demand, evenly by rebalance, with no moment without an owner
// to speak of; a joiner takes none by itself.
func TestMoveAndRebalance(t *testing.T) {
	inLabs(t, 3, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary", "harry", "barry")
		gary := nodes[1]
		l.watched(4, 10*time.Millisecond, 0, func() {
			gary.forget()
			if err := gary.Move(t.Context(), 3, "harry"); err != nil {
				t.Fatal(err)
			}
			if s := gary.GateStates()[2]; !slices.Equal(s.Owners, []string{"harry"}) {
				t.Errorf("when the move returns the caller sees gate 3 on %v", s.Owners)
			}
			l.settled(3 * time.Second)
			time.Sleep(50 * time.Millisecond)
			if got := gary.told(node.GatesRun); len(got) != 1 || got[0].Reason != "moved by gary" || got[0].Node != "harry" {
				t.Errorf("the move was told as %+v", got)
			}
			moved, err := nodes[3].Rebalance(t.Context())
			if err != nil || moved != 2 {
				t.Errorf("rebalance moved %d, %v; want 2", moved, err)
			}
			l.settled(3 * time.Second)
			if got, _ := l.spread(); got["larry"] != 1 || got["gary"] != 1 || got["harry"] != 1 || got["barry"] != 1 {
				t.Errorf("gates run on %v after a rebalance", got)
			}
			if moved, err := nodes[2].Rebalance(t.Context()); err != nil || moved != 0 {
				t.Errorf("a second rebalance moved %d, %v", moved, err)
			}
			l.start("mary")
			l.settled(3 * time.Second)
			if got, _ := l.spread(); got["mary"] != 0 {
				t.Errorf("gates run on %v: a joiner takes none", got)
			}
		})
		for to, want := range map[string]lot.Code{"nobody": lot.Unreachable, "harry": lot.Refused} {
			if err := gary.Move(t.Context(), 3, to); !errors.Is(err, want) {
				t.Errorf("move of gate 3 from harry to %s: %v", to, err)
			}
		}
		if err := gary.Move(t.Context(), 9, "larry"); !errors.Is(err, lot.Range) {
			t.Errorf("move of gate 9: %v", err)
		}
		l.crash("mary")
		if err := gary.Move(t.Context(), 3, "mary"); err == nil {
			t.Error("a move to a dead node was answered with ok")
		}
		l.settled(3 * time.Second)
		if l.owner(3).Name() != "harry" {
			t.Error("gate 3 moved though it could not")
		}
	})
}

// A move takes its time on a slow network, and the gate's old node looks at
// its gates meanwhile: it does not start again there.
func TestASlowMove(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary", "harry")
		l.net.SetDelay(20 * time.Millisecond)
		l.watched(4, 150*time.Millisecond, 0, func() {
			done := make(chan error)
			go func() { done <- nodes[0].Move(t.Context(), 1, "gary") }()
			for i := range 15 {
				time.Sleep(10 * time.Millisecond)
				if err := nodes[0].SetSpaces(t.Context(), 100+i); err != nil {
					t.Error(err)
				}
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
			l.settled(3 * time.Second)
		})
	})
}

// The new node of a gate has all that the old one admitted when it admits its
// first, though no gossip gets through.
func TestASuccessorHasSeenEverything(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		l.mangle(1, 0, 0)
		nodes := l.cluster("larry", "gary", "harry")
		for i := range 5 {
			p := plate(i)
			owner := l.owner(1)
			next := nodes[(slices.Index(nodes, owner)+1)%3]
			if err := owner.Enter(t.Context(), 1, p); err != nil {
				t.Fatal(err)
			}
			if err := owner.Move(t.Context(), 1, next.Name()); err != nil {
				t.Fatal(err)
			}
			if err := next.Enter(t.Context(), 1, p); !errors.Is(err, lot.Present) {
				t.Errorf("%s answered the second entry of %s with %v", next.Name(), p, err)
			}
		}
	})
}

// A gate on a node that no longer answers: the caller hears within a bounded
// time that it is unreachable or that the outcome is unknown, never nothing,
// and never a wrong refusal.
func TestAFrozenGate(t *testing.T) {
	inLabs(t, 5, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary", "harry")
		l.cut([]string{"larry"}, []string{"gary", "harry"})
		var wg sync.WaitGroup
		var answers sync.Map
		for i := range 30 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 100 * time.Millisecond)
				begin := time.Now()
				err := nodes[1+i%2].Enter(t.Context(), 1, plate(i))
				if took := time.Since(begin); took > 4100*time.Millisecond {
					t.Errorf("answered %v after %v", err, took)
				}
				if err != nil && !errors.Is(err, lot.Unknown) && !errors.Is(err, lot.Unreachable) {
					t.Errorf("answered %v, want unknown or unreachable", err)
				}
				answers.Store(i, err)
			})
		}
		wg.Wait()
		l.heal([]string{"larry"}, []string{"gary", "harry"})
		l.settled(4 * time.Second)
		counts := make(map[string]int)
		for i := range 30 {
			err, _ := answers.Load(i)
			e, _ := err.(error)
			in := nodes[1].has(plate(i))
			switch {
			case e == nil:
				counts["admitted"]++
				if !in {
					t.Errorf("%s was admitted and is lost", plate(i))
				}
			case errors.Is(e, lot.Unknown):
				counts["unknown"]++
			default:
				counts["unreachable"]++
				if in {
					t.Errorf("%s was told unreachable, and is in the lot", plate(i))
				}
			}
		}
		t.Logf("%v", counts)
	})
}

// With nobody else in reach a gate that is elsewhere is unreachable, not
// silent; the caller's own context ends a call at once.
func TestACallEnds(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary")
		l.cut([]string{"larry"}, []string{"gary"})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		begin := time.Now()
		err := nodes[1].Enter(ctx, 1, "HASTY")
		if took := time.Since(begin); err == nil || took > 150*time.Millisecond {
			t.Errorf("a call cancelled after 100ms returned %v after %v", err, took)
		}
	})
}

// Two rebalance at once: both find it done.
func TestTwoRebalanceAtOnce(t *testing.T) {
	inLabs(t, 10, func(t *testing.T, l *lab) {
		c := l.cluster("larry", "gary", "harry")
		errs := make(chan error, 2)
		for _, n := range c[1:] {
			go func() { _, err := n.Rebalance(t.Context()); errs <- err }()
		}
		for range 2 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		l.settled(3 * time.Second)
		if has, _ := l.spread(); len(has) != 3 {
			t.Errorf("gates run on %v, want all three", has)
		}
	})
}

// Who ordered a move sees the gate where it ordered it to, however much else
// is written meanwhile.
func TestAMoveIsSeenByWhoOrderedIt(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		l.net.SetDelay(5 * time.Millisecond)
		c := l.cluster("larry", "gary", "harry")
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := 0; ctx.Err() == nil; i++ {
				for j := range 50 {
					_, _ = c[0].TrackEntry(ctx, plate(i*50+j), 1)
				}
				time.Sleep(5 * time.Millisecond)
			}
		}()
		time.Sleep(100 * time.Millisecond)
		for _, to := range []string{"gary", "larry", "harry", "larry", "gary"} {
			if err := c[1].Move(t.Context(), 2, to); err != nil {
				t.Error(err)
			}
			if owners := c[1].GateStates()[1].Owners; !slices.Equal(owners, []string{to}) {
				t.Errorf("gate 2 was moved to %s, and gary sees it on %v", to, owners)
			}
		}
		stop()
		<-done
	})
}

// What a caller has recorded counts at every gate, whichever node runs it,
// though no gossip gets through.
func TestAGateKnowsWhatItsCallerKnows(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		l.mangle(1, 0, 0)
		c := l.cluster("larry", "gary", "harry")
		larry := c[0]
		for g, to := range map[lot.GateID]string{2: "gary", 3: "harry"} {
			if err := larry.Move(t.Context(), g, to); err != nil {
				t.Fatal(err)
			}
		}
		l.settled(3 * time.Second)
		for i := range 10 {
			tracked, entered := plate(2*i), plate(2*i+1)
			if _, err := larry.TrackEntry(t.Context(), tracked, 1); err != nil {
				t.Fatal(err)
			}
			if err := larry.Exit(t.Context(), 2, tracked); err != nil {
				t.Error(err)
			}
			if err := larry.Enter(t.Context(), 2, entered); err != nil {
				t.Error(err)
			}
			if err := larry.Enter(t.Context(), 3, entered); lot.CodeOf(err) != lot.Present {
				t.Errorf("gate 3 let in a car that gate 2 let in for the same caller: %v", err)
			}
			if err := larry.Exit(t.Context(), 3, entered); err != nil {
				t.Error(err)
			}
		}
	})
}

// A gate whose node cannot pull from the caller judges by what it has.
func TestAGateIsNotHeldUpByItsCaller(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		c := l.cluster("larry", "gary")
		link := l.impostor("mallory")(c[0].Addr())
		defer link.Close()
		r, err := link.Pass(t.Context(), connect.NewRequest(&wire.PassRequest{
			Gate: 1, Plate: "A", Version: &wire.Version{Rows: []*wire.Version_Row{{Replica: &wire.Replica{Node: "moe", Incarnation: 1}, Max: 9}}},
		}))
		if err != nil || r.Msg.GetVerdict().GetCode() != "" || !c[0].has("A") {
			t.Errorf("%v, %v", r, err)
		}
	})
}

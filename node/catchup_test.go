package node_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"

	"parking/lot/wire"
	"parking/lot/wire/wireconnect"
	"parking/node"
	"parking/node/peer"
)

// faint answers no pulls of harry's while it fails.
type faint struct {
	wireconnect.PeerHandler
	fails func() bool
}

func (f faint) Pull(ctx context.Context, req *connect.Request[wire.PullRequest], to *connect.ServerStream[wire.PullChunk]) error {
	if peer.Caller(ctx).Name == "harry" && f.fails() {
		return connect.NewError(connect.CodeUnavailable, errors.New("not now"))
	}
	return f.PeerHandler.Pull(ctx, req, to)
}

// fainting makes harry's pulls from that node fail as long as fails says so.
func (l *lab) fainting(name string, fails func() bool) {
	l.tweak = func(n *lively) {
		if n.Name() == name {
			n.WrapCalls(func(h wireconnect.PeerHandler) wireconnect.PeerHandler { return faint{h, fails} })
		}
	}
}

// apartFrom makes larry and gary hold different things, so that only gary has its
// own.
func (l *lab) apartFrom(larry, gary string) {
	l.t.Helper()
	l.cut([]string{larry}, []string{gary})
	for i := range 20 {
		if _, err := l.get(gary).TrackEntry(l.t.Context(), plate(i), 1); err != nil {
			l.t.Fatal(err)
		}
	}
}

// Of two that a joiner sees one answers and is not to be pulled from, for a while:
// until it is, the joiner is not ready for work, and claims no gates.
func TestAJoinerWhosePullsFail(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		var pulls atomic.Int64
		var failing atomic.Bool
		l.fainting("gary", func() bool { return failing.Load() && pulls.Add(1) <= 8 })
		l.cluster("larry", "gary")
		l.apartFrom("larry", "gary")
		failing.Store(true)
		harry := l.start("harry", func(c *node.Config) { c.Apart, c.Join = true, []string{l.get("larry").Addr(), l.get("gary").Addr()} })
		for pulls.Load() <= 8 {
			if ready, why := harry.Readiness(); ready || why != "catching up from gary" || harry.Gauges().Ready || !harry.Gauges().Known {
				t.Fatalf("after %d pulls that failed harry is ready: %v, %q", pulls.Load(), ready, why)
			}
			if runs := harry.RunsHere(); len(runs) > 0 {
				t.Fatalf("harry runs gates %v", runs)
			}
			time.Sleep(time.Millisecond)
		}
		l.eventually(3*time.Second, "harry to be ready", func() bool { ready, _ := harry.Readiness(); return ready })
		if n := harry.Spaces().Taken; n != 20 {
			t.Errorf("harry is ready with %d vehicles of 20", n)
		}
		l.heal([]string{"larry"}, []string{"gary"})
		l.settled(20 * time.Second)
	})
}

// One that is never to be pulled from is given up when it has gone; and so it is
// when what it had has come by way of another.
func TestAJoinerWhosePullsFailForGood(t *testing.T) {
	for _, gone := range []bool{true, false} {
		t.Run(fmt.Sprint("gone ", gone), func(t *testing.T) {
			inLab(t, func(t *testing.T, l *lab) {
				var failing atomic.Bool
				l.fainting("gary", failing.Load)
				larry := l.cluster("larry", "gary")[0]
				l.apartFrom("larry", "gary")
				failing.Store(true)
				harry := l.start("harry", func(c *node.Config) { c.Apart, c.Join = true, []string{larry.Addr(), l.get("gary").Addr()} })
				time.Sleep(5 * time.Second)
				if ready, why := harry.Readiness(); ready || why != "catching up from gary" {
					t.Errorf("harry is ready: %v, %q", ready, why)
				}
				if gone {
					l.crash("gary")
				} else {
					l.heal([]string{"larry"}, []string{"gary"})
				}
				l.eventually(20*time.Second, "harry to be ready", func() bool { ready, _ := harry.Readiness(); return ready })
				l.eventually(20*time.Second, "one owner of each gate", func() bool { _, once := l.spread(); return once })
			})
		})
	}
}

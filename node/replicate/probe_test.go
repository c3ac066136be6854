package replicate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"

	"parking/lot"
	"parking/lot/crdt"
	"parking/lot/wire"
	"parking/lot/wire/wireconnect"
	"parking/node/probe"
)

// colleague is a peer that is served by a replicator.
type colleague struct {
	wireconnect.UnimplementedPeerHandler
	of *Replicator
}

func (c colleague) Pull(_ context.Context, req *connect.Request[wire.PullRequest], stream *connect.ServerStream[wire.PullChunk]) error {
	return c.of.Answer("moe", req.Msg, stream.Send)
}

// told is what instruments were told, without what depends on time and size.
type told struct {
	mu  sync.Mutex
	all []string
}

func (l *told) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, fmt.Sprintf(format, args...))
}

// take empties it.
func (l *told) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.all
	l.all = nil
	return all
}

func (l *told) listen(who string, bus *probe.Bus) {
	sized := func(bytes int) string {
		if bytes > 0 {
			return "some bytes"
		}
		return "no bytes"
	}
	bus.Sent.Attach(func(e probe.Sent) {
		l.add("%s sent %d by %v, %d changes, %s", who, e.Deltas, e.Lane, e.Changes, sized(e.Bytes))
	})
	bus.Merged.Attach(func(e probe.Merged) {
		l.add("%s merged by %v: %d new, %d known, %d forged, %s", who, e.Lane, e.New, e.Known, e.Forged, sized(e.Bytes))
	})
	bus.Arrived.Attach(func(e probe.Arrived) { l.add("%s has %d after %v", who, e.Changes, e.Age) })
	bus.Pulled.Attach(func(e probe.Pulled) { l.add("%s pulled: %v", who, e.Outcome) })
	bus.Rejected.Attach(func(e probe.Rejected) { l.add("%s rejected: %v", who, e.Why) })
	bus.Recorded.Attach(func(e probe.Recorded) { l.add("%s recorded %d, %d", who, e.Entries, e.Exits) })
}

// What goes from replica to replica is told where it leaves and where it comes, by
// each way, once.
func TestInstrumentsAreToldOfDeltas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard told
		replica := func(name string, log int) *Replicator {
			bus := new(probe.Bus)
			heard.listen(name, bus)
			s := NewStore(crdt.New(crdt.NewReplica(name, 1), log), func(*crdt.Document, Change) {}, bus)
			return New(Config{Self: name, Interval: time.Second, Rand: rand.New(rand.NewPCG(1, 2)), Log: slog.New(slog.DiscardHandler)}, s, nil, &mates{})
		}
		larry, moe := replica("larry", 64), replica("moe", 64)
		_, handler := wireconnect.NewPeerHandler(colleague{of: larry})
		client := wireconnect.NewPeerClient(&http.Client{Transport: inMemory{handler}}, "http://larry")
		enter := func(plates ...lot.Plate) []crdt.Mutation {
			t.Helper()
			ms, err := larry.store.Update(Own, func(d *crdt.Document) (ms []crdt.Mutation, err error) {
				for _, p := range plates {
					ms = append(ms, d.Enter(time.Now(), p, 1))
				}
				return ms, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return ms
		}
		pull := func() {
			t.Helper()
			if _, err := moe.PullBy(t.Context(), client, "larry"); err != nil {
				t.Fatal(err)
			}
		}
		is := func(what string, want ...string) {
			t.Helper()
			synctest.Wait()
			got := heard.take()
			slices.Sort(got) // the two are told by goroutines of their own
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s:\ngot  %q\nwant %q", what, got, want)
			}
		}
		larry.Open()
		before := enter("before")
		if _, err := moe.hear(crdt.Encode(before)); err != nil {
			t.Fatal(err)
		}
		is("before moe has caught up", "larry recorded 1, 0", "moe merged by gossip: 1 new, 0 known, 0 forged, some bytes")
		moe.Open()
		for i := range 200 { // more than the log holds
			enter(lot.Plate(fmt.Sprint(i)))
		}
		heard.take()
		pull()
		is("a whole state", "larry sent 1 by state, 0 changes, some bytes", "moe merged by state: 1 new, 0 known, 0 forged, some bytes", "moe pulled: state")
		pull()
		is("nothing", "moe pulled: same")
		two := enter("one", "two")
		time.Sleep(50 * time.Millisecond)
		pull()
		is("news", "larry recorded 2, 0", "larry sent 1 by pull, 2 changes, some bytes", "moe has 2 after 50ms", "moe merged by pull: 2 new, 0 known, 0 forged, some bytes", "moe pulled: news")

		if _, err := moe.hear(crdt.Encode(two)); err != nil {
			t.Fatal(err)
		}
		is("gossiped, too", "moe merged by gossip: 0 new, 2 known, 0 forged, some bytes")
		three := enter("three")
		time.Sleep(3 * time.Millisecond)
		if _, err := moe.hear(crdt.Encode(two, three)); err != nil {
			t.Fatal(err)
		}
		is("gossiped, in part", "larry recorded 1, 0", "moe has 1 after 3ms", "moe merged by gossip: 1 new, 2 known, 0 forged, some bytes")

		forger := crdt.New(crdt.NewReplica("moe", 1), 4)
		forged := forger.Enter(time.Now(), "FORGED", 1)
		if err := moe.Receive(t.Context(), "larry", &wire.PushRequest{Delta: crdt.Encode([]crdt.Mutation{forged})}); err == nil {
			t.Error("a forged change was taken")
		}
		is("forged", "moe merged by fanout: 0 new, 0 known, 1 forged, some bytes", "moe rejected: forged")
		if err := moe.Receive(t.Context(), "larry", &wire.PushRequest{Delta: []byte("\xff\xff")}); err == nil {
			t.Error("garbage was taken")
		}
		is("garbage", "moe rejected: malformed")
	})
}

func TestReasonsForRejections(t *testing.T) {
	for want, err := range map[probe.Fate]error{
		probe.Malformed: crdt.ErrMalformed, probe.Forged: crdt.ErrForged, probe.Newer: crdt.ErrNewer,
	} {
		if got := why("event", fmt.Errorf("from larry: %w", err)); got != want {
			t.Errorf("%v is %v, want %v", err, got, want)
		}
	}
	if got := why("connection", errors.New("tls: bad certificate")); got != probe.Stranger {
		t.Errorf("a connection that was refused is %v", got)
	}
}

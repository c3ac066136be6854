package replicate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"parking/lot"
	"parking/lot/crdt"
	"parking/lot/wire"
	"parking/lot/wire/wireconnect"
	"parking/node/probe"
)

// mates are the other nodes as a replicator sees them.
type mates struct {
	all  map[string]*mate
	gone atomic.Value // the name of one that is not there any more
}

func (m *mates) Names() (names []string) {
	for name := range m.all {
		if name != m.gone.Load() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (m *mates) Client(name string) (wireconnect.PeerClient, bool) { return m.all[name], true }

// mate is another node: it answers pushes, and keeps what they brought.
type mate struct {
	wireconnect.PeerClient
	mu     sync.Mutex
	pushes []*wire.PushRequest
	takes  time.Duration // to answer
	fails  error
	digest crdt.Digest
	asked  int // for the digest
	pulls  int
}

// mateLane is a lane to a mate.
type mateLane struct {
	*mate
	ctx context.Context
}

func (m *mates) Lane(ctx context.Context, name string) (Lane, error) {
	return mateLane{m.all[name], ctx}, nil
}

func (l mateLane) Carry(m *wire.PushRequest, _ time.Duration) error {
	l.mu.Lock()
	l.pushes = append(l.pushes, m)
	takes, fails := l.takes, l.fails
	l.mu.Unlock()
	if !pause(l.ctx, takes) {
		return l.ctx.Err()
	}
	return fails
}

func (l mateLane) Close() {}

func (m *mate) Digest(context.Context, *connect.Request[wire.DigestRequest]) (*connect.Response[wire.DigestReply], error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	return connect.NewResponse(&wire.DigestReply{Digest: m.digest[:]}), nil
}

func (m *mate) Pull(context.Context, *connect.Request[wire.PullRequest]) (*connect.ServerStreamForClient[wire.PullChunk], error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pulls++
	return nil, errors.New("not now")
}

func (m *mate) set(takes time.Duration, fails error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.takes, m.fails = takes, fails
}

// told returns how many mutations each push has brought, -1 for one that asked
// for a pull.
func (m *mate) told(t *testing.T) (sizes []int) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.pushes {
		ms, err := crdt.Decode(p.GetDelta())
		if err != nil {
			t.Fatal(err)
		}
		if n := len(ms); p.GetVersion() == nil {
			sizes = append(sizes, n)
		} else {
			sizes = append(sizes, -1)
		}
	}
	return sizes
}

// quiet is a gossip that carries nothing but what a test puts in.
type quiet struct {
	broadcast atomic.Int64
	events    chan []byte
}

func (q *quiet) Broadcast([]byte) error { q.broadcast.Add(1); return nil }
func (q *quiet) Events() <-chan []byte  { return q.events }
func (q *quiet) QueueDepth() int        { return 0 }

// desk is a replicator with nodes about it that are not real.
type desk struct {
	*Replicator
	mates  mates
	gossip *quiet
	t      *testing.T
	plates int
}

func atDesk(t *testing.T, others int, f func(*desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &desk{gossip: &quiet{events: make(chan []byte)}, t: t}
		d.mates.all = make(map[string]*mate)
		for i := range others {
			d.mates.all[fmt.Sprintf("mate-%02d", i)] = &mate{takes: time.Millisecond}
		}
		s := NewStore(crdt.New(crdt.NewReplica("larry", 1), crdt.DefaultLog), func(*crdt.Document, Change) {}, new(probe.Bus))
		d.Replicator = New(Config{
			Self: "larry", MaxEvent: 1000, Direct: true, Interval: time.Minute,
			Rand: rand.New(rand.NewPCG(1, 1)), Log: slog.New(slog.DiscardHandler),
		}, s, d.gossip, &d.mates)
		ctx, cancel := context.WithCancel(t.Context())
		var ran sync.WaitGroup
		d.Open()
		ran.Go(func() { d.Run(ctx) })
		synctest.Wait()
		f(d)
		cancel()
		ran.Wait()
	})
}

// write makes n entries in one step.
func (d *desk) write(n int) []crdt.Mutation {
	ms, _ := d.store.Update(Own, func(doc *crdt.Document) (ms []crdt.Mutation, err error) {
		for range n {
			d.plates++
			ms = append(ms, doc.Enter(time.Now(), lot.Plate(fmt.Sprint("P", d.plates)), 1))
		}
		return ms, nil
	})
	return ms
}

func (d *desk) wants(what string, name string, want ...int) {
	d.t.Helper()
	if got := d.mates.all[name].told(d.t); !slices.Equal(got, want) {
		d.t.Errorf("%s: %s was told %v, want %v", what, name, got, want)
	}
}

// What is written while a node answers travels together, and a slow node does
// not hold up another.
func TestCouriersGatherWhatWaits(t *testing.T) {
	atDesk(t, 2, func(d *desk) {
		d.mates.all["mate-01"].set(100*time.Millisecond, nil)
		for range 10 {
			d.write(3)
			time.Sleep(200 * time.Microsecond)
		}
		time.Sleep(time.Second)
		d.wants("while the first was under way", "mate-01", 3, 27)
		total, pushes := 0, d.mates.all["mate-00"].told(d.t)
		for _, n := range pushes {
			total += n
		}
		if total != 30 || len(pushes) < 2 || len(pushes) > 4 {
			d.t.Errorf("the quick one was told %v", pushes)
		}
		if n := d.gossip.broadcast.Load(); n > 0 {
			d.t.Errorf("%d events were broadcast too", n)
		}
	})
}

// More than is kept for a node, or a push that failed, makes it pull: what
// comes later has no gap before it.
func TestCouriersMakeNodesPullWhatWasLost(t *testing.T) {
	atDesk(t, 1, func(d *desk) {
		only := d.mates.all["mate-00"]
		only.set(time.Second, nil)
		d.write(1)
		for range 10 {
			d.write(flightCap)
		}
		time.Sleep(10 * time.Second)
		d.wants("too many", "mate-00", 1, flightCap, flightCap, flightCap, flightCap, -1)
		only.set(time.Millisecond, errors.New("no"))
		d.write(2)
		time.Sleep(time.Second)
		only.set(time.Millisecond, nil)
		d.write(3)
		time.Sleep(time.Second)
		d.write(4)
		time.Sleep(time.Second)
		// A lane that was open is tried twice.
		d.wants("after a failure", "mate-00", 1, flightCap, flightCap, flightCap, flightCap, -1, 2, 2, -1, 4)
	})
}

func TestLargeClustersGossip(t *testing.T) {
	for _, others := range []int{maxDirect, maxDirect + 1} {
		atDesk(t, others, func(d *desk) {
			d.write(1)
			time.Sleep(time.Second)
			events := d.gossip.broadcast.Load()
			if direct := events == 0; direct != (others <= maxDirect) || direct != (len(d.mates.all["mate-07"].told(d.t)) == 1) {
				d.t.Errorf("%d others: %d events", others, events)
			}
		})
	}
}

// A write is confirmed when as many nodes as asked for have answered, and not
// by an answer to what came before it.
func TestConfirm(t *testing.T) {
	atDesk(t, 3, func(d *desk) {
		d.mates.all["mate-00"].set(10*time.Millisecond, nil)
		d.mates.all["mate-01"].set(50*time.Millisecond, nil)
		d.mates.all["mate-02"].set(time.Hour, nil)
		for _, c := range []struct {
			n, have     int
			least, most time.Duration // who is being told something already is told after that
		}{
			{1, 1, 10 * time.Millisecond, 20 * time.Millisecond}, {2, 2, 50 * time.Millisecond, 100 * time.Millisecond},
			{3, 2, 500 * time.Millisecond, 500 * time.Millisecond}, {9, 2, 500 * time.Millisecond, 500 * time.Millisecond},
		} {
			ctx, cancel := context.WithTimeout(d.t.Context(), 500*time.Millisecond)
			begin := time.Now()
			have := d.Confirm(ctx, d.write(1), c.n)
			if took := time.Since(begin); have != c.have || took < c.least || took > c.most {
				d.t.Errorf("of %d nodes %d had it after %v, want %d after %v to %v", c.n, have, took, c.have, c.least, c.most)
			}
			cancel()
		}
		d.mates.all["mate-01"].set(time.Millisecond, errors.New("no"))
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(d.t.Context(), 100*time.Millisecond)
		defer cancel()
		if have := d.Confirm(ctx, d.write(1), 2); have != 1 {
			d.t.Errorf("%d nodes had it, one of which said no", have)
		}
	})
}

// Where nothing is to be had, a pull asks for no more than the digest.
func TestQuietPulls(t *testing.T) {
	atDesk(t, 1, func(d *desk) {
		only := d.mates.all["mate-00"]
		only.mu.Lock()
		only.digest = d.store.Digest()
		only.mu.Unlock()
		time.Sleep(time.Hour)
		only.mu.Lock()
		defer only.mu.Unlock()
		if only.asked < 50 || only.asked > 90 || only.pulls > 0 {
			d.t.Errorf("in an hour %d digests and %d pulls were asked for", only.asked, only.pulls)
		}
	})
}

// Who acknowledges a write is known to have it, also where gossip is what
// pushes, and nobody waits to hear it again.
func TestPaceKnowsWhatWasAcknowledged(t *testing.T) {
	atDesk(t, 1, func(d *desk) {
		d.direct = false
		d.pace.heard("mate-00", 0)
		if have := d.Confirm(d.t.Context(), d.write(paceWindow+10), 1); have != 1 {
			d.t.Fatalf("%d nodes have it", have)
		}
		begin := time.Now()
		if d.Pace(d.t.Context()); time.Since(begin) > 0 {
			d.t.Errorf("paced for %v", time.Since(begin))
		}
	})
}

// A writer waits for nodes that keep up, and for no others.
func TestPace(t *testing.T) {
	atDesk(t, 2, func(d *desk) {
		d.direct = false // else the answers tell how far the nodes are
		paced := func() time.Duration {
			begin := time.Now()
			d.Pace(d.t.Context())
			return time.Since(begin)
		}
		if took := paced(); took != 0 {
			d.t.Errorf("before anything: %v", took)
		}
		d.write(paceWindow + 10)
		time.Sleep(5 * time.Second)
		d.pace.heard("mate-00", 10)
		if took := paced(); took != 0 {
			d.t.Errorf("within the window: %v", took)
		}
		d.pace.heard("mate-01", 9)
		time.AfterFunc(100*time.Millisecond, func() { d.pace.heard("mate-01", 9) })
		time.AfterFunc(200*time.Millisecond, func() { d.pace.heard("mate-01", 10) })
		if took := paced(); took != 200*time.Millisecond {
			d.t.Errorf("beyond it: %v", took)
		}
		d.write(1)
		d.pace.heard("mate-01", 10)
		if took := paced(); took < paceFresh || took > 2*paceFresh {
			d.t.Errorf("for a node that says nothing any more: %v", took)
		}
		d.pace.heard("mate-01", 10)
		ctx, cancel := context.WithTimeout(d.t.Context(), time.Millisecond)
		defer cancel()
		begin := time.Now()
		if d.Pace(ctx); time.Since(begin) != time.Millisecond {
			d.t.Errorf("of a command that is cancelled: %v", time.Since(begin))
		}
		d.mates.gone.Store("mate-01")
		if took := paced(); took != 0 {
			d.t.Errorf("for a node that is gone: %v", took)
		}
	})
}

// A node that has been brought no state asks nobody for one because of what is
// gossiped meanwhile, nor by itself.
func TestNoNewsBeforeTheState(t *testing.T) {
	atDesk(t, 3, func(d *desk) {
		d.opened.Store(false)
		theirs := crdt.New(crdt.NewReplica("mate-00", 1), crdt.DefaultLog)
		told := crdt.Pack(1000, []crdt.Mutation{theirs.Enter(time.Now(), "P1", 1)})[0]
		pulls := func() (asked, pulls int) {
			for name, m := range d.mates.all {
				e, err := proto.Marshal(&wire.Announcement{Node: name})
				if err != nil {
					d.t.Fatal(err)
				}
				d.gossip.events <- append([]byte{eventVersion}, e...)
				d.Kick(name)
				defer func() {
					m.mu.Lock()
					defer m.mu.Unlock()
					asked, pulls = asked+m.asked, pulls+m.pulls
				}()
			}
			d.gossip.events <- told
			time.Sleep(10 * time.Minute)
			return asked, pulls
		}
		if asked, pulls := pulls(); asked+pulls > 0 || d.store.Covers(theirs.Version()) {
			d.t.Errorf("%d digests and %d pulls were asked for, heard: %v", asked, pulls, d.store.Covers(theirs.Version()))
		}
		d.Open()
		if asked, pulls := pulls(); asked < 5 || pulls < 3 || !d.store.Covers(theirs.Version()) {
			d.t.Errorf("with a state: %d digests and %d pulls were asked for, heard: %v", asked, pulls, d.store.Covers(theirs.Version()))
		}
	})
}

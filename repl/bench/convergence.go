package bench

import (
	"context"
	"fmt"
	"sync"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/sync/errgroup"

	"parking/repl/bench/wire"
	"parking/repl/process"
)

// convergence records entries at a steady rate, at one node after the other,
// whether or not the earlier ones have arrived, and measures from when each was
// due until every replica shows it.
func convergence(ctx context.Context, t *trial, s *sample) error {
	before, after, err := t.cross(ctx, s, t.label, t.members(), "visible on every replica", "recorded at its own")
	if err != nil {
		return err
	}
	s.costs(before, after, t.cfg.entries())
	return nil
}

// cross records entries at members at a steady rate, one member after the other,
// and blocks until all of these show all of them. The times until then, and
// until the entries are recorded, go by these names. It returns what the members
// had used before and after. Others of the cluster need not answer.
func (t *trial) cross(ctx context.Context, s *sample, label string, members []*member, everywhere, recorded string) (before, after usage, err error) {
	total := t.cfg.entries()
	// Noted even for entries that did not arrive: the run has been interrupted.
	c := &crossing{
		first: t.plates.take(total), nodes: len(members), entries: make([]entry, total), all: make(chan struct{}),
		everywhere: s.latency(everywhere), recorded: s.latency(recorded),
	}
	defer c.conclude(s)
	listening, hangUp := context.WithCancel(ctx)
	var streams sync.WaitGroup
	defer streams.Wait()
	defer hangUp()
	lost := make(chan error, len(members))
	for i, m := range members {
		told, err := m.arrivals(listening, t.plates.prefix, c.first, total)
		if err != nil {
			return before, after, err
		}
		streams.Go(func() {
			if err := told(func(numbers []uint64, at []int64, late int) { c.arrived(i, numbers, at, late) }); err != nil {
				lost <- err
			}
		})
	}
	if before, err = used(ctx, members); err != nil {
		return before, after, err
	}
	stop := t.progress.during(label, t.cfg.Duration)
	defer stop()
	err = c.feed(ctx, members, t.plates.prefix, time.Second/time.Duration(t.cfg.Rate))
	stop()
	if err != nil {
		return before, after, err
	}
	late, cancel := process.Limit(ctx, "arriving everywhere", patience)
	defer cancel()
	select {
	case <-c.all:
	case err := <-lost:
		return before, after, err
	case <-late.Done():
		return before, after, fmt.Errorf("%w; %d of %d entries did not", context.Cause(late), c.missing(), total)
	}
	after, err = used(ctx, members)
	return before, after, err
}

// openLoop does something so many times, each when it is due, however long the
// earlier ones take. It blocks until all are done; after an error no others
// begin.
func openLoop(ctx context.Context, times int, interval time.Duration, do func(ctx context.Context, i int, due time.Time) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	defer wg.Wait()
	begin := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i := range times {
		due := begin.Add(time.Duration(i) * interval)
		if wait := time.Until(due); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			if err := do(ctx, i, due); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// An entry is on its way to all replicas.
type entry struct {
	due  time.Time
	by   int       // where it is recorded
	has  int       // replicas that show it
	last time.Time // when the latest of them did
}

// A crossing is entries on their way from members to members. It is safe for concurrent use.
type crossing struct {
	first uint64
	nodes int
	all   chan struct{} // closed when all have arrived everywhere

	mu                   sync.Mutex
	entries              []entry
	arrivals, late       int
	everywhere, recorded *latency
}

// ahead is how long before the first entry is due the nodes are told of it.
const ahead = 100 * time.Millisecond

// feed lets the members record the entries, one member after the other. The
// entries come into being inside of the nodes: a call for each would be most of
// what is measured. It blocks until all are recorded.
func (c *crossing) feed(ctx context.Context, all []*member, prefix string, interval time.Duration) error {
	begin := time.Now().Add(ahead)
	c.mu.Lock()
	for i := range c.entries {
		c.entries[i].due, c.entries[i].by = begin.Add(time.Duration(i)*interval), i%len(all)
	}
	c.mu.Unlock()
	group, ctx := errgroup.WithContext(ctx)
	for i, m := range all {
		group.Go(func() error {
			stream, err := m.calls.Feed(ctx, connect.NewRequest(&wire.FeedRequest{
				Prefix: prefix, First: c.first + uint64(i), Stride: uint32(len(all)),
				Count: uint32((len(c.entries) - i + len(all) - 1) / len(all)),
				Begin: begin.Add(time.Duration(i) * interval).UnixNano(), Interval: uint64(interval) * uint64(len(all)),
			}))
			if err != nil {
				return m.fails(ctx, err)
			}
			defer stream.Close()
			for stream.Receive() {
				c.arrived(i, stream.Msg().GetNumbers(), stream.Msg().GetAt(), 0)
			}
			return m.fails(ctx, stream.Err())
		})
	}
	return group.Wait()
}

// arrived notes what a replica shows.
func (c *crossing) arrived(at int, numbers []uint64, when []int64, late int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.late += late
	for k, number := range numbers {
		i, shown := int(number-c.first), time.Unix(0, when[k])
		if c.entries[i].by == at {
			c.recorded.since(c.entries[i].due, shown)
		}
		c.shown(i, shown)
	}
}

// shown notes that one more replica shows an entry. The caller holds mu.
func (c *crossing) shown(i int, at time.Time) {
	e := &c.entries[i]
	if e.has++; at.After(e.last) {
		e.last = at
	}
	if e.has < c.nodes {
		return
	}
	c.everywhere.since(e.due, e.last)
	if c.arrivals++; c.arrivals == len(c.entries) {
		close(c.all)
	}
}

func (c *crossing) missing() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.entries) - c.arrivals
}

// conclude tells what is odd about the entries.
func (c *crossing) conclude(s *sample) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.late > 0 {
		s.note("%d arrivals were seen by a look at the lot, up to %v late: whole states came, or events were missed", c.late, flushEvery)
	}
}

// arrivals asks a member which of the plates come. Nothing is missed once it
// has returned. What it returns tells of them until ctx ends, or the member.
func (m *member) arrivals(ctx context.Context, prefix string, first uint64, count int) (func(tell func(numbers []uint64, at []int64, late int)) error, error) {
	call, cancel := context.WithCancel(ctx)
	stream, err := m.calls.Arrivals(call, connect.NewRequest(&wire.ArrivalsRequest{Prefix: prefix, First: first, Count: uint32(count)}))
	if err == nil && !stream.Receive() {
		err = stream.Err()
		stream.Close()
	}
	if err != nil {
		cancel()
		return nil, m.fails(ctx, err)
	}
	return func(tell func([]uint64, []int64, int)) error {
		defer stream.Close()
		defer cancel() // before Close, which would wait for the node's end of the stream
		for stream.Receive() {
			tell(stream.Msg().GetNumbers(), stream.Msg().GetAt(), int(stream.Msg().GetLate()))
		}
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("%s tells no more: %w", m.name, stream.Err())
	}, nil
}

package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"parking/repl/bench/wire"
)

// filling is how many entries fill records at once.
const filling = 4096

// fill records as many entries as the lot is to have at the first node, and
// blocks until all nodes have them.
func (t *trial) fill(ctx context.Context) (before, after usage, err error) {
	all := t.members()
	if before, err = used(ctx, all); err != nil {
		return before, after, err
	}
	t.progress.begin(t.label+", filling the lot", t.size)
	for left := t.size; left > 0; left -= filling {
		n := min(left, filling)
		if _, err := all[0].load(ctx, t.plates.prefix, t.plates.take(n), n, false); err != nil {
			return before, after, err
		}
		t.progress.add(n)
	}
	t.progress.done()
	if _, err = equal(ctx, all); err != nil {
		return before, after, err
	}
	after, err = used(ctx, all)
	return before, after, err
}

// fillFirst prepares a workload that measures a lot of some size.
func fillFirst(ctx context.Context, t *trial) (err error) {
	t.empty, t.full, err = t.fill(ctx)
	return err
}

// weighty is how many vehicles weigh enough to tell their memory from that of
// an empty node, which is another each time.
const weighty = 10_000

// joiner is the name of the node that joins.
const joiner = "fresh"

// catchUp starts one more node and measures until it has the lot. With changes
// that go on, the lot is what the others had when it was started.
func catchUp(ctx context.Context, t *trial, s *sample) (err error) {
	all := append([]*member(nil), t.members()...)
	rest := t.keepChanging(ctx, s)
	defer func() { err = errors.Join(err, rest()) }()
	before, err := used(ctx, all)
	if err != nil {
		return err
	}
	stats, err := statsOf(ctx, all[:1])
	if err != nil {
		return err
	}
	goal := stats[0]
	begin := time.Now()
	started, err := t.launch(joiner)
	if err != nil {
		return err
	}
	if err := ready(ctx, started); err != nil {
		return err
	}
	m := started[0]
	both := []*member{m, all[0]}
	stats, err = await(ctx, both, "catching up", func(now []*wire.StatsReply) bool {
		if t.cfg.UnderLoad > 0 {
			return now[0].GetLag() == 0 && now[0].GetChanges() >= goal.GetChanges()
		}
		return sameDigest(now)
	})
	if err != nil {
		return err
	}
	caughtUp := time.Now()
	after, err := used(ctx, append(all[:len(all):len(all)], m))
	if err != nil {
		return err
	}
	if err := rest(); err != nil {
		return err
	}
	if _, err := equal(ctx, t.members()); err != nil {
		return err
	}
	start := time.Unix(0, stats[0].GetReady())
	s.set("from its start until it has all", "s", caughtUp.Sub(begin).Seconds())
	s.set("from its start until it is ready", "s", start.Sub(begin).Seconds())
	if welcomed := stats[0].GetWelcomed(); welcomed > 0 {
		s.set("from its welcome until it is ready", "s", start.Sub(time.Unix(0, welcomed)).Seconds())
	} else {
		s.note("nobody welcomed the node before it was ready")
	}
	perEntry := func(v float64) float64 { return v / float64(t.size) }
	if t.size > 0 {
		s.set("sent per entry, all nodes", "B", perEntry(float64(after.sent-before.sent)))
		s.set("CPU per entry, all nodes", "s", perEntry((after.cpu - before.cpu).Seconds()))
	}
	if t.size >= weighty {
		s.set("memory per entry, the node that joined", "B", perEntry(float64(after.rss[m])-t.empty.meanMemory()))
		s.set("memory per entry, the node that was loaded", "B", perEntry(float64(t.full.rss[all[0]])-float64(t.empty.rss[all[0]])))
	}
	if err := errors.Join(m.signal(syscall.SIGTERM), t.release(ctx, m)); err != nil {
		return err
	}
	return complete(ctx, all)
}

// meanMemory is that of a member.
func (u usage) meanMemory() float64 {
	sum := 0.0
	for _, rss := range u.rss {
		sum += float64(rss)
	}
	return sum / float64(max(1, len(u.rss)))
}

// changingEvery is how far apart the changes that go on are recorded.
const changingEvery = 20 * time.Millisecond

// keepChanging keeps recording entries at the first node, and exits of the
// earlier ones, if a load is wanted, until rest is called: it may be several
// times, and returns what went wrong first.
func (t *trial) keepChanging(ctx context.Context, s *sample) (rest func() error) {
	if t.cfg.UnderLoad == 0 {
		return func() error { return nil }
	}
	ctx, cancel := context.WithCancel(ctx)
	first := t.members()[0]
	var failed error
	var wg sync.WaitGroup
	wg.Go(func() {
		begin, changes := time.Now(), 0
		tick := time.NewTicker(changingEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				s.set("changes meanwhile", "changes/s", float64(changes)/time.Since(begin).Seconds())
				return
			case <-tick.C:
			}
			// An entry and its exit are two changes.
			n := (int(time.Since(begin).Seconds()*float64(t.cfg.UnderLoad)) - changes) / 2
			for n > 0 && failed == nil {
				part := min(n, maxLoad)
				number := t.plates.take(part)
				for _, out := range []bool{false, true} {
					if _, err := first.load(context.WithoutCancel(ctx), t.plates.prefix, number, part, out); err != nil {
						failed = fmt.Errorf("the changes that were to go on: %w", err)
					}
				}
				n, changes = n-part, changes+2*part
			}
		}
	})
	return sync.OnceValue(func() error {
		cancel()
		wg.Wait()
		return failed
	})
}

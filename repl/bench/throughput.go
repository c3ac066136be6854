package bench

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"parking/repl/bench/wire"
)

// throughput records entries at every node as fast as it can. They count once
// all replicas are equal, and must all be there then.
func throughput(ctx context.Context, t *trial, s *sample) error {
	all := t.members()
	before, err := used(ctx, all)
	if err != nil {
		return err
	}
	stats, err := equal(ctx, all)
	if err != nil {
		return err
	}
	there := stats[0].GetTaken()
	stop := t.progress.during(t.label, t.cfg.Duration)
	defer stop()
	begin := time.Now()
	acked, err := t.write(ctx, begin.Add(t.cfg.Duration), s)
	if err != nil {
		return err
	}
	written := time.Now()
	stop()
	stats, err = equal(ctx, all)
	if err != nil {
		return err
	}
	end := time.Now()
	after, err := used(ctx, all)
	if err != nil {
		return err
	}
	s.set("changes that all replicas have", "changes/s", float64(acked)/end.Sub(begin).Seconds())
	s.set("changes as they were acknowledged", "changes/s", float64(acked)/written.Sub(begin).Seconds())
	s.set("from the last one until all are equal", "s", end.Sub(written).Seconds())
	s.costs(before, after, acked)
	if acked >= weighty {
		s.set("memory per entry, the node that grew most", "B", grown(before, after)/float64(acked))
	}
	return t.complete(s, stats, there+uint64(acked))
}

// complete returns an error if vehicles were lost. Others' lots may change
// meanwhile.
func (t *trial) complete(s *sample, stats []*wire.StatsReply, want uint64) error {
	for _, x := range stats {
		switch got := x.GetTaken(); {
		case got == want:
		case t.cfg.attached():
			s.note("%s has %d vehicles, and %d were there or recorded here: others use this cluster", x.GetNode(), got, want)
		default:
			return fmt.Errorf("%s has %d vehicles, and %d were acknowledged", x.GetNode(), got, want)
		}
	}
	return nil
}

// write lets writers on every node record batches until the deadline, and
// returns how many entries were acknowledged.
func (t *trial) write(ctx context.Context, deadline time.Time, s *sample) (entries int, err error) {
	batches := s.latency("a batch recorded (closed loop)")
	var mu sync.Mutex // of batches
	var acked atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for _, m := range t.members() {
		for range t.cfg.Writers {
			group.Go(func() error {
				for {
					begin := time.Now()
					if !begin.Before(deadline) {
						return nil
					}
					n, err := m.load(ctx, t.plates.prefix, t.plates.take(t.cfg.Batch), t.cfg.Batch, false)
					if err != nil {
						return err
					}
					acked.Add(int64(n))
					mu.Lock()
					batches.since(begin, time.Now())
					mu.Unlock()
				}
			})
		}
	}
	err = group.Wait()
	return int(acked.Load()), err
}

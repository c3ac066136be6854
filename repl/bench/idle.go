package bench

import (
	"context"
	"time"

	"parking/repl/bench/wire"
)

// idle measures what a cluster costs in which nothing happens.
func idle(ctx context.Context, t *trial, s *sample) error {
	all := t.members()
	if _, err := await(ctx, all, "coming to rest", func(now []*wire.StatsReply) bool {
		for _, x := range now {
			if x.GetLag() > 0 || x.GetQueue() > 0 && len(all) > 1 { // who is alone has nobody to push to
				return false
			}
		}
		return sameDigest(now)
	}); err != nil {
		return err
	}
	if err := t.rest(ctx, t.label+", coming to rest", t.cfg.Quiet); err != nil {
		return err
	}
	before, err := used(ctx, all)
	if err != nil {
		return err
	}
	if err := t.rest(ctx, t.label, t.cfg.Idle); err != nil {
		return err
	}
	after, err := used(ctx, all)
	if err != nil {
		return err
	}
	seconds, nodes := after.at.Sub(before.at).Seconds(), float64(len(all))
	s.set("CPU per node, of a core", "%", 100*(after.cpu-before.cpu).Seconds()/seconds/nodes)
	s.set("sent per node", "B/s", float64(after.sent-before.sent)/seconds/nodes)
	busiest, loudest := 0.0, 0.0
	for _, m := range all {
		busiest = max(busiest, 100*(after.each[m].cpu-before.each[m].cpu).Seconds()/seconds)
		loudest = max(loudest, float64(after.each[m].sent-before.each[m].sent)/seconds)
	}
	s.set("CPU of the busiest node, of a core", "%", busiest)
	s.set("sent by the loudest node", "B/s", loudest)
	s.set("memory per node", "B", after.meanMemory())
	return nil
}

// rest lets time pass.
func (t *trial) rest(ctx context.Context, what string, d time.Duration) error {
	defer t.progress.during(what, d)()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

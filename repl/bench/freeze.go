package bench

import (
	"context"
	"time"
)

// standstill records entries at a steady rate at all nodes but the last, first
// while that one runs and then while it stands still, and measures what the
// others notice; and then how long the last one needs for what it has missed.
func standstill(ctx context.Context, t *trial, s *sample) error {
	all := t.members()
	last := all[len(all)-1]
	rest := others(all, last)
	stats, err := equal(ctx, all)
	if err != nil {
		return err
	}
	there := stats[0].GetTaken()
	cross := func(how string) error {
		before, after, err := t.cross(ctx, s, t.label+", "+how, rest, "visible on the others, "+how, "recorded at its own, "+how)
		if err == nil {
			s.set("memory that the busiest of the others grew by, "+how, "B", grown(before, after))
		}
		return err
	}
	if err := cross("all running"); err != nil {
		return err
	}
	// What it misses is to be what came while it stood still.
	if _, err := equal(ctx, all); err != nil {
		return err
	}
	var thaw time.Time
	if err := last.frozen(func() error {
		err := cross("one stands still")
		thaw = time.Now()
		return err
	}); err != nil {
		return err
	}
	if stats, err = equal(ctx, all); err != nil {
		return err
	}
	s.set("from its thaw until it has all", "s", time.Since(thaw).Seconds())
	return t.complete(s, stats, there+2*uint64(t.cfg.entries()))
}

package bench

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"
)

// guests is how many vehicles are in the lot during failovers: none is to be
// lost.
const guests = 100

// failover ends the node that runs most gates, abruptly, by freezing it and by
// asking it to leave, and measures until all others agree on who runs each gate
// then.
func failover(ctx context.Context, t *trial, s *sample) error {
	g := newGatekeeper()
	defer g.close()
	g.listen(ctx, t.members()...)
	if _, err := g.settled(ctx, t.members()); err != nil {
		return err
	}
	if _, err := t.members()[0].load(ctx, t.plates.prefix, t.plates.take(guests), guests, false); err != nil {
		return err
	}
	few := min(3, t.cfg.Times)
	for _, way := range []struct {
		verb  string
		name  string
		times int
		fail  func(context.Context, *trial, *gatekeeper, *latency, *member) error
	}{
		{"kill", "kill -9 until every gate runs again", t.cfg.Times, kill},
		{"freeze", "the same, of a node that freezes", few, freeze},
		{"leave", "the same, of a node that leaves", few, leave},
	} {
		t.progress.begin(t.label+", "+way.verb, way.times)
		l := s.latency(way.name)
		for range way.times {
			if _, err := equal(ctx, t.members()); err != nil {
				return err
			}
			if err := way.fail(ctx, t, g, l, busiest(g, t.members())); err != nil {
				return err
			}
			t.progress.add(1)
		}
	}
	t.progress.done()
	stats, err := equal(ctx, t.members())
	if err != nil {
		return err
	}
	return t.complete(s, stats, t.plates.next.Load())
}

// busiest returns the member that runs most gates, or one of those.
func busiest(g *gatekeeper, members []*member) *member {
	runs := g.gates(members)
	return slices.MaxFunc(members, func(a, b *member) int { return runs[a] - runs[b] })
}

// others returns the members but for one.
func others(members []*member, but *member) []*member {
	return slices.DeleteFunc(slices.Clone(members), func(m *member) bool { return m == but })
}

func kill(ctx context.Context, t *trial, g *gatekeeper, l *latency, victim *member) error {
	return endAndReturn(ctx, t, g, l, victim, syscall.SIGKILL)
}

func leave(ctx context.Context, t *trial, g *gatekeeper, l *latency, victim *member) error {
	return endAndReturn(ctx, t, g, l, victim, syscall.SIGTERM)
}

// endAndReturn ends a node, measures until the others run its gates, and starts
// it again.
func endAndReturn(ctx context.Context, t *trial, g *gatekeeper, l *latency, victim *member, by syscall.Signal) error {
	left := others(t.members(), victim)
	g.forget(victim)
	begin := time.Now()
	if err := victim.signal(by); err != nil {
		return err
	}
	at, err := g.settled(ctx, left)
	if err != nil {
		return err
	}
	l.since(begin, at)
	if err := t.release(ctx, victim); err != nil {
		return err
	}
	started, err := t.launch(victim.name)
	if err != nil {
		return err
	}
	if err := ready(ctx, started); err != nil {
		return err
	}
	g.listen(ctx, started...)
	return back(ctx, t, g)
}

// freeze stops a node, and lets it go on when its gates run elsewhere.
func freeze(ctx context.Context, t *trial, g *gatekeeper, l *latency, victim *member) error {
	left := others(t.members(), victim)
	begin := time.Now()
	err := victim.frozen(func() error {
		at, err := g.settled(ctx, left)
		if err == nil {
			l.since(begin, at)
		}
		return err
	})
	if err != nil {
		return err
	}
	return back(ctx, t, g)
}

// back blocks until all members see each other again.
func back(ctx context.Context, t *trial, g *gatekeeper) error {
	if _, err := g.settled(ctx, t.members()); err != nil {
		return fmt.Errorf("after the failover: %w", err)
	}
	return nil
}

package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"parking/lot"
	"parking/repl"
)

// strangers is how many vehicles come at each node that runs while something is
// broken.
const strangers = 3

// A breach is a way in which nodes or the links between them are broken, each time
// others. The first node gives the orders.
type breach struct {
	name string
	// orders returns the lines that break them.
	orders func(all []*member, nth int) []string
	// sides returns the groups of nodes that lose each other; nil: all go on
	// seeing each other. Who is in none stands still.
	sides func(all []*member, nth int) [][]*member
}

var breaches = []breach{
	{name: "partition in two", orders: inTwo, sides: halves},
	{name: "one node isolated", orders: alone, sides: oneAndRest},
	{name: "one link cut one way", orders: oneWay, sides: ofTwo},
	{name: "30 % loss, 100 ms late, jitter 100 ms", orders: lossy, sides: none},
	{name: "one node paused", orders: still, sides: without},
	{name: "one clock five minutes ahead", orders: early, sides: none},
}

func halves(all []*member, _ int) [][]*member {
	return [][]*member{all[:len(all)/2], all[len(all)/2:]}
}

func inTwo(all []*member, nth int) []string {
	line := "partition"
	for _, m := range halves(all, nth)[0] {
		line += " " + m.name
	}
	line += " |"
	for _, m := range halves(all, nth)[1] {
		line += " " + m.name
	}
	return []string{line}
}

func oneAndRest(all []*member, nth int) [][]*member {
	one := all[nth%len(all)]
	return [][]*member{{one}, others(all, one)}
}

func alone(all []*member, nth int) []string { return []string{"isolate " + all[nth%len(all)].name} }

func oneWay(all []*member, nth int) []string {
	return []string{fmt.Sprintf("link %s>%s cut", all[nth%len(all)].name, all[(nth+1)%len(all)].name)}
}

// ofTwo is what a cut one way makes of two nodes. Of more, others pass on what
// those two say.
func ofTwo(all []*member, _ int) [][]*member {
	if len(all) > 2 {
		return nil
	}
	return [][]*member{all[:1], all[1:]}
}

func lossy(all []*member, _ int) (lines []string) {
	for i, a := range all {
		for _, b := range all[:i] {
			lines = append(lines, fmt.Sprintf("link %s<>%s drop 30%% delay 100ms jitter 100ms", a.name, b.name))
		}
	}
	return lines
}

// later returns one of the nodes but the first.
func later(all []*member, nth int) *member { return all[1+nth%(len(all)-1)] }

func still(all []*member, nth int) []string { return []string{"pause " + later(all, nth).name} }

func without(all []*member, nth int) [][]*member {
	return [][]*member{others(all, later(all, nth))}
}

func early(all []*member, nth int) []string {
	return []string{"clock " + later(all, nth).name + " +5m"}
}

func none([]*member, int) [][]*member { return nil }

// mend breaks them in each of the ways, waits until that was noticed where it is
// to be, records entries on all sides, and measures from the order to heal
// until all digests are equal and until all agree, for good, on who runs each
// gate.
func mend(ctx context.Context, t *trial, s *sample) error {
	g := newGatekeeper()
	defer g.close()
	g.listen(ctx, t.members()...)
	for _, b := range breaches {
		t.progress.begin(t.label+", "+b.name, t.cfg.Times)
		relapses := 0
		for nth := range t.cfg.Times {
			again, err := t.mendOnce(ctx, s, g, b, nth)
			if err != nil {
				return fmt.Errorf("%s: %w", b.name, err)
			}
			relapses += again
			t.progress.add(1)
		}
		if relapses > 0 {
			s.note("%s, healed: %s all agreed for less than %v, and once more after that", b.name, repl.Count(relapses, "time"), t.cfg.Lasts)
		}
		t.progress.done()
	}
	stats, err := equal(ctx, t.members())
	if err != nil {
		return err
	}
	return t.complete(s, stats, t.plates.next.Load())
}

func (t *trial) mendOnce(ctx context.Context, s *sample, g *gatekeeper, b breach, nth int) (relapses int, err error) {
	all := t.members()
	if _, err := g.settled(ctx, all); err != nil {
		return 0, err
	}
	if _, err := equal(ctx, all); err != nil {
		return 0, err
	}
	if err := t.breakUp(ctx, s, g, b, nth); err != nil {
		return 0, err
	}
	running := all
	if sides := b.sides(all, nth); sides != nil {
		running = slices.Concat(sides...)
	}
	if err := each(running, func(m *member) error {
		_, err := m.load(ctx, t.plates.prefix, t.plates.take(strangers), strangers, false)
		return err
	}); err != nil {
		return 0, err
	}
	return t.healAll(ctx, s, g, b)
}

// breakUp returns when that has been noticed, or should long have been.
func (t *trial) breakUp(ctx context.Context, s *sample, g *gatekeeper, b breach, nth int) error {
	all := t.members()
	begin := time.Now()
	for _, line := range b.orders(all, nth) {
		if err := all[0].exec(ctx, line); err != nil {
			return err
		}
	}
	sides := b.sides(all, nth)
	if sides == nil {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(t.cfg.Broken):
			return nil
		}
	}
	last := begin
	for _, side := range sides {
		at, err := g.settled(ctx, side)
		if err != nil {
			return err
		}
		if at.After(last) {
			last = at
		}
	}
	s.latency(b.name+": until each side runs all gates").since(begin, last)
	return nil
}

// healAll measures how soon all is well. It returns how often that did not
// last.
func (t *trial) healAll(ctx context.Context, s *sample, g *gatekeeper, b breach) (relapses int, err error) {
	all := t.members()
	group, ctx := errgroup.WithContext(ctx)
	begin := time.Now()
	var digests, gates time.Time
	var slow error
	group.Go(func() error {
		err := all[0].exec(ctx, "heal")
		if errors.Is(err, lot.Timeout) {
			slow, err = err, nil
		}
		return err
	})
	group.Go(func() error {
		_, err := equal(ctx, all)
		digests = time.Now()
		return err
	})
	group.Go(func() (err error) {
		gates, relapses, err = g.settledFor(ctx, all, t.cfg.Lasts)
		return err
	})
	if err := group.Wait(); err != nil {
		return relapses, err
	}
	if slow != nil {
		s.note("%s: %v", b.name, slow)
	}
	s.latency(b.name+", healed: until equal digests").since(begin, digests)
	if gates.After(begin) { // else each had one all the while
		s.latency(b.name+", healed: until one owner per gate").since(begin, gates)
	}
	return relapses, nil
}

package bench

import (
	"context"
	"time"
)

// together starts nodes at the same moment, as often as it is to, and measures
// until all of them see each other, and one and the same owner of each gate.
func together(ctx context.Context, t *trial, s *sample) error {
	t.progress.begin(t.label, t.cfg.Times)
	l := s.latency("until all agree on who runs each gate")
	for range t.cfg.Times {
		if err := t.startOnce(ctx, l); err != nil {
			return err
		}
		t.progress.add(1)
	}
	t.progress.done()
	return nil
}

// startOnce does it with nodes that know nothing of those before.
func (t *trial) startOnce(ctx context.Context, l *latency) (err error) {
	c, err := openOwn(t.cfg)
	if err != nil {
		return err
	}
	defer func() {
		if left := c.close(ctx); err == nil {
			err = left
		}
	}()
	g := newGatekeeper()
	defer g.close()
	begin := time.Now()
	started, err := c.launch(castNames(t.nodes)...)
	if err != nil {
		return err
	}
	if err := ready(ctx, started); err != nil {
		return err
	}
	g.listen(ctx, started...)
	at, err := g.settled(ctx, started)
	if err != nil {
		return err
	}
	l.since(begin, at)
	return nil
}

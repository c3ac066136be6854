package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"connectrpc.com/connect"

	"parking/repl/bench/wire"
)

// A passage is a gate, and a node that does not run it.
type passage struct {
	gate uint32
	from *member
}

// passages returns every gate as seen from each node that does not run it; from
// its own, where there is no other.
func passages(all []*member, gates []*wire.GatesReply_Gate) (out []passage) {
	for _, m := range all {
		for _, g := range gates {
			if len(all) == 1 || !slices.Contains(g.Owners, m.name) {
				out = append(out, passage{g.Gate, m})
			}
		}
	}
	return out
}

// through lets vehicles in, and then out again, through gates that other nodes
// run, at a steady rate.
func through(ctx context.Context, t *trial, s *sample) error {
	all := t.members()
	ways, err := waysOf(ctx, all)
	if err != nil {
		return err
	}
	// Each half of the time is one direction.
	total := int(float64(t.cfg.Rate) * t.cfg.Duration.Seconds() / 2)
	first := t.plates.take(total)
	stop := t.progress.during(t.label, t.cfg.Duration)
	defer stop()
	before, err := used(ctx, all)
	if err != nil {
		return err
	}
	for _, verb := range []string{"enter", "exit"} {
		l := s.latency(verb + " through another node's gate")
		ends := make([]time.Time, total)
		dues := make([]time.Time, total)
		err := openLoop(ctx, total, time.Second/time.Duration(t.cfg.Rate), func(ctx context.Context, i int, due time.Time) error {
			way := ways[i%len(ways)]
			line := fmt.Sprintf("gate %d %s %s", way.gate, verb, plate(t.plates.prefix, first+uint64(i)))
			err := way.from.exec(ctx, line)
			if err == nil {
				dues[i], ends[i] = due, time.Now()
			}
			return err
		})
		for i, end := range ends {
			if !end.IsZero() {
				l.since(dues[i], end)
			}
		}
		if err != nil {
			return err
		}
	}
	stop()
	after, err := used(ctx, all)
	if err != nil {
		return err
	}
	if _, err := equal(ctx, all); err != nil {
		return err
	}
	s.costs(before, after, 2*total)
	return nil
}

// gates returns the gates, as the member sees them now.
func (m *member) gates(ctx context.Context) ([]*wire.GatesReply_Gate, error) {
	call, cancel := context.WithCancel(ctx)
	stream, err := m.calls.Gates(call, connect.NewRequest(&wire.GatesRequest{}))
	if err != nil {
		cancel()
		return nil, m.fails(ctx, err)
	}
	defer stream.Close()
	defer cancel() // before Close, which would wait for the node's end of the stream
	if !stream.Receive() {
		return nil, m.fails(ctx, stream.Err())
	}
	return stream.Msg().GetGates(), nil
}

// waysOf returns the passages that there are now.
func waysOf(ctx context.Context, all []*member) ([]passage, error) {
	gates, err := all[0].gates(ctx)
	if err != nil {
		return nil, err
	}
	ways := passages(all, gates)
	if len(ways) == 0 {
		return nil, errors.New("no node runs gates that are not its own")
	}
	return ways, nil
}

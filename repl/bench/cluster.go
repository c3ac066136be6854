package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"parking/lot"
	"parking/repl/attach"
	"parking/repl/process"
)

// A cluster is what is measured. It belongs to one goroutine.
type cluster interface {
	// members returns the nodes that run, in the order of their start.
	members() []*member
	// launch starts nodes at the same moment. None of them is ready yet.
	launch(names ...string) ([]*member, error)
	// release blocks until a node that was told to end is gone.
	release(ctx context.Context, m *member) error
	// close leaves nothing behind of what the bench has started or recorded.
	close(ctx context.Context) error
}

// plates hands out plates. It is safe for concurrent use.
type plates struct {
	prefix string
	next   atomic.Uint64
}

// take returns the first of that many plates that nobody has had before.
func (p *plates) take(count int) (first uint64) { return p.next.Add(uint64(count)) - uint64(count) }

// cast are the names of the nodes that a bench starts.
var cast = []string{"larry", "gary", "harry", "moe", "curly", "shemp"}

func castNames(count int) (names []string) {
	for i := range count {
		if i < len(cast) {
			names = append(names, cast[i])
		} else {
			names = append(names, fmt.Sprintf("node%d", i+1))
		}
	}
	return names
}

// own is a cluster of nodes that are started for it.
type own struct {
	cfg   *Config
	group *process.Group
	all   []*member
}

func openOwn(cfg *Config) (*own, error) {
	group, err := process.Open(cfg.Process)
	if err != nil {
		return nil, err
	}
	return &own{cfg: cfg, group: group}, nil
}

// flags are those of each node: the lot is never full, unless the caller has
// it so.
func (o *own) flags() []string {
	return append([]string{"--spaces", fmt.Sprint(lot.MaxSpaces)}, o.cfg.Flags...)
}

func (o *own) members() []*member { return o.all }

func (o *own) launch(names ...string) ([]*member, error) {
	started, err := o.group.Start(names, o.flags())
	var launched []*member
	for _, n := range started {
		launched = append(launched, &member{name: n.Name, proc: n})
	}
	o.all = append(o.all, launched...)
	return launched, err
}

func (o *own) release(ctx context.Context, m *member) error {
	ctx, cancel := process.Limit(ctx, "the end of a node", patience)
	defer cancel()
	if err := m.proc.Wait(ctx); err != nil {
		return err
	}
	o.all = slices.DeleteFunc(o.all, func(x *member) bool { return x == m })
	return nil
}

// close ends the nodes at once: nobody needs them to leave.
func (o *own) close(context.Context) error {
	hurry, cancel := context.WithCancel(context.Background())
	cancel()
	return o.group.Close(hurry, time.Second)
}

// patience is how long what a cluster should do soon may take on a busy
// machine.
const patience = 2 * time.Minute

// found starts the nodes: the first one alone, so that it runs all gates, the
// others at the same moment. They know each other and agree when it returns.
func found(ctx context.Context, c cluster, nodes int) error {
	names := castNames(nodes)
	for _, together := range [][]string{names[:1], names[1:]} {
		started, err := c.launch(together...)
		if err != nil {
			return err
		}
		if err := ready(ctx, started); err != nil {
			return err
		}
	}
	return complete(ctx, c.members())
}

// ready blocks until nodes that were started are ready.
func ready(ctx context.Context, started []*member) error {
	ctx, cancel := process.Limit(ctx, "a start", patience)
	defer cancel()
	return each(started, func(m *member) error { return m.connect(ctx) })
}

// complete blocks until all members see each other, and have the same digest.
func complete(ctx context.Context, all []*member) error {
	line := fmt.Sprintf("await members %d %v", len(all), patience)
	if err := each(all, func(m *member) error { return m.exec(ctx, line) }); err != nil {
		return err
	}
	_, err := equal(ctx, all)
	return err
}

// each does something with all members at the same moment. The error is the
// first one.
func each(all []*member, do func(*member) error) error {
	var group errgroup.Group
	for _, m := range all {
		group.Go(func() error { return do(m) })
	}
	return group.Wait()
}

// A Target is a node that runs already.
type Target struct {
	Name, Socket string
	PID          int
}

// attached is a cluster that runs already.
type attached struct {
	all    []*member
	plates *plates
}

func openAttached(ctx context.Context, targets []Target, p *plates) (*attached, error) {
	a := &attached{plates: p}
	for _, t := range targets {
		client, err := attach.Dial(ctx, t.Socket)
		m := &member{name: t.Name}
		if err == nil {
			a.all = append(a.all, m)
			err = m.reach(ctx, client, t.PID)
		}
		if err != nil {
			a.hangUp()
			return nil, fmt.Errorf("%s does not answer: %w", t.Name, err)
		}
	}
	return a, nil
}

func (a *attached) hangUp() {
	for _, m := range a.all {
		m.client.Close()
	}
}

// errNotOurs refuses what would change a cluster that others use.
var errNotOurs = errors.New("bench: the nodes of a running cluster are not started or ended")

func (a *attached) members() []*member { return a.all }

func (a *attached) launch(...string) ([]*member, error) { return nil, errNotOurs }

func (a *attached) release(context.Context, *member) error { return errNotOurs }

// close removes what was recorded from the lot.
func (a *attached) close(ctx context.Context) error {
	defer a.hangUp()
	ctx, cancel := process.Limit(ctx, "the removal of what was recorded", patience)
	defer cancel()
	// What one node has not yet is removed when it has.
	for {
		if _, err := equal(ctx, a.all); err != nil {
			return err
		}
		removed := 0
		for first := uint64(0); first < a.plates.next.Load(); first += maxLoad {
			n, err := a.all[0].load(ctx, a.plates.prefix, first, maxLoad, true)
			if err != nil {
				return err
			}
			removed += n
		}
		if removed == 0 {
			return nil
		}
	}
}

package bench

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	"parking/repl/bench/wire"
	"parking/repl/process"
)

// A gatekeeper hears from members who runs the gates, as they see it. It is
// safe for concurrent use.
type gatekeeper struct {
	wg sync.WaitGroup

	mu      sync.Mutex
	views   map[*member]*wire.GatesReply // the last of each
	hangUps map[*member]context.CancelFunc
	changed chan struct{} // closed at the next news
}

func newGatekeeper() *gatekeeper {
	return &gatekeeper{
		views: make(map[*member]*wire.GatesReply), hangUps: make(map[*member]context.CancelFunc), changed: make(chan struct{}),
	}
}

// listen hears from members from now on.
func (g *gatekeeper) listen(ctx context.Context, members ...*member) {
	for _, m := range members {
		call, hangUp := context.WithCancel(ctx)
		g.mu.Lock()
		g.hangUps[m] = hangUp
		g.mu.Unlock()
		g.wg.Go(func() {
			stream, err := m.calls.Gates(call, connect.NewRequest(&wire.GatesRequest{}))
			if err != nil {
				return // what waits for it will say so
			}
			defer stream.Close()
			defer hangUp() // before Close, which would wait for the node's end of the stream
			for stream.Receive() {
				g.mu.Lock()
				g.views[m] = stream.Msg()
				close(g.changed)
				g.changed = make(chan struct{})
				g.mu.Unlock()
			}
		})
	}
}

// forget hears no more from a member that is to end.
func (g *gatekeeper) forget(m *member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hangUps[m]()
	delete(g.hangUps, m)
	delete(g.views, m)
}

func (g *gatekeeper) close() {
	g.mu.Lock()
	for _, hangUp := range g.hangUps {
		hangUp()
	}
	g.mu.Unlock()
	g.wg.Wait()
}

// settled blocks until all these members see each other and nobody else, and
// the same one of them run each gate, and returns when the last of them began
// to see that. The error says who sees what instead.
func (g *gatekeeper) settled(ctx context.Context, members []*member) (at time.Time, err error) {
	ctx, cancel := process.Limit(ctx, "settling who runs the gates", patience)
	defer cancel()
	names := namesOfMembers(members)
	for {
		views, changed := g.viewsNow(members)
		if at, ok := agreed(views, names); ok {
			return at, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return at, fmt.Errorf("%w; %s", context.Cause(ctx), viewsOf(names, members, views))
		}
	}
}

// settledFor is like settled, of what lasts for d from then on. It returns how
// often it did not, too.
func (g *gatekeeper) settledFor(ctx context.Context, members []*member, d time.Duration) (at time.Time, relapses int, err error) {
	names := namesOfMembers(members)
	for {
		if at, err = g.settled(ctx, members); err != nil {
			return at, relapses, err
		}
		over := time.NewTimer(d)
		lasts := true
		for lasts {
			views, changed := g.viewsNow(members)
			if _, lasts = agreed(views, names); !lasts {
				break
			}
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				err = context.Cause(ctx)
			case <-over.C:
			}
			return at, relapses, err
		}
		over.Stop()
		relapses++
	}
}

// viewsNow returns the last views of members, and what is closed at the next
// news.
func (g *gatekeeper) viewsNow(members []*member) (views []*wire.GatesReply, changed <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range members {
		views = append(views, g.views[m])
	}
	return views, g.changed
}

func namesOfMembers(members []*member) (names []string) {
	for _, m := range members {
		names = append(names, m.name)
	}
	slices.Sort(names)
	return names
}

// agreed reports whether all views have these members, and the same single
// owner of each gate among them, and when the last view became so.
func agreed(views []*wire.GatesReply, names []string) (at time.Time, ok bool) {
	var last int64
	for _, v := range views {
		if v == nil || len(v.Gates) == 0 || !slices.Equal(slices.Sorted(slices.Values(v.Alive)), names) || !sameGates(v, views[0]) {
			return at, false
		}
		for _, gate := range v.Gates {
			if len(gate.Owners) != 1 || !slices.Contains(names, gate.Owners[0]) {
				return at, false
			}
		}
		last = max(last, v.At)
	}
	return time.Unix(0, last), true
}

// viewsOf says who sees what, for an error.
func viewsOf(names []string, members []*member, views []*wire.GatesReply) string {
	var out []string
	for i, v := range views {
		var gates []string
		for _, gate := range v.GetGates() {
			gates = append(gates, cmp.Or(strings.Join(gate.Owners, "+"), "nobody"))
		}
		out = append(out, fmt.Sprintf("%s sees %s alive, gates on %s", members[i].name, strings.Join(v.GetAlive(), " "), strings.Join(gates, " ")))
	}
	return fmt.Sprintf("of %s, %s", strings.Join(names, " "), strings.Join(out, ", "))
}

// gates returns how many gates each member runs, as it sees it.
func (g *gatekeeper) gates(members []*member) map[*member]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	runs := make(map[*member]int)
	for _, m := range members {
		for _, gate := range g.views[m].GetGates() {
			if slices.Equal(gate.Owners, []string{m.name}) {
				runs[m]++
			}
		}
	}
	return runs
}

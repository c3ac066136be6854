package node

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"parking/lot/wire"
	"parking/node/history"
	"parking/node/member"
	"parking/node/verdict"
)

const (
	// agreeTimeout is how long a verdict waits for the nodes to agree, where no
	// fault keeps them from it.
	agreeTimeout = 6 * time.Second
	// askStateTimeout is how long a node may take to say how it is, testifyTimeout
	// to tell all that it holds and has kept.
	askStateTimeout = time.Second
	testifyTimeout  = 30 * time.Second
)

// Verdict judges the session: by what all nodes that can be reached hold, and by
// the histories of those and of the ones that have died on this host. Where no
// fault is in force it gives the nodes a moment to agree first.
func (n *Node) Verdict(ctx context.Context) (verdict.Report, error) {
	if err := n.await(ctx); err != nil {
		return verdict.Report{}, err
	}
	e := verdict.Evidence{Ledger: Ledger}
	e.Waited, e.Writing = n.agree(ctx)
	// States before histories: what a state holds is in somebody's history then.
	e.Asked = time.Now()
	states := n.hearAll(ctx, &wire.TestifyRequest{Live: true}, testifyTimeout)
	histories := n.hearAll(ctx, &wire.TestifyRequest{History: true}, testifyTimeout)
	if err := ctx.Err(); err != nil {
		return verdict.Report{}, err
	}
	e.Now = time.Now()
	reached := make(map[history.Life]bool)
	running := make(map[history.Life]bool)
	for _, m := range n.view.all() {
		if s := states[m.Name]; s != nil {
			e.States = append(e.States, s.State)
			reached[s.Life] = true
			for _, l := range s.alive {
				running[l] = true
			}
		}
		if h := histories[m.Name]; h != nil && states[m.Name] != nil {
			if read, ok := history.Read(h.segments); ok && read.Life == states[m.Name].Life {
				e.Histories = append(e.Histories, read)
			}
		}
	}
	stored, alive := n.storedHistories(reached, e.Histories)
	e.Histories = append(e.Histories, stored...)
	for _, l := range alive { // whatever the others take it for
		running[l] = true
	}
	for l := range running {
		if !reached[l] {
			e.Unreached = append(e.Unreached, l)
		}
	}
	slices.SortFunc(e.Unreached, func(a, b history.Life) int {
		if a.Node < b.Node || a.Node == b.Node && a.Incarnation < b.Incarnation {
			return -1
		}
		return 1
	})
	return verdict.Judge(e), nil
}

// hearAll takes the testimonies of all members that can be reached, by name.
func (n *Node) hearAll(ctx context.Context, req *wire.TestifyRequest, most time.Duration) map[string]*statement {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	out := make(map[string]*statement)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, m := range n.view.all() {
		if m.Status == member.Left && !m.Self {
			continue
		}
		wg.Go(func() {
			s, err := n.hear(ctx, m, req)
			if err != nil {
				n.log.Info("no testimony", "of", m.Name, "err", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			out[m.Name] = s
		})
	}
	wg.Wait()
	return out
}

// agree waits until all that can be reached hold the same and each gate runs on
// one of them. It reports whether it has waited in vain, and whether the states
// changed meanwhile.
func (n *Node) agree(ctx context.Context) (waited, writing bool) {
	end := time.Now().Add(agreeTimeout)
	var first map[string]*statement
	for {
		now := n.hearAll(ctx, &wire.TestifyRequest{}, askStateTimeout)
		if first == nil {
			first = now
		}
		if faulty(now) || agreed(now) {
			return false, false
		}
		if time.Now().After(end) || !sleep(ctx, 50*time.Millisecond) {
			for name, s := range now {
				if was := first[name]; was == nil || was.Digest != s.Digest {
					writing = true
				}
			}
			return true, writing
		}
	}
}

func faulty(all map[string]*statement) bool {
	for _, s := range all {
		if len(s.Faults) > 0 {
			return true
		}
	}
	return false
}

func agreed(all map[string]*statement) bool {
	digest, gates, running := "", 0, 0
	for _, s := range all {
		if digest != "" && s.Digest != digest {
			return false
		}
		digest, gates = s.Digest, s.Gates
		running += len(s.Running)
	}
	return running == gates
}

// storedHistories reads the histories of those that are not reached and were of
// one session with those that are: one has heard of the other. Some of them may be
// alive.
func (n *Node) storedHistories(reached map[history.Life]bool, have []history.History) (out []history.History, alive []history.Life) {
	if n.cfg.History == nil {
		return nil, nil
	}
	stored, err := n.cfg.History.Stored(life(n.replica))
	if err != nil {
		n.log.Warn("histories of the dead cannot be read", "err", err)
	}
	// Most are of other sessions: what they tell is read twice, not kept meanwhile.
	type found struct {
		segments [][]byte
		life     history.Life
		met      map[history.Life]bool
	}
	var left []found
	runs := make(map[history.Life]bool)
	for _, s := range stored {
		if reached[s.Life] {
			continue
		}
		if s.Alive {
			runs[s.Life] = true
		}
		if h, ok := history.Read(s.Segments); ok && !reached[h.Life] {
			theirs := make(map[history.Life]bool)
			meets(h, theirs)
			left = append(left, found{s.Segments, h.Life, theirs})
		}
	}
	met := make(map[history.Life]bool)
	for _, h := range have {
		meets(h, met)
	}
	for again := true; again; {
		again = false
		left = slices.DeleteFunc(left, func(f found) bool {
			ours := met[f.life]
			for l := range f.met {
				ours = ours || met[l]
			}
			if ours {
				h, _ := history.Read(f.segments)
				out = append(out, h)
				maps.Copy(met, f.met)
				again = true
			}
			return ours
		})
	}
	for l := range runs {
		if met[l] {
			alive = append(alive, l)
		}
	}
	return out, alive
}

// meets gathers whom a history tells of.
func meets(h history.History, into map[history.Life]bool) {
	into[h.Life] = true
	for i := range h.Records {
		if r := &h.Records[i]; r.Kind == history.Saw || r.Kind == history.Member {
			into[r.Life] = true
		}
	}
}

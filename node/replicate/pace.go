package replicate

import (
	"context"
	"sync"
	"time"

	"parking/lot/crdt"
)

const (
	// paceWindow is how many mutations a writer may be ahead of the slowest node
	// that keeps up: so few that the log holds them even if many nodes write, and
	// none needs the state.
	paceWindow = crdt.DefaultLog / 16
	// paceFresh is for how long a node counts as keeping up after it was heard
	// of: one that is frozen holds up nobody.
	paceFresh = 500 * time.Millisecond
)

// pacer slows writers down to what the other nodes take. It knows how far each
// has come by what those say when they pull, or when a courier is answered.
type pacer struct {
	mu    sync.Mutex
	at    map[string]position
	moved chan struct{} // closed at the next news; nil while nobody waits
}

// position is how many of this replica's mutations a node has seen, and when it
// said so.
type position struct {
	seen uint64
	at   time.Time
}

// heard tells that the node has seen that many of this replica's mutations.
func (p *pacer) heard(name string, seen uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at[name] = position{max(seen, p.at[name].seen), time.Now()}
	if p.moved != nil {
		close(p.moved)
		p.moved = nil
	}
}

// behind returns a channel that is closed when there is news, if one of the
// nodes keeps up and is more than the window behind made; else nil.
func (p *pacer) behind(names []string, made uint64) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range names {
		at, ok := p.at[name]
		if !ok || at.seen+paceWindow >= made || time.Since(at.at) > paceFresh {
			continue
		}
		if p.moved == nil {
			p.moved = make(chan struct{})
		}
		return p.moved
	}
	return nil
}

// forget drops the nodes that are not among those names.
func (p *pacer) forget(names []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	keep := make(map[string]position, len(names))
	for _, name := range names {
		if at, ok := p.at[name]; ok {
			keep[name] = at
		}
	}
	p.at = keep
}

// Pace blocks a writer that is far ahead of nodes that keep up, until they have
// come closer or ctx ends. Nodes that say nothing are not waited for.
func (r *Replicator) Pace(ctx context.Context) {
	for {
		news := r.pace.behind(r.peers.Names(), r.store.Made())
		if news == nil {
			return
		}
		t := time.NewTimer(paceFresh)
		select {
		case <-news:
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

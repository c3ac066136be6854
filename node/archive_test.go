package node_test

import (
	"sync"
	"testing/synctest"

	"parking/node/history"
)

// archive keeps the histories of a lab's nodes. Of one that crashed it can have
// what there was at that moment: in a bubble such a node runs on for a while.
type archive struct {
	*history.Memory
	mu     sync.Mutex
	killed []history.Stored
}

// Stored implements history.Archive.
func (a *archive) Stored(but history.Life) (out []history.Stored, err error) {
	all, err := a.Memory.Stored(but)
	a.mu.Lock()
	defer a.mu.Unlock()
	killed := make(map[history.Life]bool)
	for _, k := range a.killed {
		killed[k.Life] = true
	}
	for _, s := range all {
		if !killed[s.Life] {
			out = append(out, s)
		}
	}
	return append(out, a.killed...), err
}

// dies keeps the history of a node that nobody can reach any more.
func (a *archive) dies(n *lively) {
	synctest.Wait() // a history is begun once the node runs
	if life, segments := n.History(); segments != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.killed = append(a.killed, history.Stored{Life: life, Segments: segments})
	}
}

package node

import (
	"sync"

	"parking/lot"
)

// asked counts, by plate, the calls to other nodes' gates that have not been
// answered. What such a call does may come by gossip before its answer does,
// and is no news to who asked.
type asked struct {
	mu     sync.Mutex
	plates map[lot.Plate]int
}

// begin notes a call, until end.
func (a *asked) begin(p lot.Plate) (end func()) {
	a.add(p, 1)
	return func() { a.add(p, -1) }
}

func (a *asked) add(p lot.Plate, n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.plates == nil {
		a.plates = make(map[lot.Plate]int)
	}
	if a.plates[p] += n; a.plates[p] == 0 {
		delete(a.plates, p)
	}
}

func (a *asked) waits(p lot.Plate) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.plates[p] > 0
}

package node

import (
	"encoding/binary"
	"hash/fnv"
	"sync"
	"time"
)

const (
	// musterAfter is for how long two nodes must have seen different members before
	// they compare notes: news of the members take less.
	musterAfter = 3 * time.Second
	// maxMusterAfter is how long a node waits at most before it does so again where
	// that has changed nothing, as where links are cut.
	maxMusterAfter = time.Minute
)

// mustered is when this node has compared notes. Gossip may miss a node, which
// would know of a next life, or of a death, when Serf compares its lists, once a
// minute.
type mustered struct {
	mu   sync.Mutex
	seen uint64    // whom it saw then
	next time.Time // not before
	wait time.Duration
}

// due reports whether it is time, for a node that sees those.
func (m *mustered) due(seen uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if seen != m.seen {
		m.seen, m.next, m.wait = seen, now, musterAfter
	}
	if now.Before(m.next) {
		return false
	}
	m.next, m.wait = now.Add(m.wait), min(2*m.wait, maxMusterAfter)
	return true
}

// muster takes whom a peer sees, as its hash, and for how long it has. It blocks
// while the two tell each other all that they know of the members.
func (n *Node) muster(peer string, members uint64, settled time.Duration) {
	own, since := n.view.sight()
	if members == 0 || members == own || min(settled, time.Since(since)) < musterAfter || !n.mustered.due(own) {
		return
	}
	m, ok := n.view.find(peer)
	if !ok {
		return
	}
	err := n.agent.Join(m.Addr)
	n.log.Debug("members compared", "with", peer, "err", err)
}

// sight returns a hash of who is alive, which is never 0, and since when the members
// are as they are.
func (v *view) sight() (hash uint64, since time.Time) {
	h := fnv.New64a()
	for _, host := range v.alive() {
		h.Write([]byte(host.Node))
		h.Write(binary.BigEndian.AppendUint64([]byte{0}, host.Incarnation))
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return max(1, h.Sum64()), v.since
}

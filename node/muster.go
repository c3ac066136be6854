package node

import (
	"encoding/binary"
	"hash/fnv"
	"sync"
	"time"
)

const (
	// musterAfter is how long this node may see others than its peers do before
	// it compares notes: news of the members take less.
	musterAfter = 3 * time.Second
	// maxMusterAfter is how long it waits at most when that changes nothing, as
	// where links are cut.
	maxMusterAfter = time.Minute
)

// muster is since when the peers that were looked at see others than this
// node does. Gossip may miss a node, and it would know of a next life, or of a
// death, when Serf compares its lists, once a minute.
type muster struct {
	mu    sync.Mutex
	since time.Time // zero: the last one saw the same
	after time.Duration
}

// due takes what a peer sees, and reports whether it is time to compare notes.
func (c *muster) due(same bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch now := time.Now(); {
	case same:
		c.since, c.after = time.Time{}, 0
	case c.since.IsZero():
		c.since = now
	case now.Sub(c.since) >= max(c.after, musterAfter):
		c.since, c.after = now, min(2*max(c.after, musterAfter), maxMusterAfter)
		return true
	}
	return false
}

// muster takes whom a peer sees, as its hash. It blocks while the two tell each
// other all that they know of the members.
func (n *Node) muster(peer string, members uint64) {
	if members == 0 || !n.mustered.due(members == n.view.hash()) {
		return
	}
	m, ok := n.view.find(peer)
	if !ok {
		return
	}
	err := n.agent.Join(m.Addr)
	n.log.Debug("compared members", "with", peer, "err", err)
}

// hash returns a hash of who is alive. It is never 0.
func (v *view) hash() uint64 {
	h := fnv.New64a()
	for _, host := range v.alive() {
		h.Write([]byte(host.Node))
		h.Write(binary.BigEndian.AppendUint64([]byte{0}, host.Incarnation))
	}
	return max(1, h.Sum64())
}

package node

import "sync"

// changes wakes whoever waits for the node's state to change.
type changes struct {
	mu   sync.Mutex
	next chan struct{} // nil while nobody waits
}

// wait returns a channel that is closed at the next change.
func (c *changes) wait() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil {
		c.next = make(chan struct{})
	}
	return c.next
}

// signal tells those who wait. It never blocks.
func (c *changes) signal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next != nil {
		close(c.next)
		c.next = nil
	}
}

// Changed returns a channel that is closed once the lot, the gates or the
// members have changed after the call, so that one can look, and wait before
// one looks again.
func (n *Node) Changed() <-chan struct{} { return n.changes.wait() }

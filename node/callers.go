package node

import (
	"net/netip"
	"slices"
	"sync"
)

// callers are the addresses of nodes that said hello. Whoever is not in view a
// while later, though it holds the cookie, is joined: so a node that looks for
// nobody is found by those that knew its last life.
type callers struct {
	mu    sync.Mutex
	addrs []string
}

// maxCallers bounds how many are remembered between two looks.
const maxCallers = 64

func (c *callers) add(addr string) {
	if _, err := netip.ParseAddrPort(addr); err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.addrs) < maxCallers && !slices.Contains(c.addrs, addr) {
		c.addrs = append(c.addrs, addr)
	}
}

// take returns those that are not known, and forgets all.
func (c *callers) take(known func(addr string) bool) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	unknown := slices.DeleteFunc(c.addrs, known)
	c.addrs = nil
	return unknown
}

// told remembers which addresses were told of: that the nodes there are left alone,
// or have another cookie than the one in use here.
type told struct {
	mu   sync.Mutex
	what map[string]bool
}

// maxTold bounds how many are remembered: of more, some are told of again.
const maxTold = 1024

// first reports whether that has not been told of yet, and remembers it.
func (t *told) first(what string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.what[what] {
		return false
	}
	if t.what == nil || len(t.what) == maxTold {
		t.what = make(map[string]bool)
	}
	t.what[what] = true
	return true
}

// leftAlone tells, once, that the node at addr is not joined.
func (n *Node) leftAlone(addr string, err error) {
	if n.told.first(addr) {
		n.notice("%v; it is left alone", err)
	}
}

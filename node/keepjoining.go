package node

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"

	"parking/node/cookie"
	"parking/node/member"
)

// keepJoining goes on trying those that it knows of and does not see, until
// ctx ends: whom it was told to join, and its neighbours.
func (n *Node) keepJoining(ctx context.Context, cert *cookie.Certificate) {
	for sleep(ctx, rejoinInterval) {
		for _, addr := range append(n.unseen(), n.callers.take(n.inView)...) {
			name, err := n.joinOne(ctx, cert, addr)
			if err == nil && slices.Contains(n.cfg.Join, addr) {
				n.joined[addr] = name
			}
			if errors.Is(err, errRefused) {
				n.leftAlone(addr, err)
			}
		}
	}
}

// leftAlone tells, once, that the node at addr is not joined.
func (n *Node) leftAlone(addr string, err error) {
	if !n.told[addr] {
		n.told[addr] = true
		n.notice("%v; it is left alone", err)
	}
}

// unseen returns the addresses of nodes that should be in view and are not.
// One that is in view as failed is Serf's to reconnect to.
func (n *Node) unseen() (addrs []string) {
	for _, addr := range n.cfg.Join {
		m, known := n.view.find(n.joined[addr]) // whoever answered there last
		if !n.inView(addr) && (!known || m.Status != member.Alive) {
			addrs = append(addrs, addr)
		}
	}
	if n.cfg.Directory == nil {
		return addrs
	}
	neighbours, err := n.cfg.Directory.Neighbours()
	if err != nil {
		n.log.Debug("neighbours not listed", "err", err)
	}
	for _, nb := range neighbours {
		if !n.inView(nb.Addr) {
			addrs = append(addrs, nb.Addr)
		}
	}
	return addrs
}

// inView reports whether a member has that address.
func (n *Node) inView(addr string) bool {
	return slices.ContainsFunc(n.view.all(), func(m Member) bool { return m.Addr == addr })
}

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

package main

import (
	"net"
	"net/http"
	"sync"
)

// callers are the connections of a listener that anybody may keep open. There are
// so many at most: one more, and the one that has been quiet the longest is hung up
// on, or if none is quiet that which has been served the longest. So a newcomer is
// always served, and probes are not starved by those who stay.
type callers struct {
	max int

	mu    sync.Mutex
	moved uint64 // how many turns there were
	all   map[net.Conn]turn
}

// turn is what a connection does, and since when.
type turn struct {
	quiet bool // nothing was asked that is not answered
	since uint64
}

// before reports whether the one is hung up on before the other.
func (t turn) before(o turn) bool {
	if t.quiet != o.quiet {
		return t.quiet
	}
	return t.since < o.since
}

// turns is called by the server at each turn of a connection (http.Server.ConnState).
func (c *callers) turns(conn net.Conn, to http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, known := c.all[conn]
	switch {
	case to == http.StateClosed || to == http.StateHijacked:
		delete(c.all, conn)
		return
	case to == http.StateNew && len(c.all) >= c.max:
		c.hangUp()
	case to != http.StateNew && !known: // it was hung up on
		return
	}
	if c.all == nil {
		c.all = make(map[net.Conn]turn)
	}
	c.moved++
	c.all[conn] = turn{to != http.StateActive, c.moved}
}

// hangUp closes the connection whose turn it is; its server finds out.
func (c *callers) hangUp() {
	var first net.Conn
	for conn, t := range c.all {
		if first == nil || t.before(c.all[first]) {
			first = conn
		}
	}
	delete(c.all, first)
	_ = first.Close()
}

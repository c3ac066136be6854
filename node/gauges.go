package node

import (
	"encoding/binary"

	"parking/lot"
	"parking/lot/crdt"
	"parking/node/member"
)

// Gauges is what instruments read of a node, as it is at one moment.
type Gauges struct {
	Ready bool // as Readiness has it
	Known bool // else the rest, but for Faults, is not known yet

	// What is the same on every node, once they have converged.
	Spaces lot.Spaces
	Gates  int    // that the lot has
	Digest uint64 // the first 48 bits of the replica's digest

	// What this node does and sees.
	Here    int            // gates that run here
	Members map[string]int // nodes in this node's view, itself too, by their status
	Lag     uint64         // changes known to be missing here
	Waiting int            // changes that wait to be pushed
	Queued  int            // Serf's events that wait to be gossiped
	Faults  int            // in force here
	Sent    member.Traffic
}

// Statuses are the keys of Gauges.Members.
func Statuses() []string {
	return []string{string(member.Alive), string(member.Leaving), string(member.Left), string(member.Failed)}
}

// Gauges returns what instruments read. It holds the replica for a moment that does
// not depend on how many vehicles there are, and may be called at any time.
func (n *Node) Gauges() (g Gauges) {
	g.Faults = len(n.inForce())
	g.Ready, _ = n.Readiness()
	if g.Known = n.isReady(); !g.Known {
		return g
	}
	g.Sent = n.mux.Traffic()
	var seen crdt.Version
	n.store.View(func(d *crdt.Document) {
		g.Spaces, g.Gates, seen = spaces(d), gatesIn(d), d.Version()
		digest := d.Digest()
		g.Digest = binary.BigEndian.Uint64(digest[:]) >> 16
	})
	g.Lag = seen.Lag()
	g.Here = len(n.keeper.Running())
	g.Waiting, g.Queued = n.store.Waiting(), n.agent.QueueDepth()
	g.Members = make(map[string]int)
	for _, m := range n.view.all() {
		g.Members[string(m.Status)]++
	}
	return g
}

package node

import (
	"context"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"

	"parking/lot"
	"parking/lot/crdt"
	"parking/lot/wire"
	"parking/node/member"
)

func gatesIn(d *crdt.Document) int {
	return setting(d, keyGates)
}

func spaces(d *crdt.Document) lot.Spaces {
	return lot.Spaces{Total: setting(d, keySpaces), Taken: d.Taken()}
}

// Gates returns how many gates the lot has.
func (n *Node) Gates() (total int) {
	n.store.View(func(d *crdt.Document) { total = gatesIn(d) })
	return total
}

// Spaces returns how full this replica's lot is.
func (n *Node) Spaces() (s lot.Spaces) {
	n.store.View(func(d *crdt.Document) { s = spaces(d) })
	return s
}

// A Reading is this replica's lot at one moment. Nobody waits for whoever reads
// it, and it is safe for concurrent use.
type Reading struct {
	Digest crdt.Digest
	Spaces lot.Spaces
	crdt.Snapshot
}

// Read returns this replica's lot.
func (n *Node) Read() (r Reading) {
	n.store.View(func(d *crdt.Document) {
		r = Reading{Digest: d.Digest(), Spaces: spaces(d), Snapshot: d.Snapshot()}
	})
	return r
}

// Vehicle returns the plate's vehicle at this replica, and whether it is there.
func (n *Node) Vehicle(p lot.Plate) (v lot.Vehicle, in bool) {
	n.store.View(func(d *crdt.Document) { v, in = d.Vehicle(p) })
	return v, in
}

// maxSearch is how many plates a search looks at.
const maxSearch = 1 << 16

// Search returns vehicles whose plates begin with prefix, whatever the case:
// limit at most, sorted by plate. It is made to be called at every key that
// somebody types: in a lot of very many it looks at some of them only, and
// finds others when their plates are typed to the end.
func (n *Node) Search(prefix string, limit int) (found []lot.Vehicle) {
	n.store.View(func(d *crdt.Document) {
		var plates []lot.Plate
		looked := 0
		for p := range d.Plates() {
			if looked++; looked > maxSearch {
				break
			}
			if len(p) >= len(prefix) && strings.EqualFold(string(p[:len(prefix)]), prefix) {
				plates = append(plates, p)
			}
		}
		if exact := lot.Plate(prefix); !slices.Contains(plates, exact) {
			plates = append(plates, exact)
		}
		slices.Sort(plates)
		for _, p := range plates {
			if v, in := d.Vehicle(p); in && len(found) < limit {
				found = append(found, v)
			}
		}
	})
	return found
}

// Digest returns the digest of this replica.
func (n *Node) Digest() crdt.Digest { return n.store.Digest() }

// A GateState is what this node knows of a gate.
type GateState struct {
	Gate    lot.GateID
	Owners  []string // living nodes that are known to run it, sorted
	Epoch   uint64
	In, Out uint64 // what passed the gate's process, ever
}

// State returns running, orphaned or split.
func (g GateState) State() string {
	switch len(g.Owners) {
	case 0:
		return "orphaned"
	case 1:
		return "running"
	}
	return "split"
}

// GateStates returns every gate of the lot, sorted; none before Ready.
func (n *Node) GateStates() (out []GateState) {
	if !n.isReady() {
		return nil
	}
	alive := n.view.alive()
	n.store.View(func(d *crdt.Document) {
		passed := tallies(d)
		for g := lot.GateID(1); int(g) <= gatesIn(d); g++ {
			all := claims(d, g)
			s := GateState{Gate: g, In: passed[g].in, Out: passed[g].out}
			for _, c := range all {
				s.Epoch = max(s.Epoch, c.Epoch)
			}
			for _, h := range owners(all, alive) {
				// What is claimed here and does not run (it is being handed
				// over, or just starting) is not known to run.
				if h != n.self || n.keeper.Runs(g) {
					s.Owners = append(s.Owners, h.Node)
				}
			}
			slices.Sort(s.Owners)
			out = append(out, s)
		}
	})
	return out
}

// Members returns every node in view, failed and departed ones for a while
// too, sorted by name; nobody before Ready.
func (n *Node) Members() []Member {
	if !n.isReady() {
		return nil
	}
	return slices.Clone(n.view.all())
}

// Status is what a node tells of itself.
type Status struct {
	Node, Cluster, Addr string
	Incarnation         uint64
	Version             map[string]uint64 // gapless maximum by replica
	Digest              crdt.Digest
	Lag                 uint64 // changes known to be missing here
	Queue               int    // changes that wait to be pushed
	Refused             uint64 // others' messages that were malformed or claimed what cannot be
	Uptime              time.Duration
	Sent                member.Traffic

	// When Run began, when another node first welcomed this one (zero: none did
	// before Ready), and when this one was ready, with the others' state.
	Started, Welcomed, Ready time.Time
}

// Status returns what this node tells of itself: before Ready, its name.
func (n *Node) Status() Status {
	if !n.isReady() {
		return Status{Node: n.self.Node, Cluster: n.cfg.Cluster, Incarnation: n.self.Incarnation}
	}
	s := Status{
		Node: n.self.Node, Cluster: n.cfg.Cluster, Addr: n.Addr(), Incarnation: n.self.Incarnation,
		Version: make(map[string]uint64), Queue: n.store.Waiting() + n.agent.QueueDepth(),
		Uptime: time.Since(n.started), Sent: n.mux.Traffic(),
		Started: n.started, Welcomed: n.welcomed, Ready: n.readied,
	}
	v := n.store.Version()
	for r, seq := range v.Replicas() {
		s.Version[r.String()] = seq
	}
	s.Lag, s.Digest, s.Refused = v.Lag(), n.store.Digest(), n.repl.Refused()
	return s
}

// Compare asks every living node for its digest and returns those that have
// another than this replica, or do not answer.
func (n *Node) Compare(ctx context.Context) (differ []string) {
	if n.await(ctx) != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	type answer struct {
		name string
		same bool
	}
	others := n.view.others()
	answers := make(chan answer, len(others))
	// One digest for all: with two of them one node could be the same as what
	// this one was, another as what it is by now, and they differ.
	mine := n.store.Digest()
	for _, name := range others {
		go func() {
			a := answer{name: name}
			if k, ok := n.links.to(name); ok {
				if reply, err := k.Digest(ctx, connect.NewRequest(&wire.DigestRequest{})); err == nil {
					a.same = string(reply.Msg.GetDigest()) == string(mine[:])
				}
			}
			answers <- a
		}()
	}
	for range others {
		if a := <-answers; !a.same {
			differ = append(differ, a.name)
		}
	}
	slices.Sort(differ)
	return differ
}

package node

import (
	"parking/lot"
	"parking/lot/crdt"
	"parking/lot/wire"
	"parking/lot/wire/wireconnect"
	"parking/node/history"
	"parking/node/replicate"
	"parking/node/verdict"
)

// The flags of the simulations.
var (
	SimSeed     = simSeed
	SimDuration = simDuration
)

// RaceEnabled says that the race detector looks on.
const RaceEnabled = raceEnabled

// RunsHere returns the gates whose actors run on this node, whatever claims
// and views say.
func (n *Node) RunsHere() []lot.GateID { return n.keeper.Running() }

// Suspect makes this node believe that the living member of that name is dead,
// as a refused connection would.
func (n *Node) Suspect(name string) {
	if m, ok := n.view.find(name); ok {
		n.view.died(m.host(), "connection refused")
	}
}

// InSerf returns the member of that name as Serf has it, whatever the view says.
func (n *Node) InSerf(name string) Member {
	m, _ := n.view.inSerf(name)
	return m
}

// WrapGossip puts w between the replicator and the agent; before Run only.
func (n *Node) WrapGossip(w func(replicate.Gossip) replicate.Gossip) { n.wrapGossip = w }

// WrapCalls puts w around what answers other nodes; before Run only.
func (n *Node) WrapCalls(w func(wireconnect.PeerHandler) wireconnect.PeerHandler) { n.wrapCalls = w }

// Asking makes this node believe that it has asked a gate elsewhere about that
// plate, until it is answered.
func (n *Node) Asking(p lot.Plate) (answered func()) { return n.asked.begin(p) }

// Traces returns what this replica knows of a plate, ready or not, alive or not.
func (n *Node) Traces(p lot.Plate) (all []crdt.Trace) {
	n.store.View(func(d *crdt.Document) { all, _ = d.Traces(p) })
	return all
}

// Register returns the value that wins under a key, nil if there is none.
func (n *Node) Register(key string) (value []byte) {
	n.store.View(func(d *crdt.Document) {
		if all := d.Siblings(key); len(all) > 0 {
			value = all[0].Value
		}
	})
	return value
}

// Lot returns the dots of the entries that are in this replica's lot, by plate.
func (n *Node) Lot() map[lot.Plate][]crdt.Dot {
	in := make(map[lot.Plate][]crdt.Dot)
	n.store.View(func(d *crdt.Document) {
		d.State().Apart(&crdt.State{}, func(_ crdt.Side, m crdt.Mutation) {
			if m.Kind == crdt.Entry {
				in[m.Plate] = append(in[m.Plate], m.Dot)
			}
		})
	})
	return in
}

// Ails returns how many faults are in force on this node itself.
func (n *Node) Ails() int { return len(n.faults.Faults()) }

// Mark returns what this replica is and what it has seen, at one moment.
func (n *Node) Mark() (crdt.Digest, crdt.Version) { return n.store.Mark() }

// Version returns what this replica has seen.
func (n *Node) Version() crdt.Version { return n.store.Version() }

// Hold calls f while nobody else can reach this node's replica.
func (n *Node) Hold(f func()) {
	_, _ = n.store.Update(replicate.Own, func(*crdt.Document) ([]crdt.Mutation, error) {
		f()
		return nil, nil
	})
}

// LookOn bounds the log of what others may lack, and tells full whenever the lot
// is full here, before or after a change; before Run only.
func (n *Node) LookOn(most int, full func()) {
	was := false
	n.store = replicate.NewStore(crdt.New(n.replica, most), func(d *crdt.Document, c replicate.Change) {
		n.observe(d, c)
		is := lot.Spaces{Total: n.total, Taken: d.Taken()}.Free() == 0
		if was || is {
			full()
		}
		was = is
	}, n.probe)
}

// History returns which life this node is, and its history, nil if it has none.
func (n *Node) History() (history.Life, [][]byte) { return life(n.replica), n.hist.Segments() }

// Notes writes a fault, or its end, into this node's history.
func (n *Node) Notes(id uint64, what string, over bool) {
	r := history.Record{Kind: history.Faulted, First: id, Text: what}
	if over {
		r.Kind = history.Mended
	}
	n.hist.Add(r)
}

// Bus is where a node's events go.
type Bus struct{ *bus }

// NewBus returns one of its own.
func NewBus() Bus { return Bus{newBus()} }

// Emit is the bus's.
func (b Bus) Emit(e Event) { b.emit(e) }

// Subscribe is the bus's.
func (b Bus) Subscribe() *Subscription { return b.subscribe() }

// Close is the bus's.
func (b Bus) Close() { b.close() }

// TakeTestimony reads what a node of that name testifies, part by part.
func TakeTestimony(name string, parts ...*wire.Testimony) (st verdict.State, segments [][]byte, err error) {
	s := &statement{}
	for _, t := range parts {
		if err := s.take(name, t); err != nil {
			return st, nil, err
		}
	}
	return s.State, s.segments, nil
}

// Written is what stands in the node's history by now.
func (n *Node) Written() history.Stored {
	return history.Stored{Life: life(n.replica), Segments: n.hist.Segments()}
}

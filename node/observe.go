package node

import (
	"strings"

	"parking/lot"
	"parking/lot/crdt"
	"parking/node/replicate"
)

// observe turns what came into the replica into events. It runs while the
// store is locked.
func (n *Node) observe(d *crdt.Document, c replicate.Change) {
	n.changes.signal()
	m := c.Mutation
	if m != nil {
		n.ways.add(m.Dot, c.Origin, c.Outcome)
	}
	n.witness(d, c)
	if m == nil || m.Kind == crdt.Register && m.Key == keySpaces {
		n.total = setting(d, keySpaces)
	}
	over := lot.Spaces{Total: n.total, Taken: d.Taken()}.Over()
	grew := over > n.over
	n.over = over
	if m == nil || m.Kind == crdt.Register && !strings.HasPrefix(m.Key, tallyPrefix) {
		n.stew.wake()
	}
	if !n.isReady() {
		return
	}
	if grew && c.Origin != replicate.Own { // whose user is warned in the answer
		defer n.bus.emit(Event{Kind: LotOver, Count: over})
	}
	if m == nil {
		if c.Merge.Added > 0 || c.Merge.Removed > 0 {
			n.bus.emit(Event{Kind: StateJoined, Count: c.Merge.Added, Gone: c.Merge.Removed})
		}
		return
	}
	if c.Origin == replicate.Own || c.Origin == replicate.Answer || c.Outcome != crdt.Joined {
		return
	}
	if m.Kind != crdt.Register && n.asked.waits(m.Plate) {
		return
	}
	e := Event{Node: m.Dot.Replica.Node(), Here: m.Dot.Replica == n.replica, Plate: m.Plate, Gate: m.Gate}
	switch {
	case m.Kind == crdt.Entry:
		e.Kind = VehicleCame
	case m.Kind == crdt.Exit && m.Plate == "": // whose entry has not come yet
		return
	case m.Kind == crdt.Exit:
		e.Kind = VehicleLeft
	case m.Key == keyGates || m.Key == keySpaces:
		v, founding, ok := decodeSetting(m.Key, m.Value)
		if !ok || founding {
			return
		}
		e.Kind, e.Reason, e.Count = SettingSet, strings.TrimPrefix(m.Key, "set/"), v
	default:
		return
	}
	n.bus.emit(e)
}

func (n *Node) isReady() bool {
	select {
	case <-n.ready:
		return true
	default:
		return false
	}
}

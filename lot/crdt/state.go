package crdt

import (
	"slices"

	"parking/lot"
)

// A State is a whole document on its way to a peer that deltas cannot reach
// any more. It means something only as a whole.
type State struct {
	Version Version
	Live    []Mutation // the live values, without what they superseded
	Early   []Dot      // dots superseded before they were seen
}

// A Merge counts what joining a state, or a group of mutations, changed.
type Merge struct {
	Added     int // entries that became live
	Removed   int // entries that went
	Registers int // register values that came or went
}

// Changed reports whether anything did.
func (m Merge) Changed() bool { return m != Merge{} }

// State returns the whole document.
func (d *Document) State() *State {
	s := &State{Version: d.Version(), Live: make([]Mutation, 0, len(d.vehicles)+len(d.registers))}
	for p, sib := range d.vehicles {
		for r := range sib.all {
			s.Live = append(s.Live, Mutation{
				Dot: r.dot, Stamp: r.stamp, Kind: Entry, Plate: p, Gate: r.gate, Wall: r.wall,
			})
		}
	}
	for key, all := range d.registers {
		for _, v := range all {
			s.Live = append(s.Live, Mutation{Dot: v.Dot, Stamp: v.Stamp, Kind: Register, Key: key, Value: v.Value})
		}
	}
	for dot := range d.early {
		s.Early = append(s.Early, dot)
	}
	return s
}

// JoinState merges a whole document, in one step: commutative, associative and
// idempotent together with Join. It keeps the slices in s.
func (d *Document) JoinState(s *State) Merge {
	var m Merge
	live, early := make(dotSet), make(dotSet)
	for i := range s.Live {
		live.add(s.Live[i].Dot)
	}
	for _, dot := range s.Early {
		early.add(dot)
	}
	// What the peer has seen and no longer holds is gone here too.
	gone := func(dot Dot) bool {
		return early.has(dot) || s.Version.Contains(dot) && !live.has(dot)
	}
	for p, sib := range d.vehicles {
		for r := range sib.all {
			if gone(r.dot) {
				d.dropEntry(p, r.dot)
				m.Removed++
			}
		}
	}
	for key, all := range d.registers {
		for _, v := range all {
			if gone(v.Dot) {
				d.dropSibling(key, v.Dot)
				m.Registers++
			}
		}
	}
	// What the peer holds and was never seen here is new.
	if len(d.vehicles) == 0 {
		d.vehicles = make(map[lot.Plate]siblings, len(s.Live))
	}
	for i := range s.Live {
		v := &s.Live[i]
		d.clock.see(v.Stamp)
		if d.seen.Contains(v.Dot) {
			continue
		}
		if _, removed := d.early[v.Dot]; removed {
			continue
		}
		d.put(v)
		if v.Kind == Register {
			m.Registers++
		} else {
			m.Added++
		}
	}
	for _, dot := range s.Early {
		if _, ok := d.early[dot]; !ok && !d.seen.Contains(dot) {
			d.early[dot] = struct{}{}
			d.live.add(fact(tagEarly, dot))
		}
	}
	d.seen.union(s.Version)
	d.seenHash = d.seen.hash()
	for dot := range d.early {
		if d.seen.Contains(dot) {
			delete(d.early, dot)
			d.live.remove(fact(tagEarly, dot))
		}
	}
	for rep := range s.Version.rows {
		d.log.reset(rep, d.seen.Max(rep))
	}
	return m
}

// Since returns what a peer that has seen v lacks: the mutations themselves
// while the log reaches back that far for every replica and they are not many
// more than the lot holds, else the whole state. Both are nil if it lacks
// nothing.
func (d *Document) Since(v Version) (delta []Mutation, state *State) {
	limit := 2*(len(d.vehicles)+len(d.registers)) + 1024
	for rep := range d.seen.Replicas() {
		var ok bool
		if delta, ok = d.log.since(rep, d.seen.rows[rep], v.rows[rep], limit, delta); !ok {
			return nil, d.State()
		}
	}
	return slices.Clip(delta), nil
}

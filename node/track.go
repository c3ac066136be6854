package node

import (
	"context"

	"parking/lot"
	"parking/lot/crdt"
	"parking/node/replicate"
)

// A Movement is a vehicle that came in or, if Out, left. The gate is a label;
// for an exit it need not match the entry's, and 0 names none.
type Movement struct {
	Plate lot.Plate
	Gate  lot.GateID
	Out   bool
}

// TrackEntry records an entry at this replica. Under this ledger a full lot does
// not refuse: after tells by how many vehicles the lot is overbooked then.
func (n *Node) TrackEntry(ctx context.Context, p lot.Plate, g lot.GateID) (after lot.Spaces, err error) {
	return n.Track(ctx, Movement{Plate: p, Gate: g})
}

// TrackExit records an exit at this replica.
func (n *Node) TrackExit(ctx context.Context, p lot.Plate, g lot.GateID) (after lot.Spaces, err error) {
	return n.Track(ctx, Movement{Plate: p, Gate: g, Out: true})
}

// Track records movements at this replica in one step, and they travel
// together: all of them or, if one is refused, none.
func (n *Node) Track(ctx context.Context, moves ...Movement) (after lot.Spaces, err error) {
	if err := n.await(ctx); err != nil {
		return after, err
	}
	cmd := n.asksTrack(moves)
	n.repl.Pace(ctx)
	made, err := n.store.Update(replicate.Own, func(d *crdt.Document) ([]crdt.Mutation, error) {
		if i, err := n.check(d, moves); err != nil {
			cmd.plate, cmd.gate = moves[i].Plate, moves[i].Gate
			if len(moves) == 1 { // else it may be for one of the others
				n.judged(d, cmd.what, cmd.plate, cmd.gate, err)
			}
			return nil, err
		}
		ms := make([]crdt.Mutation, 0, len(moves))
		now := n.cfg.Now()
		for _, m := range moves {
			if m.Out {
				ms = append(ms, d.Exit(now, m.Plate, m.Gate))
			} else {
				ms = append(ms, d.Enter(now, m.Plate, m.Gate))
			}
		}
		after = spaces(d)
		return ms, nil
	})
	if err == nil {
		err = n.confirm(ctx, made)
	}
	n.noted(cmd, made, n.acks(ctx), err)
	return after, err
}

// check refuses movements that cannot be, one after the other, and says which it
// was.
func (n *Node) check(d *crdt.Document, moves []Movement) (which int, err error) {
	total := gatesIn(d)
	moved := make(map[lot.Plate]bool, len(moves)) // in or out, by then
	for i, m := range moves {
		if m.Gate != 0 || !m.Out {
			if err := lot.CheckGate(m.Gate, total); err != nil {
				return i, err
			}
		}
		in, before := moved[m.Plate]
		if !before {
			in = d.In(m.Plate)
		}
		switch {
		case in && !m.Out:
			v, ok := d.Vehicle(m.Plate)
			if !ok {
				v = lot.Vehicle{Plate: m.Plate, Entry: lot.Entry{Gate: m.Gate, Node: n.self.Node, Since: n.cfg.Now()}}
			}
			return i, lot.AlreadyIn(v, n.cfg.Now())
		case !in && m.Out:
			return i, lot.NotInLot(m.Plate)
		}
		if len(moves) > 1 {
			moved[m.Plate] = !m.Out
		}
	}
	return 0, nil
}

// SetSpaces and SetGates write a replicated setting: it takes effect on every
// node that hears of it.
func (n *Node) SetSpaces(ctx context.Context, v int) error {
	return n.set(ctx, keySpaces, v, lot.CheckSpaces(v))
}

// SetGates is like SetSpaces.
func (n *Node) SetGates(ctx context.Context, v int) error {
	return n.set(ctx, keyGates, v, lot.CheckGates(v))
}

func (n *Node) set(ctx context.Context, key string, v int, err error) error {
	if err == nil {
		err = n.await(ctx)
	}
	if err != nil {
		return err
	}
	cmd := n.asks("set", "", 0)
	ms, err := n.store.Update(replicate.Own, func(d *crdt.Document) ([]crdt.Mutation, error) {
		return []crdt.Mutation{n.setSetting(d, key, v, false)}, nil
	})
	n.stew.settle()
	if err == nil {
		err = n.confirm(ctx, ms)
	}
	n.noted(cmd, ms, n.acks(ctx), err)
	return err
}

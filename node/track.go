package node

import (
	"context"

	"parking/lot"
	"parking/lot/crdt"
	"parking/node/replicate"
)

// TrackEntry records an entry at this replica; the gate is a label. Under this
// ledger a full lot does not refuse: over tells by how many vehicles the lot
// is overbooked then.
func (n *Node) TrackEntry(ctx context.Context, p lot.Plate, g lot.GateID) (after lot.Spaces, err error) {
	return n.track(ctx, func(d *crdt.Document) ([]crdt.Mutation, error) {
		if err := lot.CheckGate(g, gatesIn(d)); err != nil {
			return nil, err
		}
		if v, in := d.Vehicle(p); in {
			return nil, lot.AlreadyIn(v, n.cfg.Now())
		}
		return []crdt.Mutation{d.Enter(n.cfg.Now(), p, g)}, nil
	})
}

// TrackExit records an exit at this replica. The gate is a label that need not
// match the entry's; 0 names none.
func (n *Node) TrackExit(ctx context.Context, p lot.Plate, g lot.GateID) (after lot.Spaces, err error) {
	return n.track(ctx, func(d *crdt.Document) ([]crdt.Mutation, error) {
		if g != 0 {
			if err := lot.CheckGate(g, gatesIn(d)); err != nil {
				return nil, err
			}
		}
		if _, in := d.Vehicle(p); !in {
			return nil, lot.NotInLot(p)
		}
		return []crdt.Mutation{d.Exit(n.cfg.Now(), p, g)}, nil
	})
}

func (n *Node) track(ctx context.Context, f func(*crdt.Document) ([]crdt.Mutation, error)) (after lot.Spaces, err error) {
	if err := n.await(ctx); err != nil {
		return after, err
	}
	_, err = n.store.Update(replicate.Own, func(d *crdt.Document) ([]crdt.Mutation, error) {
		ms, err := f(d)
		after = spaces(d)
		return ms, err
	})
	return after, err
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
	_, err = n.store.Update(replicate.Own, func(d *crdt.Document) ([]crdt.Mutation, error) {
		return []crdt.Mutation{n.setSetting(d, key, v, false)}, nil
	})
	n.stew.settle()
	return err
}

package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"connectrpc.com/connect"

	"parking/gates"
	"parking/lot"
	"parking/lot/crdt"
	"parking/lot/wire"
	"parking/node/peer"
	"parking/node/probe"
	"parking/node/replicate"
)

const (
	// callTimeout bounds one call to another node.
	callTimeout = 2 * time.Second
	// serveTimeout is how long a call may wait here: the caller hears that it
	// was in vain, and need not guess.
	serveTimeout = callTimeout * 3 / 4
	// seeTimeout is how long a gate waits for what its caller has seen.
	seeTimeout = callTimeout / 4
	// findTimeout is how long a gate without a node is waited for.
	findTimeout = 2 * time.Second
)

// Enter sends a vehicle in through gate g, wherever the gate runs, and Exit
// sends one out. They return once the gate's answer is in this replica. A
// refusal changed nothing; one with code Unknown may have.
func (n *Node) Enter(ctx context.Context, g lot.GateID, p lot.Plate) error {
	return n.pass(ctx, g, gates.Passage{Plate: p, For: n.self.Node})
}

// Exit is the other way round; see Enter.
func (n *Node) Exit(ctx context.Context, g lot.GateID, p lot.Plate) error {
	return n.pass(ctx, g, gates.Passage{Plate: p, Out: true, For: n.self.Node})
}

func (n *Node) pass(ctx context.Context, g lot.GateID, p gates.Passage) error {
	defer n.asked.begin(p.Plate)()
	cmd := n.asks(passage(p), p.Plate, g)
	var delta []byte // what the gate wrote
	err := n.atGate(ctx, g,
		func(ctx context.Context) (err error) {
			n.repl.Pace(ctx)
			delta, err = n.keeper.Pass(ctx, g, p)
			return err
		},
		func(ctx context.Context, k *link) error {
			reply, err := k.Pass(ctx, connect.NewRequest(&wire.PassRequest{
				Gate: uint32(g), Plate: string(p.Plate), Out: p.Out, Version: crdt.EncodeVersion(n.store.Version()),
			}))
			if err != nil {
				return n.lostCall(err, "gate %d on %s was asked", g, k.host.Node)
			}
			delta = reply.Msg.GetDelta()
			return n.answered(reply.Msg.GetVerdict(), delta)
		})
	ms, bad := crdt.Decode(delta)
	if errors.Is(bad, crdt.ErrNewer) && slices.ContainsFunc(ms, func(m crdt.Mutation) bool { return m.Plate == p.Plate }) {
		bad = nil // the passage is here, and what is left out came along with it
	}
	if err == nil && errors.Is(bad, crdt.ErrNewer) {
		err = lot.Refuse(lot.Unknown, "unknown: gate %d has done it, and has recorded it in a way that %s does not know; upgrade this node", g, n.self.Node)
	}
	if err == nil {
		err = bad
	}
	n.probe.Called.Emit(probe.Called{Took: time.Since(cmd.asked), Code: codeOf(err)})
	if err == nil {
		err = n.confirm(ctx, ms)
	}
	n.noted(cmd, ms, n.acks(ctx), err)
	return err
}

// passage names what a vehicle does at a gate.
func passage(p gates.Passage) string {
	if p.Out {
		return "gate exit"
	}
	return "gate enter"
}

// Crash makes gate g panic, wherever it runs.
func (n *Node) Crash(ctx context.Context, g lot.GateID) error {
	return n.order(ctx, g, &wire.OrderRequest{Gate: uint32(g), Order: &wire.OrderRequest_Crash{Crash: true}},
		func(ctx context.Context) error { return n.keeper.Crash(ctx, g) })
}

// Move hands gate g over to the node of that name.
func (n *Node) Move(ctx context.Context, g lot.GateID, to string) error {
	if err := n.await(ctx); err != nil {
		return err
	}
	if _, ok := n.view.find(to); !ok {
		return lot.Refuse(lot.Unreachable, "no node is called %s; members lists them", to)
	}
	if owner, ok := n.owner(g); ok && owner.Node == to {
		return alreadyOn(g, to)
	}
	reason := "moved by " + n.self.Node
	return n.order(ctx, g, &wire.OrderRequest{Gate: uint32(g), Order: &wire.OrderRequest_MoveTo{MoveTo: to}, Reason: reason},
		func(ctx context.Context) error {
			_, err := n.stew.move(ctx, g, to, reason)
			return err
		})
}

// Rebalance moves as few gates as it takes for no node to have two more than
// another, and returns how many it moved.
func (n *Node) Rebalance(ctx context.Context) (moved int, err error) {
	if err := n.await(ctx); err != nil {
		return 0, err
	}
	var moves []gates.Move
	alive := n.view.alive()
	n.store.View(func(d *crdt.Document) {
		total := gatesIn(d)
		moves = gates.Spread(total, alive, holders(d, total, alive))
	})
	for _, m := range moves {
		err := n.Move(ctx, m.Gate, m.To.Node)
		if owner, ok := n.owner(m.Gate); err != nil && (!ok || owner != m.To) { // else somebody else did it
			return moved, err
		}
		moved++
	}
	return moved, nil
}

func (n *Node) order(ctx context.Context, g lot.GateID, req *wire.OrderRequest, here func(context.Context) error) error {
	return n.atGate(ctx, g, here, func(ctx context.Context, k *link) error {
		reply, err := k.Order(ctx, connect.NewRequest(req))
		if err != nil {
			return n.lostCall(err, "gate %d on %s was asked", g, k.host.Node)
		}
		return n.answered(reply.Msg.GetVerdict(), reply.Msg.GetDelta())
	})
}

// atGate does something where gate g runs: here, or there by a call. While the
// gate has no node, is on its way to another or its node cannot be reached, it
// tries again for a moment; nothing was done by then.
func (n *Node) atGate(ctx context.Context, g lot.GateID, here func(context.Context) error, there func(context.Context, *link) error) error {
	if err := n.await(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, findTimeout+callTimeout)
	defer cancel()
	last := time.Now().Add(findTimeout)
	for {
		if err := lot.CheckGate(g, n.Gates()); err != nil {
			return err
		}
		owner, found := n.owner(g)
		call, done := context.WithTimeout(ctx, callTimeout)
		err := fmt.Errorf("%w: no node runs it", gates.ErrElsewhere)
		if found && owner == n.self {
			err = here(call)
		} else if found {
			if k, ok := n.links.to(owner.Node); ok {
				err = there(call, k)
			}
		}
		done()
		switch {
		case errors.Is(err, gates.ErrBusy):
			return busy(g)
		case errors.Is(err, gates.ErrCrashed):
			return crashedAsked(g)
		case !errors.Is(err, gates.ErrElsewhere) && !errors.Is(err, peer.ErrDial):
			return err
		}
		if time.Now().After(last) || !sleep(ctx, 20*time.Millisecond) {
			if !found {
				return lot.Refuse(lot.Unreachable, "gate %d runs nowhere just now; try again in a moment", g)
			}
			if errors.Is(err, gates.ErrElsewhere) {
				return lot.Refuse(lot.Unreachable, "gate %d is on its way to %s, or just starting there; try again in a moment", g, owner.Node)
			}
			return lot.Refuse(lot.Unreachable, "gate %d is unreachable: %s does not answer; try again in a moment", g, owner.Node)
		}
	}
}

// owner returns the living host that holds the gate.
func (n *Node) owner(g lot.GateID) (h gates.Host, ok bool) {
	alive := n.view.alive()
	n.store.View(func(d *crdt.Document) {
		var c gates.Claim
		c, ok = gates.Winner(claims(d, g), alive)
		h = c.Host
	})
	return h, ok
}

// lostCall says what the error of a call means: not sent, so that it may be
// tried again, or lost on its way.
func (n *Node) lostCall(err error, format string, args ...any) error {
	if errors.Is(err, peer.ErrDial) {
		return err
	}
	n.log.Info("a call was lost", "err", err)
	return lot.Refuse(lot.Unknown, "unknown: %s and has not answered; read tells whether it was done", fmt.Sprintf(format, args...))
}

// answered takes another node's verdict, and what it wrote, into this replica. Of
// kinds of changes that are not known here the others are taken: the verdict stands.
func (n *Node) answered(v *wire.Verdict, d []byte) error {
	ms, err := crdt.Decode(d)
	if errors.Is(err, crdt.ErrNewer) {
		n.repl.Refuse("answer", "a gate's node", err)
		err = nil
	}
	if err == nil {
		err = n.store.Join(ms, probe.Answer, len(d))
	}
	switch {
	case err != nil:
		return err
	case v.GetElsewhere():
		return gates.ErrElsewhere
	case v.GetCode() != "":
		return lot.Refuse(lot.Code(v.GetCode()), "%s", v.GetText())
	}
	return nil
}

func busy(g lot.GateID) error {
	return lot.Refuse(lot.Unreachable, "gate %d did not come to it in time; try again in a moment", g)
}

func crashedAsked(g lot.GateID) error {
	return lot.Refuse(lot.Unknown, "unknown: gate %d crashed while it was asked; read tells whether it was done", g)
}

// ruling is the inverse of answered.
func ruling(g lot.GateID, err error) *wire.Verdict {
	switch {
	case err == nil:
		return &wire.Verdict{}
	case errors.Is(err, gates.ErrElsewhere):
		return &wire.Verdict{Elsewhere: true}
	case errors.Is(err, gates.ErrBusy):
		return ruling(g, busy(g))
	case errors.Is(err, gates.ErrCrashed):
		return ruling(g, crashedAsked(g))
	}
	return &wire.Verdict{Code: string(lot.CodeOf(err)), Text: err.Error()}
}

// book records what passes the gates that run here.
func (n *Node) book(g lot.GateID, p gates.Passage) ([]byte, error) {
	by := replicate.Own
	if p.For != n.self.Node {
		by = replicate.Served
	}
	ms, err := n.store.Update(by, func(d *crdt.Document) (ms []crdt.Mutation, err error) {
		if ms, err = n.let(d, g, p); err != nil {
			n.judged(d, passage(p), p.Plate, g, err)
		}
		return ms, err
	})
	if err != nil {
		return nil, err
	}
	delta := crdt.Encode(ms)
	if by == replicate.Served {
		n.tellAnswer(len(ms), delta)
	}
	return delta, nil
}

// tellAnswer tells instruments of changes that go to another node with the answer
// to its call.
func (n *Node) tellAnswer(changes int, delta []byte) {
	n.probe.Sent.Emit(probe.Sent{Lane: probe.Answer, Deltas: 1, Changes: changes, Bytes: len(delta)})
}

// let lets a vehicle through gate g, or refuses it.
func (n *Node) let(d *crdt.Document, g lot.GateID, p gates.Passage) ([]crdt.Mutation, error) {
	v, in := d.Vehicle(p.Plate)
	now := n.cfg.Now()
	if p.Out {
		if !in {
			return nil, lot.NotInLot(p.Plate)
		}
		return []crdt.Mutation{d.Exit(now, p.Plate, g), count(now, d, g, true)}, nil
	}
	if in {
		return nil, lot.AlreadyIn(v, now)
	}
	if err := spaces(d).CheckAdmit(); err != nil {
		return nil, err
	}
	return []crdt.Mutation{d.Enter(now, p.Plate, g), count(now, d, g, false)}, nil
}

// crashed tells of a gate that panicked here.
func (n *Node) crashed(g lot.GateID, why string) {
	n.probe.Gate.Emit(probe.Gate{Turn: probe.Crashed})
	n.bus.emit(Event{Kind: GateCrashed, Gate: g, Node: n.self.Node, Here: true, Reason: why})
}

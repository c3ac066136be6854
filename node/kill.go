package node

import (
	"context"
	"errors"
	"time"

	"connectrpc.com/connect"

	"parking/lot"
	"parking/lot/wire"
	"parking/node/history"
	"parking/node/member"
	"parking/node/peer"
)

// Kill ends a node at once, without leaving: this one, which does not return
// then, or another.
func (n *Node) Kill(ctx context.Context, name string) error {
	if err := n.CheckFaults(); err != nil {
		return err
	}
	if name == "" || name == n.self.Node {
		n.die(n.self.Node)
		return nil
	}
	if err := n.await(ctx); err != nil {
		return err
	}
	m, ok := n.view.find(name)
	if !ok {
		return lot.Refuse(lot.Unreachable, "no node is called %s; members lists them", name)
	}
	if n.resume(func(p *pause) bool { return p.Node == name }, n.self.Node) != nil {
		_ = n.Back(ctx, name) // it hears the order only if it goes on
		m, _ = n.view.find(name)
	}
	k, linked := n.links.to(name)
	if m.Status != member.Alive || !linked {
		return lot.Refuse(lot.Unreachable, "%s is %s; members lists who is alive", name, m.Status)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	reply, err := k.Kill(ctx, connect.NewRequest(&wire.KillRequest{}))
	if err == nil {
		return n.answered(reply.Msg.GetVerdict(), nil)
	}
	// It may have died faster than its answer left; then nobody listens there.
	for told := !errors.Is(err, peer.ErrDial); told; told = sleep(ctx, 5*time.Millisecond) {
		if k.Refuses() {
			return nil
		}
	}
	if errors.Is(err, peer.ErrDial) {
		return err
	}
	return lot.Refuse(lot.Unknown, "unknown: %s was told to die and has not answered; members tells whether it lives, and resume %s lets it go on if it is paused", name, name)
}

// die ends the process, by order of a node.
func (n *Node) die(by string) {
	n.hist.Add(history.Record{Kind: history.Ended, Text: "killed by " + by})
	n.cfg.Die()
}

// CheckFaults refuses injected faults on a node that was started without them.
func (n *Node) CheckFaults() error {
	if n.cfg.NoFaults {
		return lot.Refuse(lot.Refused, "%s was started with --no-faults", n.self.Node)
	}
	return nil
}

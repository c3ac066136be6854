package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"connectrpc.com/connect"

	"parking/gates"
	"parking/lot/wire"
	"parking/node/cookie"
	"parking/node/member"
	"parking/node/peer"
)

// probeTimeout is how long a node whose name another one has may take to answer.
const probeTimeout = time.Second

// maxProbes is how many are asked at once.
const maxProbes = 4

// nameTaken returns who else has that name and is alive. A life that has just
// ended, unnoticed yet, does not stand in the way of the next one, which from now
// on has its place in view. It blocks while the other one is asked.
func (n *Node) nameTaken(ctx context.Context, next gates.Host, addr string) (Member, bool) {
	m, ok := n.view.find(next.Node)
	switch {
	case !ok || m.Incarnation == next.Incarnation:
		return m, false
	case m.Self:
		return m, true
	case m.Addr == addr:
		return m, false // it has the other's port, so the other is gone
	case m.Status == member.Alive && n.isThere(ctx, m):
		return m, true
	}
	if _, err := netip.ParseAddrPort(addr); err == nil {
		if of, news := n.view.succeed(next, addr); news {
			n.log.Info("a next life takes the place of one that is silent", "node", next.Node, "addr", addr, "was", of.Addr)
			select {
			case n.heirs <- func(ctx context.Context) { n.attend(ctx, next, addr, of) }:
			default: // as many as there may be
				n.view.disown(next)
			}
		}
	}
	return m, false
}

func hostOf(id cookie.Identity) gates.Host {
	return gates.Host{Node: id.Name, Incarnation: id.Incarnation}
}

// isThere asks, on a connection of its own, whether that life of a node is at its
// address. It takes less time than the caller has. One that was not asked to the
// end is there.
func (n *Node) isThere(ctx context.Context, m Member) bool {
	within := probeTimeout
	if d, ok := ctx.Deadline(); ok {
		within = min(within, time.Until(d)*3/4)
	}
	asking, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	select {
	case n.probes <- struct{}{}:
		defer func() { <-n.probes }()
	case <-asking.Done():
		return true
	}
	link := peer.NewLink(n.mux, n.ring, m.Name, m.Addr)
	defer link.Close()
	_, err := link.Digest(asking, connect.NewRequest(&wire.DigestRequest{}))
	return ctx.Err() != nil || err == nil && link.Peer().Incarnation == m.Incarnation
}

// awaitHeirs looks after heirs until ctx ends.
func (n *Node) awaitHeirs(ctx context.Context) {
	for {
		select {
		case attend := <-n.heirs:
			n.running.Go(func() { attend(ctx) })
		case <-ctx.Done():
			n.running.Wait()
			return
		}
	}
}

// Hold stays open until either side goes, or the caller's name is another's: two
// were let in under it while one of them was silent. That other one is asked
// first.
func (c *calls) Hold(ctx context.Context, _ *connect.Request[wire.HoldRequest], stream *connect.ServerStream[wire.HoldReply]) error {
	n := (*Node)(c)
	if err := stream.Send(&wire.HoldReply{}); err != nil {
		return err
	}
	caller := hostOf(peer.Caller(ctx))
	for {
		by, over, turned := n.view.over(caller)
		if over && n.isThere(ctx, by) {
			return connect.NewError(connect.CodeAlreadyExists, errors.New(by.Addr))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-turned:
		}
	}
}

// outdone ends this node: one that it holds a stream to says that the name is
// another's, whose address is in err.
func (n *Node) outdone(by string, err *connect.Error) {
	where := "an address it did not tell"
	if a, err := netip.ParseAddrPort(err.Message()); err == nil {
		where = a.String()
	}
	select {
	case n.ousted <- fmt.Errorf("node: %s has another node called %s in its view, at %s: one of the two was silent when the other came; give one of them another --sname", by, n.self.Node, where):
	default:
	}
}

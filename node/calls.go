package node

import (
	"context"
	"errors"
	"strings"
	"time"

	"connectrpc.com/connect"

	"parking/gates"
	"parking/lot"
	"parking/lot/crdt"
	"parking/lot/wire"
	"parking/node/cookie"
	"parking/node/member"
	"parking/node/peer"
)

// calls answers what other nodes ask of this one: the service Peer of
// lot/wire. Nothing in a request is trusted.
type calls Node

// Hello says whether the caller may join: with the same ledger, under a name
// that no living node has, and not while the cookie is rotated.
func (c *calls) Hello(ctx context.Context, req *connect.Request[wire.HelloRequest]) (*connect.Response[wire.HelloReply], error) {
	n := (*Node)(c)
	reply := &wire.HelloReply{Node: n.self.Node, Incarnation: n.self.Incarnation, ReadyMs: n.age(), Met: n.met.Load()}
	if l := req.Msg.GetLedger(); l != Ledger {
		reply.Refusal = "this cluster runs the ledger " + Ledger + ", not " + l
	} else if by, rotating := n.cooks.underWay(); rotating && !n.sees(peer.Caller(ctx)) {
		reply.Passing = true
		reply.Refusal = "the cluster's cookie is being rotated by " + by + "; start this node again in a moment, with the new one"
	} else if m, other := n.nameTaken(ctx, hostOf(peer.Caller(ctx)), req.Msg.GetAddr()); other == unasked {
		return nil, connect.NewError(connect.CodeUnavailable, errors.New(unsure(m)))
	} else if other == there {
		reply.Taken = m.Addr
		reply.Refusal = "the cluster has a node called " + m.Name + " already, at " + m.Addr + "; give another --sname"
	} else {
		n.callers.add(req.Msg.GetAddr())
	}
	return connect.NewResponse(reply), nil
}

// sees reports whether that life of a node is alive in view.
func (n *Node) sees(id cookie.Identity) bool {
	m, ok := n.view.find(id.Name)
	return ok && m.Incarnation == id.Incarnation && m.Status == member.Alive
}

// age returns for how long this node has been ready, in milliseconds.
func (n *Node) age() uint64 {
	if !n.isReady() {
		return 0
	}
	return uint64(time.Since(n.readied).Milliseconds()) + 1
}

// Digest tells this node's state in 16 bytes.
func (c *calls) Digest(context.Context, *connect.Request[wire.DigestRequest]) (*connect.Response[wire.DigestReply], error) {
	d := c.store.Digest()
	members, since := c.view.sight()
	return connect.NewResponse(&wire.DigestReply{Digest: d[:], Members: members, SettledMs: uint64(time.Since(since).Milliseconds())}), nil
}

// Pull streams what the caller lacks.
func (c *calls) Pull(ctx context.Context, req *connect.Request[wire.PullRequest], stream *connect.ServerStream[wire.PullChunk]) error {
	if err := c.repl.Answer(peer.Caller(ctx).Name, req.Msg, stream.Send); err != nil {
		return connect.NewError(connect.CodeInvalidArgument, err)
	}
	return nil
}

// push takes what was written at the caller, by a lane.
func (c *calls) push(ctx context.Context, m *wire.PushRequest) error {
	ctx, cancel := context.WithTimeout(ctx, serveTimeout)
	defer cancel()
	return c.repl.Receive(ctx, peer.Caller(ctx).Name, m)
}

// Pass sends a vehicle through a gate that runs here.
func (c *calls) Pass(ctx context.Context, req *connect.Request[wire.PassRequest]) (*connect.Response[wire.PassReply], error) {
	g := lot.GateID(req.Msg.GetGate())
	p, err := lot.ParsePlate(req.Msg.GetPlate())
	if err != nil {
		return connect.NewResponse(&wire.PassReply{Verdict: ruling(g, err)}), nil
	}
	ctx, cancel := context.WithTimeout(ctx, serveTimeout)
	defer cancel()
	seen, err := crdt.DecodeVersion(req.Msg.GetVersion())
	if err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, err)
	}
	(*Node)(c).see(ctx, peer.Caller(ctx).Name, seen)
	c.repl.Pace(ctx)
	delta, err := c.keeper.Pass(ctx, g, gates.Passage{
		Plate: p, Out: req.Msg.GetOut(), For: peer.Caller(ctx).Name,
	})
	return connect.NewResponse(&wire.PassReply{Verdict: ruling(g, err), Delta: delta}), nil
}

// see waits until this replica has seen what the node of that name had: who has
// its own change is not to be told by a gate elsewhere that there is none. If
// that takes long, the call goes on without it: gates stay available.
func (n *Node) see(ctx context.Context, name string, had crdt.Version) {
	ctx, cancel := context.WithTimeout(ctx, seeTimeout)
	defer cancel()
	for kicked := false; ; kicked = true {
		changed := n.Changed()
		if n.store.Covers(had) {
			return
		}
		if !kicked {
			n.repl.Kick(name)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			n.log.Info("a gate judges without all that its caller has seen", "caller", name)
			return
		}
	}
}

// Take runs a gate that the caller has stopped.
func (c *calls) Take(ctx context.Context, req *connect.Request[wire.TakeRequest]) (*connect.Response[wire.TakeReply], error) {
	n := (*Node)(c)
	ctx, cancel := context.WithTimeout(ctx, serveTimeout)
	defer cancel()
	reply := &wire.TakeReply{}
	seen, err := crdt.DecodeVersion(req.Msg.GetVersion())
	if err == nil {
		err = n.await(ctx)
	}
	g := lot.GateID(req.Msg.GetGate())
	if err == nil {
		err = lot.CheckGate(g, n.Gates())
	}
	if err == nil {
		if reply.Delta, err = n.stew.take(ctx, peer.Caller(ctx).Name, g, clip(req.Msg.GetReason()), seen); err == nil {
			n.tellAnswer(1, reply.Delta) // the claim
		}
	}
	reply.Verdict = ruling(g, err)
	return connect.NewResponse(reply), nil
}

// Order crashes or moves a gate that runs here.
func (c *calls) Order(ctx context.Context, req *connect.Request[wire.OrderRequest]) (*connect.Response[wire.OrderReply], error) {
	n := (*Node)(c)
	ctx, cancel := context.WithTimeout(ctx, serveTimeout)
	defer cancel()
	g := lot.GateID(req.Msg.GetGate())
	reply := &wire.OrderReply{}
	var err error
	switch o := req.Msg.GetOrder().(type) {
	case *wire.OrderRequest_Crash:
		err = n.keeper.Crash(ctx, g)
	case *wire.OrderRequest_MoveTo:
		if reply.Delta, err = n.stew.move(ctx, g, o.MoveTo, clip(req.Msg.GetReason())); err == nil {
			n.tellAnswer(1, reply.Delta) // the claim, passed on
		}
	default:
		err = lot.Refuse(lot.Usage, "%s does not know that order; give all nodes the same version of parking", n.self.Node)
	}
	reply.Verdict = ruling(g, err)
	return connect.NewResponse(reply), nil
}

// Kill ends this process at once, a moment after the answer has left.
func (c *calls) Kill(ctx context.Context, _ *connect.Request[wire.KillRequest]) (*connect.Response[wire.KillReply], error) {
	n := (*Node)(c)
	err := n.CheckFaults()
	if err == nil {
		by := peer.Caller(ctx).Name
		time.AfterFunc(10*time.Millisecond, func() { n.die(by) })
	}
	return connect.NewResponse(&wire.KillReply{Verdict: ruling(0, err)}), nil
}

// clip bounds a text that another node sent.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "")
	}
	return s
}

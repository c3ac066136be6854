package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"

	"parking/gates"
	"parking/lot/wire"
	"parking/node/cookie"
	"parking/node/peer"
	"parking/node/replicate"
)

// A greeted node welcomes this one.
type greeted struct {
	*peer.Link
	name  string
	life  uint64 // its incarnation
	self  bool   // it is this very node
	ready bool   // it is not still looking for its own cluster
}

// greet asks the node at addr whether this one may join. The caller closes the
// link.
func (n *Node) greet(ctx context.Context, addr string) (h *greeted, err error) {
	link := peer.NewLink(n.mux, n.ring, "", addr)
	defer func() {
		if err != nil {
			link.Close()
		}
	}()
	reply, err := n.hello(ctx, link, helloTimeout)
	why, retired := errors.AsType[*cookie.Retirement](err)
	switch {
	case retired:
		return nil, fmt.Errorf("%w: the node at %s does not know this one's cookie any more: %w", errStranger, addr, why)
	case errors.Is(err, cookie.ErrCluster):
		return nil, fmt.Errorf("%w: the node at %s is in another cluster; give --cluster as it has it", errStranger, addr)
	case errors.Is(err, cookie.ErrCookie), errors.Is(err, cookie.ErrRejected):
		return nil, fmt.Errorf("%w: the node at %s has another cookie; give --cookie as it has it", errStranger, addr)
	case errors.Is(err, errRefused):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("node: cannot reach a node at %s: %w", addr, plain(err))
	}
	h = &greeted{Link: link, name: reply.GetNode(), life: reply.GetIncarnation(), ready: reply.GetReadyMs() > 0}
	if h.name == n.self.Node && h.life == n.self.Incarnation {
		h.self = true
		return h, nil
	}
	// Who is asked looks whether it knows this node's name; this one has to look
	// for the other's, or two clusters with a name in common became one.
	switch m, other := n.nameTaken(ctx, gates.Host{Node: h.name, Incarnation: h.life}, addr); other {
	case unasked:
		return nil, fmt.Errorf("node: cannot join the node at %s: %s", addr, unsure(m))
	case there:
		return nil, fmt.Errorf("%w: the node at %s is called %s, as is the one at %s; end one of them", errStranger, addr, h.name, m.Addr)
	}
	return h, nil
}

// unsure says that a node in view was not asked whether it still has its name.
func unsure(m Member) string {
	return fmt.Sprintf("whether the node called %s at %s is still there is not known yet; try again in a moment", m.Name, m.Addr)
}

// hello makes this node known at the other end of a link. A refusal in words
// comes back as errRefused, or errPassing, with the reply.
func (n *Node) hello(ctx context.Context, to *peer.Link, within time.Duration) (*wire.HelloReply, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	reply, err := to.Hello(ctx, connect.NewRequest(&wire.HelloRequest{
		Schema: wire.Schema, Ledger: Ledger, Addr: n.addr(),
	}))
	if err != nil {
		return nil, err
	}
	if why := reply.Msg.GetRefusal(); why != "" {
		as := errRefused
		if reply.Msg.GetPassing() {
			as = errPassing
		}
		return reply.Msg, fmt.Errorf("%w: %s", as, why)
	}
	return reply.Msg, nil
}

// joinOne joins the node at addr, if it welcomes this one.
func (n *Node) joinOne(ctx context.Context, addr string) error {
	h, err := n.greet(ctx, addr)
	if err != nil {
		return err
	}
	defer h.Close()
	return n.enter(ctx, h)
}

// enter joins a node that was greeted, and brings its state here.
func (n *Node) enter(ctx context.Context, h *greeted) error {
	if h.self {
		return nil
	}
	if !n.isReady() && n.welcomed.IsZero() {
		n.welcomed = time.Now()
	}
	if !n.met.Load() {
		n.stew.hold() // until the others are in view, not only their claims
		defer n.stew.release()
		if _, err := n.repl.PullBy(ctx, h, h.name); err != nil {
			return fmt.Errorf("node: no state from the node at %s: %w", h.Addr(), plain(err))
		}
		n.brought.Store(true)
		n.repl.Open()
		n.giveWay()
	}
	met := h.ready && n.met.CompareAndSwap(false, true) // before it comes into view
	if err := n.agent.Join(h.Addr()); err != nil {
		if met {
			n.met.Store(false)
		}
		return err
	}
	n.view.wake()
	n.taken.Store(nil)
	if _, err := n.reach(ctx, h.name); err != nil {
		return err
	}
	if _, err := n.bring(ctx, h.name); err != nil {
		return err
	}
	if n.isReady() {
		n.follow(true)
	}
	return nil
}

// bring pulls from a node in view. A node that starts, and has been brought a
// state, does not fetch another: it says that it lacks one.
func (n *Node) bring(ctx context.Context, name string) (replicate.Source, error) {
	if n.isReady() || !n.brought.Load() {
		return n.repl.PullFrom(ctx, name)
	}
	return n.repl.CatchUp(ctx, name)
}

// reach returns the link to the node of that name, once it is in view.
func (n *Node) reach(ctx context.Context, name string) (*link, error) {
	inView, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	for {
		if k, ok := n.links.to(name); ok {
			return k, nil
		}
		if !sleep(inView, 5*time.Millisecond) {
			return nil, fmt.Errorf("node: %s was joined and did not come into view", name)
		}
	}
}

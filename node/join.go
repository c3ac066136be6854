package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"connectrpc.com/connect"

	"parking/lot/wire"
	"parking/node/cookie"
	"parking/node/member"
	"parking/node/peer"
)

const (
	// helloTimeout bounds the first exchange with a node.
	helloTimeout = 3 * time.Second
	// joinTries is how often a neighbour is tried that does not answer: it may
	// be starting, or stopping.
	joinTries = 3
	// rejoinInterval is how long a node waits before it tries again to reach
	// those it was told to join and does not see.
	rejoinInterval = 2 * time.Second
)

// errRefused is the error of a node that was reached and will not have this
// one: there is no use in trying again.
var errRefused = errors.New("node: refused")

// join publishes this node, then joins those it finds and pulls their state.
func (n *Node) join(ctx context.Context, cert *cookie.Certificate) error {
	var found []Neighbour
	if n.cfg.Directory != nil {
		if err := n.cfg.Directory.Publish(n.addr(), n.self.Incarnation); err != nil {
			return err
		}
		var err error
		if found, err = n.cfg.Directory.Neighbours(); err != nil {
			return err
		}
	}
	for _, addr := range n.cfg.Join {
		switch err := n.joinOne(ctx, cert, addr); {
		case err == nil || ctx.Err() != nil:
		case errors.Is(err, errRefused) || n.cfg.MustJoin:
			return err
		default:
			n.notice("%v; trying again", err)
		}
	}
	for _, nb := range found {
		for try := 1; ctx.Err() == nil; try++ {
			if m, ok := n.view.find(nb.Name); ok && m.Status == member.Alive && m.Addr == nb.Addr {
				break // came with another one
			}
			err := n.joinOne(ctx, cert, nb.Addr)
			if err == nil {
				break
			}
			n.log.Info("neighbour not joined", "node", nb.Name, "addr", nb.Addr, "err", err)
			if try == joinTries || errors.Is(err, errRefused) {
				break
			}
			sleep(ctx, 100*time.Millisecond)
		}
	}
	n.catchUp(ctx)
	return ctx.Err()
}

// joinOne asks the node at addr whether this one may join, and does.
func (n *Node) joinOne(ctx context.Context, cert *cookie.Certificate, addr string) error {
	link := peer.NewLink(n.mux, cert, "", addr)
	defer link.Close()
	hello, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	reply, err := link.Hello(hello, connect.NewRequest(&wire.HelloRequest{
		Schema: wire.Schema, Ledger: Ledger, Addr: n.addr(),
	}))
	switch {
	case errors.Is(err, cookie.ErrCluster):
		return fmt.Errorf("%w: the node at %s is in another cluster; give --cluster as it has it", errRefused, addr)
	case errors.Is(err, cookie.ErrCookie), errors.Is(err, cookie.ErrRejected):
		return fmt.Errorf("%w: the node at %s has another cookie; give --cookie as it has it", errRefused, addr)
	case err != nil:
		return fmt.Errorf("node: cannot reach a node at %s: %w", addr, plain(err))
	case reply.Msg.GetRefusal() != "":
		return fmt.Errorf("%w: %s", errRefused, reply.Msg.GetRefusal())
	}
	name := reply.Msg.GetNode()
	if name == n.self.Node && reply.Msg.GetIncarnation() == n.self.Incarnation {
		n.joined[addr] = name
		return nil // this node itself
	}
	if !n.met.Load() {
		n.stew.hold() // until the others are in view, not only their claims
		defer n.stew.release()
		if _, err := n.repl.PullBy(ctx, link, name); err != nil {
			return fmt.Errorf("node: no state from the node at %s: %w", addr, plain(err))
		}
		n.giveWay()
	}
	was := n.met.Swap(n.isReady())
	if err := n.agent.Join(addr); err != nil {
		n.met.Store(was)
		return err
	}
	n.joined[addr] = name
	n.view.wake()
	if err := n.pullFrom(ctx, name); err != nil {
		return err
	}
	if n.isReady() {
		n.follow(true)
	}
	return nil
}

// pullFrom brings that node's state here, once it is in view.
func (n *Node) pullFrom(ctx context.Context, name string) error {
	inView, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	for {
		if _, ok := n.links.to(name); ok {
			return n.repl.PullFrom(ctx, name)
		}
		if !sleep(inView, 5*time.Millisecond) {
			return fmt.Errorf("node: %s was joined and did not come into view", name)
		}
	}
}

// firstMeeting reports, once, that a node which was alone has others in view
// that it did not join: those joined it, or gossip for its last life reached
// this one.
func (n *Node) firstMeeting() bool {
	return n.isReady() && len(n.view.others()) > 0 && n.met.CompareAndSwap(false, true)
}

// meetOthers is for such a node what joinOne does for one that joins.
func (n *Node) meetOthers(ctx context.Context) {
	n.stew.hold()
	defer n.stew.release()
	n.catchUp(ctx)
	n.giveWay()
	n.follow(true)
}

// catchUp pulls from everyone in view, so that no claim is made in ignorance
// of others'. Those that do not answer are left to the replicator. It says hello
// to each too: the gossip of a join misses a node now and then, and that one
// would not see the joiner for half a minute.
func (n *Node) catchUp(ctx context.Context) {
	var wg sync.WaitGroup
	for _, name := range n.view.others() {
		wg.Go(func() {
			err := n.pullFrom(ctx, name)
			if k, ok := n.links.to(name); ok && err == nil {
				err = n.hello(ctx, k.Link)
			}
			if err != nil {
				n.log.Info("first pull failed", "node", name, "err", err)
			}
		})
	}
	wg.Wait()
}

// hello makes this node known at the other end of a link.
func (n *Node) hello(ctx context.Context, to *peer.Link) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	_, err := to.Hello(ctx, connect.NewRequest(&wire.HelloRequest{
		Schema: wire.Schema, Ledger: Ledger, Addr: n.addr(),
	}))
	return err
}

func (n *Node) notice(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	n.log.Warn(text)
	n.bus.emit(Event{Kind: Notice, Reason: text})
}

// plain returns what is at the bottom of a call's error.
func plain(err error) error {
	for _, known := range []error{context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, known) {
			return errors.New("no answer")
		}
	}
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

// sleep waits for d and reports whether ctx still lives.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

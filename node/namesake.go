package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
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

// leastProbe is how long it must have been silent to be taken for gone.
const leastProbe = probeTimeout / 5

// maxProbes is how many lives are asked for at once on behalf of others.
const maxProbes = 64

// presence is what is known of whether a life of a node is there.
type presence int

const (
	unasked presence = iota // it was not asked to the end, which says nothing
	gone
	there
)

// nameTaken returns who else has that name and is alive. A life that has just
// ended, unnoticed yet, does not stand in the way of the next one, which from now
// on has its place in view. It blocks while the other one is asked.
func (n *Node) nameTaken(ctx context.Context, next gates.Host, addr string) (m Member, other presence) {
	m, ok := n.view.find(next.Node)
	switch {
	case !ok || m.Incarnation == next.Incarnation:
		return m, gone
	case m.Self:
		return m, there
	case m.Addr == addr:
		return m, gone // the next has its port
	case m.Status == member.Alive:
		if other := n.isThere(ctx, m); other != gone {
			return m, other
		}
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
	return m, gone
}

func hostOf(id cookie.Identity) gates.Host {
	return gates.Host{Node: id.Name, Incarnation: id.Incarnation}
}

// isThere asks whether that life of a node is at its address. It takes less time
// than the caller has.
func (n *Node) isThere(ctx context.Context, m Member) presence {
	within := probeTimeout
	if d, ok := ctx.Deadline(); ok {
		within = min(within, time.Until(d)*3/4)
	}
	if within < leastProbe {
		return unasked
	}
	asking, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	return n.probes.share(ctx, asking, m.host(), func() presence { return n.inquire(ctx, asking, m) })
}

// inquire is isThere until asking ends, on a connection of its own.
func (n *Node) inquire(ctx, asking context.Context, m Member) presence {
	link := peer.NewLink(n.mux, n.ring, m.Name, m.Addr)
	defer link.Close()
	_, err := link.Digest(asking, connect.NewRequest(&wire.DigestRequest{}))
	switch {
	case err == nil && link.Peer().Incarnation == m.Incarnation:
		return there
	case ctx.Err() != nil:
		return unasked
	}
	return gone
}

// probes are the questions under way whether a life is there. All who want to know
// it of one life share one question.
type probes struct {
	mu    sync.Mutex
	about map[gates.Host]*question
}

type question struct {
	done chan struct{} // closed when there is:
	is   presence
}

// share returns what ask says of that life, or what it says to another who has
// called it by now; unasked if ctx ends, or there are too many others. Who has
// waited for another's until asking ended has heard nothing for as long.
func (p *probes) share(ctx, asking context.Context, h gates.Host, ask func() presence) presence {
	for {
		q, mine := p.question(h)
		switch {
		case q == nil:
			return unasked
		case mine:
			q.is = ask()
			p.mu.Lock()
			delete(p.about, h)
			p.mu.Unlock()
			close(q.done)
			return q.is
		}
		select {
		case <-q.done:
			if q.is != unasked {
				return q.is
			}
		case <-asking.Done():
			if ctx.Err() != nil {
				return unasked
			}
			return gone
		}
	}
}

// question returns the question about that life, and whether the caller is to ask
// it; nil if there are too many.
func (p *probes) question(h gates.Host) (q *question, mine bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q, known := p.about[h]
	if known || len(p.about) >= maxProbes {
		return q, false
	}
	q = &question{done: make(chan struct{})}
	p.about[h] = q
	return q, true
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
		var again <-chan time.Time
		if over {
			if n.isThere(ctx, by) == there {
				return connect.NewError(connect.CodeAlreadyExists, errors.New(by.Addr))
			}
			again = time.After(heirLook)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-turned:
		case <-again:
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

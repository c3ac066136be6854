package node

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"

	"parking/lot"
	"parking/lot/wire"
	"parking/node/fault"
	"parking/node/peer"
	"parking/node/probe"
)

// maxClock bounds how far a clock can be put off.
const maxClock = 365 * 24 * time.Hour

// clock is what was done to a node's wall clock.
type clock struct {
	off   atomic.Int64 // time.Duration
	mu    sync.Mutex
	fault *fault.Fault // nil: it is right
}

// faults returns the fault that is in force, if any.
func (c *clock) faults() []fault.Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fault == nil {
		return nil
	}
	return []fault.Fault{*c.fault}
}

// clockOff returns how far this node's wall clock was put off.
func (n *Node) clockOff() time.Duration { return time.Duration(n.clock.off.Load()) }

func checkClock(d time.Duration) error {
	if d < -maxClock || d > maxClock {
		return lot.Refuse(lot.Range, "clock %v: it can be off by %v at most", d, maxClock)
	}
	return checkWhole("clock", d)
}

// checkWhole refuses what is not told to other nodes as it is.
func checkWhole(what string, d time.Duration) error {
	if d%time.Millisecond != 0 {
		return lot.Refuse(lot.Range, "%s %v: give whole milliseconds", what, d)
	}
	return nil
}

// SetClock puts the wall clock of a node off by d, as what was ordered.
func (n *Node) SetClock(ctx context.Context, name string, d time.Duration, what string) error {
	if err := cmp.Or(n.CheckFaults(), n.await(ctx), checkClock(d), n.checkNode(name)); err != nil {
		return err
	}
	if name == n.self.Node {
		return n.setClock(d, n.self.Node, what)
	}
	n.log.Info("clock ordered", "peer", name, "by", d)
	m, _ := n.view.find(name)
	err := n.tell(ctx, []Member{m}, func(ctx context.Context, k *peer.Link) (*wire.Verdict, error) {
		reply, err := k.Clock(ctx, connect.NewRequest(&wire.ClockRequest{OffsetMs: d.Milliseconds(), What: what}))
		if err != nil {
			return nil, err
		}
		return reply.Msg.GetVerdict(), nil
	})[name]
	if r, ok := errors.AsType[*lot.Refusal](err); err == nil || ok {
		if ok {
			return r
		}
		return nil
	}
	return lot.Refuse(lot.Unreachable, "%s does not answer (%v); members lists who is there", name, plain(err))
}

// setClock puts this node's clock off by d, or right.
func (n *Node) setClock(d time.Duration, by, what string) error {
	if err := checkClock(d); err != nil {
		return err
	}
	n.clock.mu.Lock()
	defer n.clock.mu.Unlock()
	since := n.cfg.Now().Add(-n.clockOff())
	n.clock.off.Store(int64(d))
	n.log.Info("clock put off", "by", d)
	if was := n.clock.fault; was != nil {
		n.clock.fault = nil
		n.probe.Fault.Emit(probe.Fault{Turn: probe.Lifted})
		if d == 0 {
			n.tellFault(FaultHealed, by, was.What)
		}
	}
	if d != 0 {
		f := fault.Fault{ID: rand.Uint64(), What: clip(what), By: by, Since: since, Node: n.self.Node}
		n.clock.fault = &f
		n.probe.Fault.Emit(probe.Fault{Turn: probe.Imposed})
		n.tellFault(FaultInjected, by, f.What)
	}
	return nil
}

// Clock puts this node's wall clock off.
func (c *calls) Clock(ctx context.Context, req *connect.Request[wire.ClockRequest]) (*connect.Response[wire.ClockReply], error) {
	n := (*Node)(c)
	off := time.Duration(req.Msg.GetOffsetMs()) * time.Millisecond
	err := n.CheckFaults()
	if err == nil {
		err = n.setClock(off, peer.Caller(ctx).Name, req.Msg.GetWhat())
	}
	return connect.NewResponse(&wire.ClockReply{Verdict: ruling(0, err)}), nil
}

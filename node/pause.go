package node

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	"parking/lot"
	"parking/lot/wire"
	"parking/node/fault"
	"parking/node/history"
	"parking/node/member"
	"parking/node/peer"
	"parking/node/probe"
)

// MaxPause bounds how long a pause can be told to last.
const MaxPause = time.Hour

// pauses are the nodes of this host that this one has stopped.
type pauses struct {
	mu    sync.Mutex
	nodes map[string]*pause
}

type pause struct {
	fault.Fault
	pid   int
	timer *time.Timer // nil: until it is resumed
}

// faults returns the pauses that are in force.
func (p *pauses) faults() (out []fault.Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.nodes {
		out = append(out, one.Fault)
	}
	return out
}

// Pause stops a node for d, or until it is resumed if d is 0: its process, where
// it runs on this host; else all its traffic is cut, and frozen says so. A node
// that is to pause itself has another of its host do it, a moment after this
// returns.
func (n *Node) Pause(ctx context.Context, name string, d time.Duration, what string) (frozen bool, err error) {
	if err := cmp.Or(n.CheckFaults(), n.await(ctx), checkPause(d), n.checkNode(name)); err != nil {
		return false, err
	}
	if name == n.self.Node {
		return false, n.pauseSelf(ctx, d, what)
	}
	m, _ := n.view.find(name)
	here := n.onThisHost(m)
	in := func(all []fault.Fault) bool {
		return slices.ContainsFunc(all, func(f fault.Fault) bool { return freezes(f, name) })
	}
	switch {
	case here && in(n.paused.faults()) || !here && in(n.faults.Faults()):
		return false, pausedAlready(name)
	case !here && m.Status == member.Failed:
		return false, lot.Refuse(lot.Unreachable, "%s is %s; members lists who is alive", name, m.Status)
	case here:
		if err := n.asksConsent(ctx, m); err != nil {
			return false, err
		}
		return false, n.stop(m, d, n.self.Node, what)
	}
	if _, err := n.Partition(ctx, [][]string{{name}}, what); err != nil || d == 0 {
		return true, err
	}
	for _, f := range n.faults.Faults() {
		if freezes(f, name) {
			n.later(d, func() {
				ctx, cancel := context.WithTimeout(context.Background(), orderTimeout)
				defer cancel()
				n.thaw(ctx, func(o fault.Fault) bool { return o.ID == f.ID })
			})
		}
	}
	return true, nil
}

func pausedAlready(name string) error {
	return lot.Refuse(lot.Refused, "%s is paused already; resume %s lets it go on", name, name)
}

// Consents asks the node of that name whether faults may befall it, as a signal does
// not. It refuses for it, or because it does not answer.
func (n *Node) Consents(ctx context.Context, name string) error {
	m, ok := n.view.find(name)
	if !ok || m.Self {
		return n.CheckFaults()
	}
	return n.asksConsent(ctx, m)
}

func (n *Node) asksConsent(ctx context.Context, m Member) error {
	err := n.tell(ctx, []Member{m}, func(ctx context.Context, k *peer.Link) (*wire.Verdict, error) {
		reply, err := k.Pause(ctx, connect.NewRequest(&wire.PauseRequest{Node: m.Name}))
		if err != nil {
			return nil, err
		}
		return reply.Msg.GetVerdict(), nil
	})[m.Name]
	if _, refused := errors.AsType[*lot.Refusal](err); err == nil || refused {
		return err
	}
	return lot.Refuse(lot.Unreachable, "%s does not answer; if it is paused, resume %s lets it go on", m.Name, m.Name)
}

// dropPauses drops the pauses of processes that have ended: nothing is left of them.
func (n *Node) dropPauses() {
	n.paused.mu.Lock()
	defer n.paused.mu.Unlock()
	if len(n.paused.nodes) == 0 {
		return
	}
	all, err := n.cfg.Directory.Neighbours()
	if err != nil {
		return
	}
	for name, p := range n.paused.nodes {
		if !slices.ContainsFunc(all, func(o Neighbour) bool { return o.Name == name && o.PID == p.pid }) {
			n.unpause(name)
			n.log.Info("a paused node has ended", "peer", name, "pid", p.pid)
			n.tellFault(FaultHealed, "", name+" ended: "+p.What)
		}
	}
}

// unpause forgets a pause; n.paused.mu is held.
func (n *Node) unpause(name string) {
	p := n.paused.nodes[name]
	delete(n.paused.nodes, name)
	if p.timer != nil {
		p.timer.Stop()
	}
	n.hist.Add(history.Record{Kind: history.Mended, First: p.ID, Text: p.What})
	n.probe.Fault.Emit(probe.Fault{Turn: probe.Lifted})
}

// freezes reports whether a fault is a pause of that node.
func freezes(f fault.Fault, name string) bool {
	return f.What == "pause "+name || strings.HasPrefix(f.What, "pause "+name+" ")
}

func checkPause(d time.Duration) error {
	if d < 0 || d > MaxPause {
		return lot.Refuse(lot.Range, "pause for %v: a pause lasts up to %v; without a duration, until resume", d, MaxPause)
	}
	return checkWhole("pause", d)
}

// later calls f after d, but not once the node has ended.
func (n *Node) later(d time.Duration, f func()) *time.Timer {
	return time.AfterFunc(d, func() {
		select {
		case <-n.ended:
		default:
			f()
		}
	})
}

// neighbour returns the node of this host that is that life of a member.
func (n *Node) neighbour(m Member) (out Neighbour, ok bool) {
	if n.cfg.Directory == nil || n.cfg.Signal == nil {
		return out, false
	}
	all, err := n.cfg.Directory.Neighbours()
	if err != nil {
		n.log.Warn("neighbours cannot be read", "err", err)
	}
	i := slices.IndexFunc(all, func(o Neighbour) bool { return o.Name == m.Name && o.Incarnation == m.Incarnation && o.PID > 1 })
	if i < 0 {
		return out, false
	}
	return all[i], true
}

func (n *Node) onThisHost(m Member) bool {
	_, ok := n.neighbour(m)
	return ok
}

// stop stops the process of a node of this host.
func (n *Node) stop(m Member, d time.Duration, by, what string) error {
	o, ok := n.neighbour(m)
	if !ok {
		return lot.Refuse(lot.Unreachable, "%s does not run on the host of %s", m.Name, n.self.Node)
	}
	n.paused.mu.Lock()
	defer n.paused.mu.Unlock()
	if was := n.paused.nodes[m.Name]; was != nil && was.pid == o.PID {
		return pausedAlready(m.Name)
	}
	if err := n.cfg.Signal(o.PID, true); err != nil {
		return lot.Refuse(lot.Refused, "%s cannot be stopped: %v", m.Name, err)
	}
	p := &pause{pid: o.PID, Fault: fault.Fault{ID: rand.Uint64(), What: clip(what), By: by, Since: n.cfg.Now(), Node: m.Name, Stops: true}}
	if d > 0 {
		p.timer = n.later(d, func() { n.resume(func(one *pause) bool { return one == p }, p.By) })
	}
	if n.paused.nodes == nil {
		n.paused.nodes = make(map[string]*pause)
	}
	n.paused.nodes[m.Name] = p
	n.log.Info("paused", "peer", m.Name, "pid", p.pid, "by", by, "for", d)
	n.hist.Add(history.Record{Kind: history.Faulted, First: p.ID, Text: p.What})
	n.probe.Fault.Emit(probe.Fault{Turn: probe.Imposed})
	n.tellFault(FaultInjected, by, p.What)
	return nil
}

// pauseSelf has another node of this host stop this one.
func (n *Node) pauseSelf(ctx context.Context, d time.Duration, what string) error {
	for _, m := range n.view.all() {
		if m.Self || m.Status != member.Alive || !n.onThisHost(m) {
			continue
		}
		err := n.tell(ctx, []Member{m}, func(ctx context.Context, k *peer.Link) (*wire.Verdict, error) {
			reply, err := k.Pause(ctx, connect.NewRequest(&wire.PauseRequest{Node: n.self.Node, ForMs: d.Milliseconds(), What: what}))
			if err != nil {
				return nil, err
			}
			return reply.Msg.GetVerdict(), nil
		})[m.Name]
		if err == nil {
			return nil
		}
		n.log.Info("did not pause this node", "asked", m.Name, "err", err)
	}
	return lot.Refuse(lot.Refused, "%s is alone on its host: nobody could resume it", n.self.Node)
}

// pauseAfter is how long after its answer a node that asked for it is stopped.
const pauseAfter = 50 * time.Millisecond

// Pause stops the caller, which runs on this host; or says whether this node may be
// stopped.
func (c *calls) Pause(ctx context.Context, req *connect.Request[wire.PauseRequest]) (*connect.Response[wire.PauseReply], error) {
	n := (*Node)(c)
	d := time.Duration(req.Msg.GetForMs()) * time.Millisecond
	caller := peer.Caller(ctx)
	m, known := n.view.find(caller.Name)
	err := cmp.Or(n.CheckFaults(), checkPause(d))
	if req.Msg.GetNode() == n.self.Node {
		return connect.NewResponse(&wire.PauseReply{Verdict: ruling(0, err)}), nil
	}
	if err == nil && (!known || m.Incarnation != caller.Incarnation || req.Msg.GetNode() != caller.Name || !n.onThisHost(m)) {
		err = lot.Refuse(lot.Refused, "%s does not run on the host of %s", caller.Name, n.self.Node)
	}
	if err == nil {
		what := clip(req.Msg.GetWhat())
		n.later(pauseAfter, func() {
			if err := n.stop(m, d, m.Name, what); err != nil {
				n.log.Warn("not paused", "peer", m.Name, "err", err)
			}
		})
	}
	return connect.NewResponse(&wire.PauseReply{Verdict: ruling(0, err)}), nil
}

package node

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"

	"connectrpc.com/connect"

	"parking/lot"
	"parking/lot/wire"
	"parking/node/fault"
	"parking/node/member"
	"parking/node/peer"
)

// resume lets those go on that this node has stopped, and returns their names.
func (n *Node) resume(which func(*pause) bool, by string) (names []string) {
	n.paused.mu.Lock()
	defer n.paused.mu.Unlock()
	for name, p := range n.paused.nodes {
		if !which(p) {
			continue
		}
		n.unpause(name)
		// The number may be another process's by now, but for who is a neighbour.
		m, ok := n.view.find(name)
		o, here := n.neighbour(m)
		if !ok || !here || o.PID != p.pid {
			continue
		}
		if err := n.cfg.Signal(p.pid, false); err != nil {
			n.log.Warn("a paused node cannot be resumed", "peer", name, "pid", p.pid, "err", err)
			continue
		}
		names = append(names, name)
		n.log.Info("resumed", "peer", name, "pid", p.pid, "by", by)
		n.tellFault(FaultHealed, by, p.What)
	}
	if names != nil {
		n.healed()
	}
	slices.Sort(names)
	return names
}

// Resume lets nodes go on, and puts this node's clock right.
func (c *calls) Resume(ctx context.Context, req *connect.Request[wire.ResumeRequest]) (*connect.Response[wire.ResumeReply], error) {
	n := (*Node)(c)
	if err := n.CheckFaults(); err != nil {
		return connect.NewResponse(&wire.ResumeReply{}), nil
	}
	return connect.NewResponse(n.goOn(req.Msg, peer.Caller(ctx).Name)), nil
}

// goOn carries out an order to resume.
func (n *Node) goOn(req *wire.ResumeRequest, by string) *wire.ResumeReply {
	reply := &wire.ResumeReply{}
	reply.Resumed = n.resume(func(p *pause) bool { return req.GetAll() || slices.Contains(req.GetNodes(), p.Node) }, by)
	if name := req.GetCertainly(); name != "" && !slices.Contains(reply.GetResumed(), name) && name != n.self.Node {
		if m, ok := n.view.find(name); ok {
			if o, here := n.neighbour(m); here && n.cfg.Signal(o.PID, false) == nil {
				reply.Resumed = append(reply.Resumed, name)
			}
		}
	}
	if req.GetClock() && n.clockOff() != 0 && (req.GetAll() || slices.Contains(req.GetNodes(), n.self.Node)) {
		_ = n.setClock(0, by, "")
		reply.Clocks = []string{n.self.Node}
	}
	return reply
}

// Resume lets a node go on that was paused, and returns once it answers.
func (n *Node) Resume(ctx context.Context, name string) error {
	if err := cmp.Or(n.CheckFaults(), n.await(ctx), n.checkNode(name)); err != nil {
		return err
	}
	if n.thaw(ctx, func(f fault.Fault) bool { return freezes(f, name) }) {
		return n.Back(ctx, name)
	}
	m, _ := n.view.find(name)
	silent := name != n.self.Node && !n.answers(ctx, m)
	req := &wire.ResumeRequest{Nodes: []string{name}}
	if silent { // whoever has stopped it may be gone
		req.Certainly = name
	}
	resumed, _, _ := n.tellResume(ctx, req, name)
	if !slices.Contains(resumed, name) {
		if silent {
			return lot.Refuse(lot.Unreachable, "%s does not answer, and no node of its host can resume it", name)
		}
		return lot.Refuse(lot.Refused, "%s is not paused; faults lists what is in force", name)
	}
	return n.Back(ctx, name)
}

// answers reports whether a node does, by the way that faults do not cut.
func (n *Node) answers(ctx context.Context, m Member) bool {
	return n.tell(ctx, []Member{m}, func(ctx context.Context, k *peer.Link) (*wire.Verdict, error) {
		_, err := k.Digest(ctx, connect.NewRequest(&wire.DigestRequest{}))
		return nil, err
	})[m.Name] == nil
}

// tellResume gives the order to all nodes, this one too, but for those that are not
// expected to answer. It returns whom it let go on, whose clocks it put right, and
// who did not answer.
func (n *Node) tellResume(ctx context.Context, req *wire.ResumeRequest, but ...string) (resumed, clocks, silent []string) {
	own := n.goOn(req, n.self.Node)
	resumed, clocks = own.GetResumed(), own.GetClocks()
	to := slices.DeleteFunc(n.present(), func(m Member) bool { return slices.Contains(but, m.Name) })
	var mu sync.Mutex
	failed := n.tell(ctx, to, func(ctx context.Context, k *peer.Link) (*wire.Verdict, error) {
		reply, err := k.Resume(ctx, connect.NewRequest(req))
		if err != nil {
			return nil, err
		}
		mu.Lock()
		defer mu.Unlock()
		resumed = append(resumed, reply.Msg.GetResumed()...)
		clocks = append(clocks, reply.Msg.GetClocks()...)
		return nil, nil
	})
	unknown := func(name string) bool { return !lot.ValidName(name) } // others told them
	resumed, clocks = slices.DeleteFunc(resumed, unknown), slices.DeleteFunc(clocks, unknown)
	slices.Sort(resumed)
	return slices.Compact(resumed), clocks, unreached(failed)
}

// Back waits, for three seconds at most, until nodes that were resumed see the
// others, and they them.
func (n *Node) Back(ctx context.Context, names ...string) error {
	if len(names) == 0 {
		return nil
	}
	links := make(map[fault.Link]bool)
	for _, m := range n.view.all() {
		for _, name := range names {
			if m.Name != name && m.Status != member.Left {
				links[fault.Link{From: m.Name, To: name}], links[fault.Link{From: name, To: m.Name}] = true, true
			}
		}
	}
	if apart := n.rejoined(ctx, slices.SortedFunc(maps.Keys(links), fault.Link.Compare)); len(apart) > 0 {
		return lot.Refuse(lot.Timeout, "resumed, but after %v %s does not see %s; members tells who is there", healTimeout, apart[0].From, apart[0].To)
	}
	return nil
}

// Mend resumes what is paused and puts clocks right, as far as they were
// selected, and returns whose. It belongs before a Heal, which reaches only nodes
// that go on.
func (n *Node) Mend(ctx context.Context, which Selection) (resumed, clocks []string, err error) {
	if err := cmp.Or(n.CheckFaults(), n.await(ctx), n.checkSelection(which)); err != nil {
		return nil, nil, err
	}
	if !which.All && len(which.Nodes) == 0 {
		return nil, nil, nil
	}
	req := &wire.ResumeRequest{All: which.All, Nodes: which.Nodes, Clock: true}
	resumed, clocks, silent := n.tellResume(ctx, req)
	for _, name := range silent { // whoever has stopped it may be gone
		if (which.All || slices.Contains(which.Nodes, name)) && !slices.Contains(resumed, name) {
			more, _, _ := n.tellResume(ctx, &wire.ResumeRequest{Certainly: name}, silent...)
			resumed = append(resumed, more...)
		}
	}
	if len(resumed) > 0 { // they were asleep when they were told
		_, late, _ := n.tellResume(ctx, req)
		clocks = append(clocks, late...)
	}
	slices.Sort(resumed)
	slices.Sort(clocks)
	return slices.Compact(resumed), slices.Compact(clocks), nil
}

// thaw takes back freezes, and reports whether there was one.
func (n *Node) thaw(ctx context.Context, which func(fault.Fault) bool) (was bool) {
	for _, f := range n.faults.Faults() {
		if which(f) {
			n.takeBack(ctx, n.present(), f.ID)
			was = true
		}
	}
	if was {
		n.healed()
	}
	return was
}

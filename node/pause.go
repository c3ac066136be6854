package node

import (
	"cmp"
	"context"
	"errors"
	"maps"
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
)

// MaxPause bounds how long a pause can be told to last.
const MaxPause = time.Hour

// pauses are the nodes of this host that this one has stopped, and what was done
// to its own clock.
type pauses struct {
	mu    sync.Mutex
	nodes map[string]*pause
	clock *fault.Fault // nil: it is right
}

type pause struct {
	fault.Fault
	pid   int
	timer *time.Timer // nil: until it is resumed
}

// faults returns what is in force by this node, beside links.
func (p *pauses) faults() (out []fault.Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.nodes {
		out = append(out, one.Fault)
	}
	if p.clock != nil {
		out = append(out, *p.clock)
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
		if err := n.consents(ctx, m); err != nil {
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

// consents asks a node whether it may be paused: a signal asks nobody.
func (n *Node) consents(ctx context.Context, m Member) error {
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

// freezes reports whether a fault is a pause of that node.
func freezes(f fault.Fault, name string) bool {
	return f.What == "pause "+name || strings.HasPrefix(f.What, "pause "+name+" ")
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

func checkPause(d time.Duration) error {
	if d < 0 || d > MaxPause {
		return lot.Refuse(lot.Range, "pause for %v: a pause lasts up to %v; without a duration, until resume", d, MaxPause)
	}
	return nil
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
	p := &pause{pid: o.PID, Fault: fault.Fault{ID: rand.Uint64(), What: clip(what), By: by, Since: n.cfg.Now(), Node: m.Name}}
	if d > 0 {
		p.timer = n.later(d, func() { n.resume(func(one *pause) bool { return one == p }, p.By) })
	}
	if n.paused.nodes == nil {
		n.paused.nodes = make(map[string]*pause)
	}
	n.paused.nodes[m.Name] = p
	n.log.Info("paused", "node", m.Name, "pid", p.pid, "by", by, "for", d)
	n.hist.Add(history.Record{Kind: history.Faulted, First: p.ID, Text: p.What})
	n.tellFault(FaultInjected, by, p.What)
	return nil
}

// resume lets those go on that this node has stopped, and returns their names.
func (n *Node) resume(which func(*pause) bool, by string) (names []string) {
	n.paused.mu.Lock()
	defer n.paused.mu.Unlock()
	for name, p := range n.paused.nodes {
		if !which(p) {
			continue
		}
		delete(n.paused.nodes, name)
		if p.timer != nil {
			p.timer.Stop()
		}
		n.hist.Add(history.Record{Kind: history.Mended, First: p.ID, Text: p.What})
		// The number may be another process's by now, but for who is a neighbour.
		m, ok := n.view.find(name)
		o, here := n.neighbour(m)
		if !ok || !here || o.PID != p.pid {
			continue
		}
		if err := n.cfg.Signal(p.pid, false); err != nil {
			n.log.Warn("a paused node cannot be resumed", "node", name, "pid", p.pid, "err", err)
			continue
		}
		names = append(names, name)
		n.log.Info("resumed", "node", name, "pid", p.pid, "by", by)
		n.tellFault(FaultHealed, by, p.What)
	}
	if names != nil {
		n.healed()
	}
	slices.Sort(names)
	return names
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
				n.log.Warn("not paused", "node", m.Name, "err", err)
			}
		})
	}
	return connect.NewResponse(&wire.PauseReply{Verdict: ruling(0, err)}), nil
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
		return n.back(ctx, name)
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
	return n.back(ctx, name)
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
	slices.Sort(resumed)
	return slices.Compact(resumed), clocks, unreached(failed)
}

// back waits until a node that was resumed sees the others again, and they it.
func (n *Node) back(ctx context.Context, names ...string) error {
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
	if err := cmp.Or(n.CheckFaults(), n.await(ctx)); err != nil {
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

// Back waits, for three seconds at most, until nodes that were resumed see the
// others, and they them.
func (n *Node) Back(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return nil
	}
	return n.back(ctx, names...)
}

// setClock puts this node's clock off by d, or right.
func (n *Node) setClock(d time.Duration, by, what string) error {
	if err := n.putOff(d); err != nil {
		return err
	}
	n.paused.mu.Lock()
	defer n.paused.mu.Unlock()
	if was := n.paused.clock; was != nil {
		n.paused.clock = nil
		n.hist.Add(history.Record{Kind: history.Mended, First: was.ID, Text: was.What})
		if d == 0 {
			n.tellFault(FaultHealed, by, was.What)
		}
	}
	if d != 0 {
		f := fault.Fault{ID: rand.Uint64(), What: clip(what), By: by, Since: n.cfg.Now().Add(-d), Node: n.self.Node}
		n.paused.clock = &f
		n.hist.Add(history.Record{Kind: history.Faulted, First: f.ID, Text: f.What})
		n.tellFault(FaultInjected, by, f.What)
	}
	return nil
}

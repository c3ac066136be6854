package node

import (
	"context"
	"time"

	"parking/gates"
	"parking/node/member"
)

// A pod that is gone comes back under its name and at another address. memberlist
// takes no life of a name while it has another for alive, and silence takes it
// seconds to rule on. So the view has heirs: a next life that has shown the
// cookie while the last one does not answer counts at once, in its place. Serf
// admits it when SWIM has ruled, and from then on rules alone.

const (
	// heirFor is how long an heir counts at most without Serf: longer than SWIM
	// takes to rule on the life before it, under every profile.
	heirFor = 30 * time.Second
	// heirLook is how often is looked after an heir.
	heirLook = time.Second
	// heirJoins is how often it is joined in vain once Serf would admit it.
	heirJoins = 5
	// maxHeirs bounds how many are waited for at once; more wait for SWIM.
	maxHeirs = 64
	// maxPast bounds how many lives are remembered as over.
	maxPast = 256
)

// An heir is a next life of a name that Serf has not admitted yet.
type heir struct {
	Member
	of    Member // the life that Serf knows
	until time.Time
}

// succeed makes next an heir of the life that Serf has of its name, and returns
// that one. It reports false if there is nothing to wait for: Serf knows next, or
// would take it at once.
func (v *view) succeed(next gates.Host, addr string) (of Member, ok bool) {
	of, known := v.inSerf(next.Node)
	v.mu.Lock()
	defer v.mu.Unlock()
	if !known || of.Self || of.Status != member.Alive || of.Incarnation == next.Incarnation ||
		v.heirs[next.Node].host() == next || len(v.heirs) >= maxHeirs {
		return of, false
	}
	m := Member{Member: member.Member{Name: next.Node, Addr: addr, Incarnation: next.Incarnation, Status: member.Alive}}
	v.heirs[next.Node] = heir{m, of, time.Now().Add(heirFor)}
	v.wake()
	return of, true
}

// inSerf returns the member of that name as Serf has it.
func (v *view) inSerf(name string) (Member, bool) {
	for _, m := range v.agent.Members() {
		if m.Name == name {
			return Member{Member: m, Self: name == v.self.Node}, true
		}
	}
	return Member{}, false
}

// inherit puts an heir in the place of a member that Serf has; v.mu is held. It
// forgets one whose time has come.
func (v *view) inherit(m Member) Member {
	h, ok := v.heirs[m.Name]
	switch {
	case !ok:
		return m
	case m.Incarnation != h.of.Incarnation || !time.Now().Before(h.until):
		delete(v.heirs, m.Name)
		return m
	}
	return h.Member
}

// disown ends an heir: Serf's view rules again.
func (v *view) disown(h gates.Host) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.heirs[h.Node].host() == h {
		delete(v.heirs, h.Node)
		v.wake()
	}
}

// expects reports whether that is an heir still.
func (v *view) expects(h gates.Host) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	next := v.heirs[h.Node]
	return next.host() == h && time.Now().Before(next.until)
}

// replaced remembers which lives others have replaced in view; v.mu is held.
func (v *view) replaced(old, now []Member) {
	before := make(map[string]Member, len(old))
	for _, m := range old {
		before[m.Name] = m
	}
	news := false
	for _, m := range now {
		was, known := before[m.Name]
		if !known || was.Incarnation == m.Incarnation {
			continue
		}
		if len(v.past) >= maxPast {
			clear(v.past)
		}
		v.past[was.host()] = true
		delete(v.past, m.host())
		news = true
	}
	if news {
		close(v.turned)
		v.turned = make(chan struct{})
	}
}

// over reports whether another life has that one's place in view, for good: an
// heir may have to give it back. It returns that life, and a channel that is
// closed when some life is replaced.
func (v *view) over(h gates.Host) (by Member, is bool, turned <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.past[h] {
		return Member{}, false, v.turned
	}
	for _, m := range v.members {
		if m.Name == h.Node && m.host() != h && m.Status == member.Alive && m.host() != v.heirs[h.Node].host() {
			return m, true, v.turned
		}
	}
	return Member{}, false, v.turned
}

// attend looks after an heir until it is one no more: once SWIM has ruled on the
// life before it, it is made known to Serf; if that one answers after all, its
// name is its own again.
func (n *Node) attend(ctx context.Context, next gates.Host, addr string, of Member) {
	defer n.view.wake()
	for failed := 0; sleep(ctx, heirLook) && n.view.expects(next); {
		m, known := n.view.inSerf(next.Node)
		switch {
		case !known || m.Incarnation != of.Incarnation:
			return
		case m.Status != member.Alive:
			if err := n.agent.Join(addr); err != nil {
				n.log.Info("an heir not joined", "node", next.Node, "addr", addr, "err", err)
				if failed++; failed == heirJoins {
					n.view.disown(next)
					return
				}
			}
		case n.stillThere(ctx, of):
			n.log.Warn("two nodes of one name: the one that was silent is back", "name", next.Node, "addr", of.Addr, "not", addr)
			n.view.disown(next)
			return
		}
	}
}

// stillThere asks for a life itself: as many do as there are heirs, and those that
// others wait for are not to wait for them.
func (n *Node) stillThere(ctx context.Context, m Member) bool {
	asking, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	return n.inquire(ctx, asking, m) == there
}

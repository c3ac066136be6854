package node

import (
	"context"
	"slices"
	"sync"
	"time"

	"parking/gates"
	"parking/node/history"
	"parking/node/member"
	"parking/node/probe"
)

// A Member is one node in this node's view.
type Member struct {
	member.Member
	Self   bool
	Reason string // why it counts as failed, where more than silence says so
}

func (m Member) host() gates.Host { return gates.Host{Node: m.Name, Incarnation: m.Incarnation} }

// view is the one answer to who is alive: Serf's, overlaid with evidence of
// this node's own. A process that died breaks its streams at once and refuses
// new ones, seconds before SWIM has ruled; memberlist has no way to be told.
// An entry of the overlay holds for one incarnation, for a bounded time, and
// until Serf no longer calls it alive or it answers again.
type view struct {
	self  gates.Host
	agent *member.Agent
	bus   *bus
	probe *probe.Bus
	hist  *history.Log
	poke  chan struct{}

	outweighs time.Duration // for so long does evidence outweigh Serf

	mu      sync.Mutex
	members []Member
	since   time.Time            // when they changed last
	dead    map[gates.Host]death // the overlay
	heirs   map[string]heir      // by name
	past    map[gates.Host]bool  // lives that others have replaced
	turned  chan struct{}        // closed when one more is
	quiet   bool                 // no events yet: this node is still joining
}

// death is an entry of the overlay.
type death struct {
	reason string
	until  time.Time
}

// leavingLook is how soon a member that is leaving is looked at again: Serf says
// nothing when it finds that it stays, as the next life of one that left does.
const leavingLook = 200 * time.Millisecond

// overlayFor is how long evidence outweighs Serf on a laptop, and overlayLAN where a
// network is between the nodes: much longer than SWIM takes
// to rule on a process that is really dead.
const (
	overlayFor = 10 * time.Second
	overlayLAN = time.Minute
)

func newView(self gates.Host, a *member.Agent, b *bus, p *probe.Bus, h *history.Log) *view {
	v := &view{
		self: self, agent: a, bus: b, probe: p, hist: h, poke: make(chan struct{}, 1), outweighs: overlayFor, dead: make(map[gates.Host]death), quiet: true,
		heirs: make(map[string]heir), past: make(map[gates.Host]bool), turned: make(chan struct{}),
	}
	v.refresh()
	return v
}

// run keeps the view up to date until ctx ends and calls changed after each
// change.
func (v *view) run(ctx context.Context, changed func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-v.agent.Changes():
		case <-v.poke:
		}
		if v.refresh() {
			changed()
		}
	}
}

// died overlays Serf's view: that incarnation is dead, for a reason.
func (v *view) died(h gates.Host, reason string) {
	v.mu.Lock()
	v.dead[h] = death{reason, time.Now().Add(v.outweighs)}
	v.mu.Unlock()
	v.wake()
	time.AfterFunc(v.outweighs, v.wake)
}

// contacted takes the overlay back: that incarnation answered.
func (v *view) contacted(h gates.Host) {
	v.mu.Lock()
	_, was := v.dead[h]
	delete(v.dead, h)
	v.mu.Unlock()
	if was {
		v.wake()
	}
}

func (v *view) wake() {
	select {
	case v.poke <- struct{}{}:
	default:
	}
}

// speak lets events out from now on.
func (v *view) speak() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.quiet = false
}

// refresh reads Serf's view, overlays it, tells the difference as events, and
// reports whether there was one.
func (v *view) refresh() bool {
	now := v.agent.Members()
	v.mu.Lock()
	old := v.members
	v.members = make([]Member, 0, len(now))
	overlaid := make(map[gates.Host]death, len(v.dead))
	leaving := false
	for _, m := range now {
		m := v.inherit(Member{Member: m, Self: m.Name == v.self.Node})
		d, ok := v.dead[m.host()]
		if ok && time.Now().Before(d.until) && (m.Status == member.Alive || m.Status == member.Leaving) {
			overlaid[m.host()] = d
			if m.Status == member.Leaving {
				m.Status = member.Left
			} else {
				m.Status, m.Reason = member.Failed, d.reason
			}
		}
		leaving = leaving || m.Status == member.Leaving && !m.Self
		v.members = append(v.members, m)
	}
	v.dead = overlaid
	v.replaced(old, v.members)
	events := diff(old, v.members)
	changed := !slices.Equal(old, v.members)
	if changed {
		v.since = time.Now()
	}
	quiet, members := v.quiet, v.members
	v.mu.Unlock()
	for _, m := range members {
		if !m.Self && !slices.Contains(old, m) {
			sawMember(v.hist, m)
		}
	}
	if leaving {
		time.AfterFunc(leavingLook, v.wake)
	}
	if !quiet {
		for _, e := range events {
			v.bus.emit(e)
			v.probe.Member.Emit(probe.Member{Turn: turns[e.Kind]})
		}
	}
	return changed
}

// turns is what the events of diff mean for their node.
var turns = map[Kind]probe.Turn{NodeJoined: probe.Joined, NodeLeft: probe.Left, NodeFailed: probe.Lost}

// diff returns what happened between two views.
func diff(old, now []Member) (events []Event) {
	before := make(map[string]Member, len(old))
	for _, m := range old {
		before[m.Name] = m
	}
	alive := 0
	for _, m := range now {
		if m.Status == member.Alive {
			alive++
		}
	}
	for _, m := range now {
		was, known := before[m.Name]
		wasAlive := known && was.Status == member.Alive
		if m.Self {
			continue
		}
		switch m.Status {
		case member.Alive:
			if wasAlive && was.Incarnation != m.Incarnation {
				events = append(events, Event{Kind: NodeFailed, Node: m.Name, Reason: "restarted", Count: alive - 1})
				wasAlive = false
			}
			if !wasAlive {
				events = append(events, Event{Kind: NodeJoined, Node: m.Name, Count: alive})
			}
		case member.Left:
			if known && was.Status != member.Left && was.Status != member.Failed {
				events = append(events, Event{Kind: NodeLeft, Node: m.Name, Count: alive})
			}
		case member.Failed:
			if wasAlive || known && was.Status == member.Leaving {
				reason := m.Reason
				if reason == "" {
					reason = "no answer"
				}
				events = append(events, Event{Kind: NodeFailed, Node: m.Name, Reason: reason, Count: alive})
			}
		}
	}
	return events
}

// all returns every member in view, sorted by name. The slice is not written
// to any more.
func (v *view) all() []Member {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.members
}

// find returns the member of that name.
func (v *view) find(name string) (Member, bool) {
	for _, m := range v.all() {
		if m.Name == name {
			return m, true
		}
	}
	return Member{}, false
}

// alive returns the living hosts, this one too.
func (v *view) alive() []gates.Host { return hosts(v.all()) }

// hosts returns the living ones.
func hosts(members []Member) (out []gates.Host) {
	for _, m := range members {
		if m.Status == member.Alive {
			out = append(out, m.host())
		}
	}
	return out
}

// others returns the names of the other living nodes.
func (v *view) others() (out []string) {
	for _, m := range v.all() {
		if m.Status == member.Alive && !m.Self {
			out = append(out, m.Name)
		}
	}
	return out
}

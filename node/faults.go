package node

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"connectrpc.com/connect"

	"parking/lot"
	"parking/lot/wire"
	"parking/node/fault"
	"parking/node/member"
	"parking/node/peer"
)

// orderTimeout is how long a node may take to carry out an order.
const orderTimeout = time.Second

// direct dials without faults: orders go by it.
type direct struct{ net member.Transport }

// Dial implements peer.Dialer.
func (d direct) Dial(addr, name string, timeout time.Duration) (net.Conn, error) {
	return d.net.DialAddressTimeout(member.Address{Addr: addr, Name: name}, timeout)
}

// nameAt returns which node has that address, as far as this one knows.
func (n *Node) nameAt(addr string) string {
	for _, m := range n.view.all() {
		if m.Addr == addr {
			return m.Name
		}
	}
	return ""
}

// present returns the other members that may be running, whether or not they
// can be seen just now.
func (n *Node) present() (out []Member) {
	for _, m := range n.view.all() {
		if !m.Self && m.Status != member.Left {
			out = append(out, m)
		}
	}
	return out
}

// tell makes a call to each of those nodes, by the way that faults do not cut,
// and returns the errors by name.
func (n *Node) tell(ctx context.Context, to []Member, call func(context.Context, *peer.Link) (*wire.Verdict, error)) map[string]error {
	ctx, cancel := context.WithTimeout(ctx, orderTimeout)
	defer cancel()
	failed := make(map[string]error)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, m := range to {
		wg.Go(func() {
			link := peer.NewLink(direct{n.cfg.Network}, n.ring, m.Name, m.Addr)
			defer link.Close()
			verdict, err := call(ctx, link)
			if err == nil {
				err = n.answered(verdict, nil)
			}
			if err != nil {
				mu.Lock()
				failed[m.Name] = err
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return failed
}

// Partition cuts all links between nodes of different groups. Nodes that no group
// names form the last one. It returns which of them could not be told.
func (n *Node) Partition(ctx context.Context, groups [][]string, what string) (untold []string, err error) {
	if err := cmp.Or(n.CheckFaults(), n.await(ctx)); err != nil {
		return nil, err
	}
	named := make(map[string]bool)
	for _, group := range groups {
		for _, name := range group {
			if err := n.checkNode(name); err != nil {
				return nil, err
			}
			if named[name] {
				return nil, lot.Refuse(lot.Usage, "%s is named twice; a node is on one side of a partition", name)
			}
			named[name] = true
		}
	}
	var rest []string
	for _, m := range n.view.all() {
		if !named[m.Name] && m.Status != member.Left {
			rest = append(rest, m.Name)
		}
	}
	if len(rest) > 0 {
		groups = append(slices.Clone(groups), rest)
	}
	if len(groups) < 2 {
		return nil, lot.Refuse(lot.Usage, "all nodes are on one side; name fewer, or put | between two groups")
	}
	links := make(map[fault.Link]fault.Effect)
	for i, a := range groups {
		for j, b := range groups {
			for _, from := range a {
				for _, to := range b {
					if i != j {
						links[fault.Link{From: from, To: to}] = fault.Effect{Cut: true}
					}
				}
			}
		}
	}
	return n.Inject(ctx, what, links)
}

// Inject puts the effects on links, on all nodes that have one of them. It
// returns when each has done so or has not answered; untold are those that are
// named and did not, who are not known to be dead.
func (n *Node) Inject(ctx context.Context, what string, links map[fault.Link]fault.Effect) (untold []string, err error) {
	if err := cmp.Or(n.CheckFaults(), n.await(ctx)); err != nil {
		return nil, err
	}
	ends := make(map[string]bool)
	for l, e := range links {
		if err := e.Check(); err != nil {
			return nil, err
		}
		if l.From == l.To {
			return nil, lot.Refuse(lot.Usage, "%s: a link has two ends", l)
		}
		if e == (fault.Effect{}) {
			return nil, lot.Refuse(lot.Usage, "%s: that changes nothing; give drop, delay, dup or cut, or heal %s", l, l)
		}
		ends[l.From], ends[l.To] = true, true
	}
	for _, name := range slices.Sorted(maps.Keys(ends)) {
		if err := n.checkNode(name); err != nil {
			return nil, err
		}
	}
	f := fault.Fault{ID: rand.Uint64(), What: what, By: n.self.Node, Since: n.cfg.Now(), Links: links}
	n.log.Info("fault ordered", "what", what, "id", f.ID)
	if ends[n.self.Node] {
		if err := n.impose(f); err != nil {
			return nil, err
		}
	}
	to := slices.DeleteFunc(n.present(), func(m Member) bool { return !ends[m.Name] })
	failed := n.tell(ctx, to, func(ctx context.Context, k *peer.Link) (*wire.Verdict, error) {
		reply, err := k.Inject(ctx, connect.NewRequest(&wire.InjectRequest{Fault: encodeFault(f)}))
		if err != nil {
			return nil, err
		}
		return reply.Msg.GetVerdict(), nil
	})
	for _, err := range failed {
		if r, ok := errors.AsType[*lot.Refusal](err); ok { // by one, so it is in force nowhere
			n.takeBack(ctx, to, f.ID)
			return nil, r
		}
	}
	return unreached(failed), nil
}

// unreached returns the names of nodes that could not be told, sorted, but for
// those that are known to be dead: nobody listens there.
func unreached(failed map[string]error) (names []string) {
	for name, err := range failed {
		if !errors.Is(err, syscall.ECONNREFUSED) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func tooMany(name string) error {
	return lot.Refuse(lot.Refused, "%s has %d faults in force; heal some first", name, fault.MaxFaults)
}

// checkNode refuses a name that no node in view has.
func (n *Node) checkNode(name string) error {
	if !lot.ValidName(name) {
		return lot.Refuse(lot.Usage, "%.40q is no node's name; members lists them", name)
	}
	if m, ok := n.view.find(name); !ok || m.Status == member.Left {
		return lot.Refuse(lot.Unreachable, "no node is called %s; members lists them", name)
	}
	return nil
}

// A FaultState is a fault in force, and on which nodes.
type FaultState struct {
	fault.Fault
	On []string
}

// inForce returns what is in force by this node: on its links, on nodes of its
// host, on its clock.
func (n *Node) inForce() []fault.Fault {
	n.dropPauses()
	return slices.Concat(n.faults.Faults(), n.paused.faults(), n.clock.faults())
}

// Faults returns what is in force on the nodes that can be reached, the oldest
// first.
func (n *Node) Faults(ctx context.Context) (all []FaultState, err error) {
	if err := n.await(ctx); err != nil {
		return nil, err
	}
	byID := make(map[uint64]*FaultState)
	var mu sync.Mutex
	add := func(name string, faults []fault.Fault) {
		mu.Lock()
		defer mu.Unlock()
		for _, f := range faults {
			s := byID[f.ID]
			if s == nil {
				s = &FaultState{Fault: f}
				byID[f.ID] = s
			}
			if s.On = append(s.On, name); f.Node != "" {
				s.On = []string{f.Node}
			}
		}
	}
	add(n.self.Node, n.inForce())
	n.tell(ctx, n.present(), func(ctx context.Context, k *peer.Link) (*wire.Verdict, error) {
		reply, err := k.Faults(ctx, connect.NewRequest(&wire.FaultsRequest{}))
		if err != nil {
			return nil, err
		}
		add(k.Peer().Name, decodeFaults(reply.Msg.GetFaults()))
		return nil, nil
	})
	for _, s := range byID {
		slices.Sort(s.On)
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b FaultState) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID)) })
	return all, nil
}

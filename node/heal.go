package node

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"connectrpc.com/connect"

	"parking/lot/wire"
	"parking/node/fault"
	"parking/node/peer"
)

// healTimeout is how long the nodes that a heal rejoins may take to see each
// other alive again.
const healTimeout = 3 * time.Second

// A Selection is which links are healed: all of them, those that touch one of
// the nodes, or those that are named.
type Selection struct {
	All   bool
	Nodes []string
	Links []fault.Link
}

func (s Selection) has(l fault.Link) bool {
	return s.All || slices.Contains(s.Nodes, l.From) || slices.Contains(s.Nodes, l.To) || slices.Contains(s.Links, l)
}

// of is has, of whatever fault.
func (s Selection) of(_ fault.Fault, l fault.Link) bool { return s.has(l) }

// checkSelection refuses names that no node in view has.
func (n *Node) checkSelection(which Selection) error {
	for _, name := range which.Nodes {
		if err := n.checkNode(name); err != nil {
			return err
		}
	}
	for _, l := range which.Links {
		if err := cmp.Or(n.checkNode(l.From), n.checkNode(l.To)); err != nil {
			return err
		}
	}
	return nil
}

// Heal makes links good again on all nodes, and waits until the nodes at their
// ends see each other alive, for three seconds at most. It returns the links
// that were bad; untold are nodes that did not answer; and apart which pairs do
// not see each other, as links from who does not see.
func (n *Node) Heal(ctx context.Context, which Selection) (healed []fault.Link, untold []string, apart []fault.Link, err error) {
	if err := cmp.Or(n.CheckFaults(), n.await(ctx), n.checkSelection(which)); err != nil {
		return nil, nil, nil, err
	}
	n.log.Info("heal ordered", "all", which.All, "nodes", which.Nodes, "links", which.Links)
	all := make(map[fault.Link]bool)
	var mu sync.Mutex
	add := func(links []fault.Link) {
		mu.Lock()
		defer mu.Unlock()
		for _, l := range links {
			all[l] = true
		}
	}
	add(n.lift(which.of, n.self.Node, ""))
	req := &wire.HealRequest{All: which.All, Nodes: which.Nodes, Links: encodeLinks(which.Links)}
	failed := n.tell(ctx, n.present(), func(ctx context.Context, k *peer.Link) (*wire.Verdict, error) {
		reply, err := k.Heal(ctx, connect.NewRequest(req))
		if err != nil {
			return nil, err
		}
		add(decodeLinks(reply.Msg.GetHealed()))
		return reply.Msg.GetVerdict(), nil
	})
	n.healed()
	healed = slices.SortedFunc(maps.Keys(all), fault.Link.Compare)
	untold = slices.DeleteFunc(unreached(failed), func(name string) bool {
		return !slices.ContainsFunc(healed, func(l fault.Link) bool { return l.From == name || l.To == name })
	})
	return healed, untold, n.rejoined(ctx, healed), nil
}

// rejoined waits until the nodes at the ends of those links see each other, but for
// those between which something else stops one direction, and returns who does not
// see whom.
func (n *Node) rejoined(ctx context.Context, links []fault.Link) (apart []fault.Link) {
	ctx, cancel := context.WithTimeout(ctx, healTimeout)
	defer cancel()
	for {
		sees := map[string][]string{n.self.Node: n.view.others()}
		bad := make(map[fault.Link]bool) // still
		note := func(all []fault.Fault) {
			for _, f := range all {
				for l, e := range f.Links {
					if e.Stops() {
						bad[l], bad[fault.Link{From: l.To, To: l.From}] = true, true
					}
				}
			}
		}
		note(n.faults.Faults())
		var mu sync.Mutex
		n.tell(ctx, n.present(), func(ctx context.Context, k *peer.Link) (*wire.Verdict, error) {
			reply, err := k.Faults(ctx, connect.NewRequest(&wire.FaultsRequest{}))
			if err != nil {
				return nil, err
			}
			mu.Lock()
			defer mu.Unlock()
			sees[k.Peer().Name] = reply.Msg.GetSees()
			note(decodeFaults(reply.Msg.GetFaults()))
			return nil, nil
		})
		apart = slices.DeleteFunc(slices.Clone(links), func(l fault.Link) bool {
			seen, answers := sees[l.From]
			_, there := sees[l.To]
			return !answers || !there || bad[l] || slices.Contains(seen, l.To)
		})
		if len(apart) == 0 || !sleep(ctx, 20*time.Millisecond) {
			return apart
		}
	}
}

// healed makes this node look for those it lost at once.
func (n *Node) healed() {
	select {
	case n.mended <- struct{}{}:
	default:
	}
}

// takeBack heals what came by one order.
func (n *Node) takeBack(ctx context.Context, from []Member, id uint64) {
	n.withdraw(id, n.self.Node)
	n.tell(ctx, from, func(ctx context.Context, k *peer.Link) (*wire.Verdict, error) {
		reply, err := k.Heal(ctx, connect.NewRequest(&wire.HealRequest{Id: id}))
		if err != nil {
			return nil, err
		}
		return reply.Msg.GetVerdict(), nil
	})
}

// Heal takes faults back here.
func (c *calls) Heal(ctx context.Context, req *connect.Request[wire.HealRequest]) (*connect.Response[wire.HealReply], error) {
	n := (*Node)(c)
	if id := req.Msg.GetId(); id != 0 {
		n.withdraw(id, peer.Caller(ctx).Name)
		n.healed()
		return connect.NewResponse(&wire.HealReply{}), nil
	}
	healed := n.lift(Selection{
		All: req.Msg.GetAll(), Nodes: req.Msg.GetNodes(), Links: decodeLinks(req.Msg.GetLinks()),
	}.of, peer.Caller(ctx).Name, "")
	n.healed()
	return connect.NewResponse(&wire.HealReply{Healed: encodeLinks(healed)}), nil
}

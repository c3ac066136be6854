package node

import (
	"context"
	"fmt"
	"slices"

	"connectrpc.com/connect"

	"parking/lot/wire"
	"parking/node/fault"
	"parking/node/history"
	"parking/node/member"
	"parking/node/peer"
)

// Faults as they come into force here and are taken back. Either is logged, and
// told where it was not ordered, so that nobody wonders about a bad link.

// impose puts a fault in force here.
func (n *Node) impose(f fault.Fault) error {
	if !n.faults.Add(f) {
		return tooMany(n.self.Node)
	}
	n.log.Info("fault in force", "what", f.What, "by", f.By, "id", f.ID, "links", len(f.Links))
	n.hist.Add(history.Record{Kind: history.Faulted, First: f.ID, Text: f.What})
	n.tellFault(FaultInjected, f.By, f.What)
	return nil
}

// lift makes links good again here, and returns those that were bad. It was
// ordered at the node by, or was for that reason.
func (n *Node) lift(which func(fault.Fault, fault.Link) bool, by, reason string) []fault.Link {
	healed, of := n.faults.Remove(which)
	for _, h := range of {
		n.log.Info("fault taken back", "what", h.Fault.What, "by", by, "reason", reason, "id", h.Fault.ID, "links", len(h.Links), "whole", h.Whole)
		what := h.Fault.What
		if h.Whole {
			n.hist.Add(history.Record{Kind: history.Mended, First: h.Fault.ID, Text: what})
		}
		switch {
		case h.Whole:
		case len(h.Links) == 1:
			what = fmt.Sprintf("%s of %s", h.Links[0], what)
		default:
			what = fmt.Sprintf("%d links of %s", len(h.Links), what)
		}
		if reason != "" {
			what = reason + ": " + what
		}
		n.tellFault(FaultHealed, by, what)
	}
	return healed
}

// withdraw takes back what is left of one order.
func (n *Node) withdraw(id uint64, by string) {
	n.lift(func(f fault.Fault, _ fault.Link) bool { return f.ID == id }, by, "")
}

func (n *Node) tellFault(k Kind, by, what string) {
	if by != n.self.Node && n.isReady() {
		n.bus.emit(Event{Kind: k, Node: by, Reason: what})
	}
}

// outlive drops, until ctx ends, the faults of nodes whose life is over: one that
// has left, or has come back as another incarnation, which knows nothing of them.
func (n *Node) outlive(ctx context.Context) {
	lives := make(map[string]uint64)
	for {
		for _, m := range n.view.all() {
			was, known := lives[m.Name]
			lives[m.Name] = m.Incarnation
			switch {
			case m.Self:
			case m.Status == member.Left:
				n.bury(m.Name, nil, "left")
			case known && was != m.Incarnation:
				n.bury(m.Name, n.faultsOn(ctx, m), "restarted")
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-n.lives:
		}
	}
}

// bury heals the links of that node but for those of the faults to keep.
func (n *Node) bury(name string, keep []uint64, reason string) {
	healed := n.lift(func(f fault.Fault, l fault.Link) bool {
		return (l.From == name || l.To == name) && !slices.Contains(keep, f.ID)
	}, "", name+" "+reason)
	if len(healed) > 0 {
		n.healed()
	}
}

// faultsOn returns which faults that node has in force: those were ordered in
// its present life, perhaps before this node knew of it.
func (n *Node) faultsOn(ctx context.Context, m Member) (ids []uint64) {
	if len(n.faults.Faults()) == 0 {
		return nil
	}
	n.tell(ctx, []Member{m}, func(ctx context.Context, k *peer.Link) (*wire.Verdict, error) {
		reply, err := k.Faults(ctx, connect.NewRequest(&wire.FaultsRequest{}))
		if err != nil {
			return nil, err
		}
		for _, f := range reply.Msg.GetFaults() {
			ids = append(ids, f.GetId())
		}
		return nil, nil
	})
	return ids
}

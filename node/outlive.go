package node

import (
	"context"
	"slices"

	"connectrpc.com/connect"

	"parking/lot/wire"
	"parking/node/fault"
	"parking/node/member"
	"parking/node/peer"
)

// outlive drops, until ctx ends, the faults of nodes whose life is over: one that
// has left, or has come back as another incarnation, which knows nothing of them;
// or whose process has ended while it was paused.
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
		n.dropPauses()
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

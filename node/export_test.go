package node

import (
	"parking/lot"
	"parking/node/replicate"
)

// RunsHere returns the gates whose actors run on this node, whatever claims
// and views say.
func (n *Node) RunsHere() []lot.GateID { return n.keeper.Running() }

// WrapGossip puts w between the replicator and the agent; before Run only.
func (n *Node) WrapGossip(w func(replicate.Gossip) replicate.Gossip) { n.wrapGossip = w }

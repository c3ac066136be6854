package node

import (
	"sync"

	"parking/gates"
	"parking/lot"
	"parking/lot/crdt"
)

// A cluster's settings begin as what its first node was configured with. Who
// joins follows, and says so where it was told otherwise.

// configured returns the settings of this node's configuration.
func (n *Node) configured() []configured {
	return []configured{{"gates", keyGates, n.cfg.Gates}, {"spaces", keySpaces, n.cfg.Spaces}}
}

type configured struct {
	name, key string
	Setting
}

// given remembers which given settings this node has said not to follow.
type given struct {
	mu   sync.Mutex
	told map[string]bool
}

// found writes the configured settings if nobody has: this node founds the
// cluster.
func (n *Node) found() {
	for _, s := range n.configured() {
		_, _ = n.store.Update(0, func(d *crdt.Document) ([]crdt.Mutation, error) {
			if setting(d, s.key) > 0 {
				return nil, nil
			}
			return []crdt.Mutation{n.setSetting(d, s.key, s.Value, true)}, nil
		})
	}
}

// giveWay makes a lone founder a joiner: a node that was cut off when it
// started, or started first and was joined by nobody, and now has the state of
// the cluster that it is about to join. It takes back the settings that it
// founded with and its claims wherever the cluster has its own, whoever's
// clock says what, so that nothing changes for the cluster. It reports whether
// there was anything to take back.
func (n *Node) giveWay() bool {
	ms, _ := n.store.Update(0, func(d *crdt.Document) (ms []crdt.Mutation, err error) {
		for _, s := range n.configured() {
			if v, ok := founded(d, s.key, n.replica); ok {
				ms = append(ms, n.setSetting(d, s.key, v, true))
			}
		}
		for g := lot.GateID(1); int(g) <= lot.MaxGates; g++ {
			var theirs gates.Claim
			mine := false
			for _, c := range claims(d, g) {
				if c.Host == n.self {
					mine = true
				} else if c.Compare(theirs) > 0 {
					theirs = c
				}
			}
			if mine && theirs.Epoch > 0 {
				ms = append(ms, n.setClaim(d, g, theirs))
			}
		}
		return ms, nil
	})
	return len(ms) > 0
}

// follow tells, once, of each setting that was given to this node and that the
// cluster has another way: at a join in any case, later if it was not set by
// somebody but founded so, beside this node.
func (n *Node) follow(joined bool) {
	n.given.mu.Lock()
	defer n.given.mu.Unlock()
	for _, s := range n.configured() {
		if !s.Given || n.given.told[s.key] {
			continue
		}
		var has int
		var wasSet bool
		n.store.View(func(d *crdt.Document) { has, wasSet = effective(d, s.key) })
		if has == s.Value || wasSet && !joined {
			continue
		}
		n.given.told[s.key] = true
		n.notice("%s %d was given, the cluster has %d: following it; set %s %d changes it for all", s.name, s.Value, has, s.name, s.Value)
	}
}

package node

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"parking/gates"
	"parking/lot"
	"parking/lot/crdt"
	"parking/lot/wire"
)

// What the document's registers hold: a claim per gate, two settings, and what
// passed each gate on each replica.
const (
	claimPrefix = "claim/"
	tallyPrefix = "tally/"
	keyGates    = "set/gates"
	keySpaces   = "set/spaces"
)

func claimKey(g lot.GateID) string { return claimPrefix + strconv.Itoa(int(g)) }

func tallyKey(g lot.GateID, r crdt.Replica) string {
	return fmt.Sprintf("%s%d/%016x", tallyPrefix, g, r.Incarnation())
}

func marshal(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		panic(err) // our own messages, of our own strings, always encode
	}
	return b
}

// claims returns a gate's concurrent claims: one, but after a partition.
func claims(d *crdt.Document, g lot.GateID) []gates.Claim {
	var out []gates.Claim
	for _, s := range d.Siblings(claimKey(g)) {
		var w wire.Claim
		if proto.Unmarshal(s.Value, &w) != nil || !lot.ValidName(w.GetNode()) {
			continue
		}
		out = append(out, gates.Claim{
			Host:   gates.Host{Node: w.GetNode(), Incarnation: w.GetIncarnation()},
			Epoch:  w.GetEpoch(),
			Reason: w.GetReason(),
		})
	}
	return out
}

// claim makes this node the gate's claimant, one epoch above all that were
// seen.
func (n *Node) claim(d *crdt.Document, g lot.GateID, reason string) crdt.Mutation {
	var epoch uint64
	for _, c := range claims(d, g) {
		epoch = max(epoch, c.Epoch)
	}
	return n.setClaim(d, g, gates.Claim{Host: n.self, Epoch: epoch + 1, Reason: reason})
}

func (n *Node) setClaim(d *crdt.Document, g lot.GateID, c gates.Claim) crdt.Mutation {
	return d.Set(n.cfg.Now(), claimKey(g), marshal(&wire.Claim{
		Node: c.Host.Node, Incarnation: c.Host.Incarnation, Epoch: c.Epoch, Reason: c.Reason,
	}))
}

// decodeSetting returns the value that a write of a setting carries, whether it
// is one that a node founded with, and false if it is none that counts.
func decodeSetting(key string, b []byte) (value int, founding, ok bool) {
	bound := int64(lot.MaxSpaces)
	if key == keyGates {
		bound = lot.MaxGates
	}
	var w wire.Setting
	if proto.Unmarshal(b, &w) != nil || w.GetValue() < 1 || w.GetValue() > bound {
		return 0, false, false
	}
	return int(w.GetValue()), w.GetFounding(), true
}

// setting returns a setting's value, or 0 while nobody has written it.
func setting(d *crdt.Document, key string) int {
	value, _ := effective(d, key)
	return value
}

// effective also returns whether the value was set, not founded with. A value
// that was set rules over one that a founding node brought along; of several
// founders the earliest rules, so that a node that starts cut off changes
// nothing for the cluster it comes back to.
func effective(d *crdt.Document, key string) (value int, wasSet bool) {
	for _, s := range d.Siblings(key) {
		v, founding, ok := decodeSetting(key, s.Value)
		if !ok {
			continue
		}
		if value = v; !founding {
			return value, true // siblings come latest first
		}
	}
	return value, false
}

// founded returns what others than that replica founded the setting with, and
// whether it lies beside that replica's own founding value.
func founded(d *crdt.Document, key string, self crdt.Replica) (value int, both bool) {
	var mine bool
	for _, s := range d.Siblings(key) {
		switch v, founding, ok := decodeSetting(key, s.Value); {
		case !ok || !founding:
		case s.Dot.Replica == self:
			mine = true
		default:
			value = v
		}
	}
	return value, mine && value > 0
}

func (n *Node) setSetting(d *crdt.Document, key string, value int, founding bool) crdt.Mutation {
	return d.Set(n.cfg.Now(), key, marshal(&wire.Setting{Value: int64(value), Founding: founding}))
}

// tally is what passed a gate.
type tally struct{ in, out uint64 }

// tallies sums what passed each gate, on all replicas, ever.
func tallies(d *crdt.Document) map[lot.GateID]tally {
	sums := make(map[lot.GateID]tally)
	for _, key := range d.Keys() {
		rest, ok := strings.CutPrefix(key, tallyPrefix)
		if !ok {
			continue
		}
		num, _, _ := strings.Cut(rest, "/")
		g, err := strconv.Atoi(num)
		if err != nil {
			continue
		}
		t := sums[lot.GateID(g)]
		for _, s := range d.Siblings(key) {
			var w wire.Tally
			if proto.Unmarshal(s.Value, &w) == nil {
				t.in += w.GetIn()
				t.out += w.GetOut()
			}
		}
		sums[lot.GateID(g)] = t
	}
	return sums
}

// count adds a passage of a gate on this replica.
func count(now time.Time, d *crdt.Document, g lot.GateID, out bool) crdt.Mutation {
	key := tallyKey(g, d.Self())
	var w wire.Tally
	for _, s := range d.Siblings(key) {
		_ = proto.Unmarshal(s.Value, &w)
	}
	if out {
		w.Out++
	} else {
		w.In++
	}
	return d.Set(now, key, marshal(&w))
}

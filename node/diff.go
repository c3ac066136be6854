package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"parking/lot"
	"parking/lot/crdt"
	"parking/node/peer"
	"parking/node/replicate"
)

// MaxDiff is how many changes of each side a difference shows.
const MaxDiff = 20

// A Change is an entry, an exit or the write of a setting that one replica has and
// another lacks. Where the change itself is not known any more, but what it did,
// that is told and nothing else: the gate is 0, the node and the time are zero.
type Change struct {
	Kind    crdt.Kind
	Plate   lot.Plate // of an entry or an exit; empty: not known here
	Gate    lot.GateID
	Setting string // of a write: "spaces 120"
	Node    string // whose replica made it
	At      time.Time
}

// Changes are those that one replica has and another lacks.
type Changes struct {
	First []Change // the earliest, MaxDiff at most
	More  int      // beyond those
	Gates int      // of the gates' registers, beside all others: who runs one, what passed it
}

// None reports whether there are none.
func (c Changes) None() bool { return len(c.First)+c.More+c.Gates == 0 }

// A Difference is between this replica and that of another node.
type Difference struct {
	Node         string
	Same         bool
	Ours, Theirs crdt.Digest
	Here, There  Changes
	Whole        bool // some changes are not in the logs any more: what is live was compared
}

// Diff tells what this replica has and that of the other node lacks, and the other
// way round. It goes by the way that faults do not cut, and changes neither.
func (n *Node) Diff(ctx context.Context, name string) (diff Difference, err error) {
	if err := cmp.Or(n.await(ctx), n.checkNode(name)); err != nil {
		return diff, err
	}
	if name == n.self.Node {
		return diff, lot.Refuse(lot.Usage, "%s is this node; name another, members lists them", name)
	}
	m, _ := n.view.find(name)
	link := peer.NewLink(direct{n.cfg.Network}, n.ring, m.Name, m.Addr)
	defer link.Close()
	var there pile
	look, err := n.repl.Look(ctx, link, name, there.add)
	if err != nil {
		if ctx.Err() != nil {
			return diff, ctx.Err()
		}
		if r, ok := errors.AsType[*lot.Refusal](err); ok {
			return diff, r
		}
		return diff, lot.Refuse(lot.Unreachable, "%s cannot be compared: %v; members lists who is there", name, plain(err))
	}
	return n.compare(name, look, &there), nil
}

// compare makes a difference of what was looked at, and of the mutations that the
// other has sent.
func (n *Node) compare(name string, look replicate.Look, there *pile) Difference {
	diff := Difference{Node: name, Theirs: look.Digest}
	var here pile
	var ours *crdt.State
	told := false // all that this replica has done
	n.store.View(func(d *crdt.Document) {
		diff.Ours = d.Digest()
		if diff.Same = look.Same || diff.Ours == look.Digest; diff.Same {
			return
		}
		delta, state := d.Since(look.Version)
		here.add(delta)
		if told = state == nil; !told && look.State == nil { // nothing tells what is live there
			d.Exits(look.Version, here.addOne)
		}
		if ours = state; told && look.State != nil {
			ours = d.State()
		}
		there.seen = d.Version() // some may have come meanwhile
	})
	if diff.Same {
		diff.Ours = look.Digest // while it was looked at
		return diff
	}
	if ours != nil {
		diff.Whole = true
		theirs := look.State
		if theirs == nil {
			theirs = &crdt.State{Version: look.Version}
		}
		ours.Apart(theirs, func(side crdt.Side, m crdt.Mutation) {
			switch {
			case side == crdt.There:
				there.addOne(m)
			case !told:
				here.addOne(m)
			}
		})
	}
	n.store.View(func(d *crdt.Document) {
		diff.Here, diff.There = here.changes(d), there.changes(d)
	})
	return diff
}

// pile gathers mutations that one side lacks, and keeps the earliest.
type pile struct {
	kept  []crdt.Mutation
	more  int
	gates int
	seen  crdt.Version // by the side that lacks them
}

func (p *pile) add(ms []crdt.Mutation) {
	for _, m := range ms {
		p.addOne(m)
	}
}

func (p *pile) addOne(m crdt.Mutation) {
	if m.Kind == crdt.Register && m.Key != keyGates && m.Key != keySpaces {
		p.gates++
		return
	}
	if p.kept = append(p.kept, m); len(p.kept) == 16*MaxDiff {
		p.cut()
	}
}

func (p *pile) cut() {
	slices.SortStableFunc(p.kept, func(a, b crdt.Mutation) int {
		return cmp.Or(cmp.Compare(a.Stamp, b.Stamp), cmp.Compare(a.Plate, b.Plate))
	})
	if over := len(p.kept) - MaxDiff; over > 0 {
		p.kept, p.more = p.kept[:MaxDiff], p.more+over
	}
}

// changes returns what was gathered, for people.
func (p *pile) changes(d *crdt.Document) Changes {
	p.cut()
	c := Changes{More: p.more, Gates: p.gates}
	var nameless, bare []crdt.Dot // what exits superseded that do not tell their plate, or nothing else
	for _, m := range p.kept {
		if m.Kind == crdt.Exit && m.Plate == "" {
			nameless = append(nameless, m.Supersedes...)
		}
		if m.Kind == crdt.Exit && m.Dot.Seq == 0 {
			bare = append(bare, m.Supersedes...)
		}
	}
	plates, exits := d.PlatesOf(nameless), d.Supersession(bare)
	for _, m := range p.kept {
		if m.Kind == crdt.Entry {
			plates[m.Dot] = m.Plate
		}
	}
	for _, m := range p.kept {
		if p.seen.Contains(m.Dot) {
			continue
		}
		if m.Kind == crdt.Exit && len(m.Supersedes) > 0 {
			if m.Plate == "" {
				m.Plate = plates[m.Supersedes[0]]
			}
			if by, ok := exits[m.Supersedes[0]]; ok && m.Dot.Seq == 0 {
				m.Dot, m.Gate, m.Wall = by.Dot, by.Gate, by.Wall
			}
		}
		c.First = append(c.First, change(&m))
	}
	return c
}

func change(m *crdt.Mutation) Change {
	c := Change{Kind: m.Kind, Plate: m.Plate, Gate: m.Gate}
	if m.Dot.Seq == 0 {
		return c
	}
	c.Node, c.At = m.Dot.Replica.Node(), m.Since()
	if m.Kind == crdt.Register {
		v, _, _ := decodeSetting(m.Key, m.Value)
		c.Setting, c.At = fmt.Sprintf("%s %d", strings.TrimPrefix(m.Key, "set/"), v), m.Stamp.Time()
	}
	return c
}

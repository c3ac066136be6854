package node

import (
	"context"
	"encoding/hex"
	"fmt"
	"iter"
	"slices"

	"connectrpc.com/connect"

	"parking/lot"
	"parking/lot/crdt"
	"parking/lot/spans"
	"parking/lot/wire"
	"parking/node/history"
	"parking/node/peer"
	"parking/node/verdict"
)

const (
	// livePart and historyPart are how many entries, and bytes, go in one message.
	livePart    = 4096
	historyPart = 1 << 18
	// maxLive bounds what is taken of one node.
	maxLive = 1 << 24
)

// Testify tells this node's state, or its history.
func (c *calls) Testify(_ context.Context, req *connect.Request[wire.TestifyRequest], stream *connect.ServerStream[wire.Testimony]) error {
	for part := range (*Node)(c).testimony(req.Msg) {
		if err := stream.Send(part); err != nil {
			return err
		}
	}
	return nil
}

// testimony yields what Testify tells.
func (n *Node) testimony(req *wire.TestifyRequest) iter.Seq[*wire.Testimony] {
	if req.GetHistory() {
		return n.testifyHistory
	}
	return func(yield func(*wire.Testimony) bool) { n.testifyState(req.GetLive(), yield) }
}

func (n *Node) testifyHistory(yield func(*wire.Testimony) bool) {
	for i, b := range n.hist.Segments() {
		for part := range slices.Chunk(b, historyPart) {
			if !yield(&wire.Testimony{History: part, Segment: uint32(i)}) {
				return
			}
		}
	}
}

func (n *Node) testifyState(live bool, yield func(*wire.Testimony) bool) {
	st := &wire.Testimony_State{Incarnation: n.self.Incarnation}
	var snap crdt.Snapshot
	var seen crdt.Version
	n.store.View(func(d *crdt.Document) {
		digest := d.Digest()
		st.Digest, seen, snap = digest[:], d.Version(), d.Snapshot()
		st.Spaces, st.Gates = uint32(spaces(d).Total), uint32(gatesIn(d))
	})
	st.Version = crdt.EncodeVersion(seen)
	for _, g := range n.keeper.Running() {
		st.Running = append(st.Running, uint32(g))
	}
	for _, f := range n.inForce() {
		if f.Hinders() {
			st.Faults = append(st.Faults, f.What)
		}
	}
	for _, h := range n.view.alive() {
		st.Alive = append(st.Alive, &wire.Replica{Node: h.Node, Incarnation: h.Incarnation})
	}
	part := &wire.Testimony{State: st}
	if live {
		rows := make(map[crdt.Replica]uint32)
		for i, row := range st.GetVersion().GetRows() {
			rows[crdt.NewReplica(row.GetReplica().GetNode(), row.GetReplica().GetIncarnation())] = uint32(i)
		}
		snap.Dots(func(d crdt.Dot, _ lot.Plate) bool {
			if _, ok := rows[d.Replica]; !ok { // of nobody's that was seen: the judge is to know
				rows[d.Replica] = uint32(len(st.Version.Rows))
				st.Version.Rows = append(st.Version.Rows, &wire.Version_Row{Replica: &wire.Replica{Node: d.Replica.Node(), Incarnation: d.Replica.Incarnation()}})
			}
			return true
		})
		stopped := false
		snap.Dots(func(d crdt.Dot, p lot.Plate) bool {
			part.Live = append(part.Live, &wire.Testimony_Live{Row: rows[d.Replica], Seq: d.Seq, Plate: string(p)})
			if len(part.Live) == livePart {
				stopped = !yield(part)
				part = &wire.Testimony{}
			}
			return !stopped
		})
		if stopped {
			return
		}
	}
	if part.State != nil || len(part.Live) > 0 {
		yield(part)
	}
}

// A statement is one node's testimony as it is read.
type statement struct {
	verdict.State
	alive    []history.Life
	rows     []history.Life
	segments [][]byte
	bytes    int
	started  bool
}

// take reads the next part; nothing in it is trusted.
func (s *statement) take(name string, t *wire.Testimony) error {
	if st := t.GetState(); st != nil {
		if s.started || len(st.GetDigest()) != len(crdt.Digest{}) {
			return errTestimony
		}
		s.started = true
		s.Life = history.Life{Node: name, Incarnation: st.GetIncarnation()}
		s.Digest = hex.EncodeToString(st.GetDigest())
		s.Spaces, s.Gates, s.Faults = int(st.GetSpaces()), int(min(st.GetGates(), lot.MaxGates)), st.GetFaults()
		for _, g := range st.GetRunning() {
			s.Running = append(s.Running, lot.GateID(min(g, lot.MaxGates+1)))
		}
		for _, a := range st.GetAlive() {
			if !lot.ValidName(a.GetNode()) {
				return errTestimony
			}
			s.alive = append(s.alive, history.Life{Node: a.GetNode(), Incarnation: a.GetIncarnation()})
		}
		s.Seen = make(map[history.Life]spans.Set)
		for _, row := range st.GetVersion().GetRows() {
			l := history.Life{Node: row.GetReplica().GetNode(), Incarnation: row.GetReplica().GetIncarnation()}
			if !lot.ValidName(l.Node) || row.GetMax() > crdt.MaxSeq {
				return errTestimony
			}
			var set spans.Set
			if row.GetMax() > 0 {
				set.Add(spans.Span{First: 1, Last: row.GetMax()})
			}
			for _, seq := range row.GetCloud() {
				if seq == 0 || seq > crdt.MaxSeq {
					return errTestimony
				}
				set.Add(spans.Span{First: seq, Last: seq})
			}
			s.Seen[l] = set
			s.rows = append(s.rows, l)
		}
	}
	for _, l := range t.GetLive() {
		p, err := lot.ParsePlate(l.GetPlate())
		if err != nil || int(l.GetRow()) >= len(s.rows) || l.GetSeq() == 0 || l.GetSeq() > crdt.MaxSeq || len(s.Live) == maxLive {
			return errTestimony
		}
		s.Live = append(s.Live, verdict.Live{Life: s.rows[l.GetRow()], Seq: l.GetSeq(), Plate: p})
	}
	if h := t.GetHistory(); len(h) > 0 {
		i := int(t.GetSegment())
		if s.bytes += len(h); i > 1 || i > len(s.segments) || s.bytes > 2*history.SegmentSize {
			return errTestimony
		}
		if i == len(s.segments) {
			s.segments = append(s.segments, nil)
		}
		s.segments[i] = append(s.segments[i], h...)
	}
	return nil
}

var errTestimony = lot.Refuse(lot.Usage, "malformed testimony; give all nodes the same version of parking")

// hear takes what a node testifies: this one, or another by the way that faults
// do not cut.
func (n *Node) hear(ctx context.Context, m Member, req *wire.TestifyRequest) (*statement, error) {
	s := &statement{}
	if m.Self {
		for part := range n.testimony(req) {
			if err := s.take(m.Name, part); err != nil {
				return nil, err
			}
		}
		return s, nil
	}
	link := peer.NewLink(direct{n.cfg.Network}, n.ring, m.Name, m.Addr)
	defer link.Close()
	stream, err := link.Testify(ctx, connect.NewRequest(req))
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	for stream.Receive() {
		if err := s.take(m.Name, stream.Msg()); err != nil {
			return nil, err
		}
	}
	if err := stream.Err(); err != nil {
		return nil, err
	}
	if !req.GetHistory() && !s.started {
		return nil, fmt.Errorf("%w", errTestimony)
	}
	return s, nil
}

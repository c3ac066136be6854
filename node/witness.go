package node

import (
	"context"
	"strings"
	"time"

	"parking/lot"
	"parking/lot/crdt"
	"parking/lot/spans"
	"parking/node/history"
	"parking/node/probe"
	"parking/node/replicate"
)

// What this node writes into its history.

// beatEvery is how far apart the signs of life in a history are.
const beatEvery = 50 * time.Millisecond

func life(r crdt.Replica) history.Life {
	return history.Life{Node: r.Node(), Incarnation: r.Incarnation()}
}

// begin begins the history, if one is kept. Without one the node runs on:
// verdicts say what is missing.
func (n *Node) begin() {
	if n.cfg.History == nil {
		return
	}
	var err error
	if n.hist, err = history.NewLog(n.cfg.History, life(n.replica), Ledger); err != nil {
		n.log.Warn("no history is kept", "err", err)
	}
}

// beat writes signs of life until ctx ends.
func (n *Node) beat(ctx context.Context) {
	if n.hist == nil {
		return
	}
	t := time.NewTicker(beatEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			n.hist.Beat()
		}
	}
}

// witness notes what came into the replica. It runs while the store is locked.
func (n *Node) witness(d *crdt.Document, c replicate.Change) {
	if n.hist == nil {
		return
	}
	m := c.Mutation
	if m == nil { // a state: whatever it brought
		for _, row := range crdt.EncodeVersion(d.Version()).GetRows() {
			of := history.Life{Node: row.GetReplica().GetNode(), Incarnation: row.GetReplica().GetIncarnation()}
			n.hist.SawAll(of, spans.Span{First: 1, Last: row.GetMax()})
			for _, seq := range row.GetCloud() {
				n.hist.Saw(of, seq)
			}
		}
		return
	}
	n.stamp.Store(max(n.stamp.Load(), uint64(m.Stamp)))
	if m.Dot.Replica != n.replica {
		n.hist.Saw(life(m.Dot.Replica), m.Dot.Seq)
		return
	}
	r := history.Record{First: m.Dot.Seq, Stamp: uint64(m.Stamp), Plate: m.Plate, Gate: m.Gate}
	switch {
	case m.Kind == crdt.Entry:
		r.Kind = history.Entered
	case m.Kind == crdt.Exit:
		r.Kind = history.Exited
	case m.Key == keyGates || m.Key == keySpaces:
		r.Kind, r.Text = history.Set, strings.TrimPrefix(m.Key, "set/")
		var founding bool
		if r.Count, founding, _ = decodeSetting(m.Key, m.Value); founding {
			r.Code = history.Founding
		}
	default:
		r.Kind = history.Wrote
	}
	n.hist.Add(r)
}

// hybrid is what the hybrid clock reads now.
func (n *Node) hybrid() uint64 {
	return max(n.stamp.Load(), uint64(max(0, n.cfg.Now().UnixMilli()))<<16)
}

// command is a command of a user's, from when it came.
type command struct {
	asked  time.Time
	hybrid uint64
	what   string
	plate  lot.Plate
	gate   lot.GateID
}

func (n *Node) asks(what string, p lot.Plate, g lot.GateID) command {
	return command{time.Now(), n.hybrid(), what, p, g}
}

// asksTrack is the command that records those movements.
func (n *Node) asksTrack(moves []Movement) command {
	c := n.asks("track_entry", "", 0)
	if len(moves) > 0 {
		c.plate, c.gate = moves[0].Plate, moves[0].Gate
		if moves[0].Out {
			c.what = "track_exit"
		}
	}
	return c
}

// noted notes the answer to a command that made those changes, and that need
// other nodes were to have.
func (n *Node) noted(c command, ms []crdt.Mutation, need int, err error) {
	if err != nil {
		n.probe.Refused.Emit(probe.Refused{Code: lot.CodeOf(err)})
	}
	if n.hist == nil {
		return
	}
	r := history.Record{
		Kind: history.Answered, Asked: c.asked, AskedStamp: c.hybrid, Stamp: n.hybrid(),
		Text: c.what, Plate: c.plate, Gate: c.gate, Need: need,
	}
	r.Code = codeOf(err)
	if len(ms) > 0 { // of one replica, one after the other
		r.Life, r.First, r.Last = life(ms[0].Dot.Replica), ms[0].Dot.Seq, ms[len(ms)-1].Dot.Seq
	}
	n.hist.Add(r)
}

// judged notes a refusal at the replica that it was made by; the store is locked.
func (n *Node) judged(d *crdt.Document, what string, p lot.Plate, g lot.GateID, err error) {
	code := lot.CodeOf(err)
	if n.hist == nil || code != lot.Present && code != lot.Absent && code != lot.Full {
		return
	}
	s := spaces(d)
	n.hist.Add(history.Record{Kind: history.Refused, Text: what, Plate: p, Gate: g, Code: code, Count: s.Taken, Need: s.Total})
}

// codeOf is the code of a refusal, empty where there is none.
func codeOf(err error) lot.Code {
	if err == nil {
		return ""
	}
	return lot.CodeOf(err)
}

// ran notes that a gate runs here, or does no more.
func (n *Node) ran(g lot.GateID, on bool) {
	kind := history.GateOff
	if on {
		kind = history.GateOn
	}
	n.hist.Add(history.Record{Kind: kind, Gate: g})
	turn := probe.Stopped
	if on {
		turn = probe.Started
	}
	n.probe.Gate.Emit(probe.Gate{Turn: turn})
}

// sawMember notes what this node has come to think of another.
func sawMember(h *history.Log, m Member) {
	what := string(m.Status)
	if m.Reason != "" {
		what += " (" + m.Reason + ")"
	}
	h.Add(history.Record{Kind: history.Member, Life: history.Life{Node: m.Name, Incarnation: m.Incarnation}, Text: what})
}

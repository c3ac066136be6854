package node

import (
	"context"
	"time"

	"connectrpc.com/connect"

	"parking/lot"
	"parking/lot/wire"
	"parking/node/fault"
)

// The orders to inject faults, as other nodes give them.

// maxLinks bounds the links of one order: those between all of a hundred nodes.
const maxLinks = 100 * 99

// Inject puts a fault in force here.
func (c *calls) Inject(_ context.Context, req *connect.Request[wire.InjectRequest]) (*connect.Response[wire.InjectReply], error) {
	n := (*Node)(c)
	f, err := decodeFault(req.Msg.GetFault())
	if err == nil && f.Node != "" {
		err = errMalformed
	}
	if err == nil {
		err = n.CheckFaults()
	}
	if err == nil {
		err = n.impose(f)
	}
	return connect.NewResponse(&wire.InjectReply{Verdict: ruling(0, err)}), nil
}

// Faults tells what is in force here.
func (c *calls) Faults(context.Context, *connect.Request[wire.FaultsRequest]) (*connect.Response[wire.FaultsReply], error) {
	n := (*Node)(c)
	reply := &wire.FaultsReply{Sees: n.view.others()}
	for _, f := range n.inForce() {
		reply.Faults = append(reply.Faults, encodeFault(f))
	}
	return connect.NewResponse(reply), nil
}

func encodeFault(f fault.Fault) *wire.Fault {
	w := &wire.Fault{Id: f.ID, What: f.What, By: f.By, SinceMs: f.Since.UnixMilli(), Node: f.Node}
	for l, e := range f.Links {
		w.Links = append(w.Links, &wire.Fault_Link{
			From: l.From, To: l.To, Cut: e.Cut, Drop: e.Drop, Dup: e.Dup,
			DelayUs: e.Delay.Microseconds(), JitterUs: e.Jitter.Microseconds(),
		})
	}
	return w
}

var errMalformed = lot.Refuse(lot.Usage, "malformed fault; give all nodes the same version of parking")

func decodeFault(w *wire.Fault) (f fault.Fault, err error) {
	if (len(w.GetLinks()) == 0) != (w.GetNode() != "") || w.GetNode() != "" && !lot.ValidName(w.GetNode()) || len(w.GetLinks()) > maxLinks || w.GetId() == 0 || !lot.ValidName(w.GetBy()) {
		return f, errMalformed
	}
	f = fault.Fault{ID: w.GetId(), What: clip(w.GetWhat()), By: w.GetBy(), Since: time.UnixMilli(w.GetSinceMs()), Links: make(map[fault.Link]fault.Effect), Node: w.GetNode()}
	for _, l := range w.GetLinks() {
		e := fault.Effect{
			Cut: l.GetCut(), Drop: l.GetDrop(), Dup: l.GetDup(),
			Delay: time.Duration(l.GetDelayUs()) * time.Microsecond, Jitter: time.Duration(l.GetJitterUs()) * time.Microsecond,
		}
		if err := e.Check(); err != nil {
			return f, err
		}
		if !lot.ValidName(l.GetFrom()) || !lot.ValidName(l.GetTo()) {
			return f, errMalformed
		}
		f.Links[fault.Link{From: l.GetFrom(), To: l.GetTo()}] = e
	}
	return f, nil
}

// decodeFaults leaves out what is malformed.
func decodeFaults(all []*wire.Fault) (out []fault.Fault) {
	for _, w := range all {
		if f, err := decodeFault(w); err == nil {
			out = append(out, f)
		}
	}
	return out
}

func encodeLinks(links []fault.Link) (out []*wire.Fault_Link) {
	for _, l := range links {
		out = append(out, &wire.Fault_Link{From: l.From, To: l.To})
	}
	return out
}

func decodeLinks(links []*wire.Fault_Link) (out []fault.Link) {
	for _, l := range links {
		out = append(out, fault.Link{From: l.GetFrom(), To: l.GetTo()})
	}
	return out
}

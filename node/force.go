package node

import (
	"fmt"

	"parking/node/fault"
	"parking/node/history"
	"parking/node/probe"
)

// Faults as they come into force here and are taken back. Either is logged, and
// told where it was not ordered, so that nobody wonders about a bad link.

// impose puts a fault in force here.
func (n *Node) impose(f fault.Fault) error {
	if !n.faults.Add(f) {
		return tooMany(n.self.Node)
	}
	n.probe.Fault.Emit(probe.Fault{Turn: probe.Imposed})
	n.log.Warn("fault in force", "what", f.What, "by", f.By, "id", f.ID, "links", len(f.Links))
	if f.Hinders() {
		n.hist.Add(history.Record{Kind: history.Faulted, First: f.ID, Text: f.What})
	}
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
			n.probe.Fault.Emit(probe.Fault{Turn: probe.Lifted})
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

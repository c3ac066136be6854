package repl

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/text"

	"parking/lot"
	"parking/node"
)

// renderEvent renders an event as one line: the time, a sign, what happened,
// and at the right what it came to.
func renderEvent(e node.Event, opt Options) string {
	p := painter{opt.Color}
	who := p.node(e.Node)
	e.Reason = printable(e.Reason)
	nodes := fmt.Sprintf("%d nodes", e.Count)
	if e.Count == 1 {
		nodes = "1 node"
	}
	var sign, what, plain, right string
	say := func(s, format string, painted []any, bare []any) {
		sign, what, plain = s, fmt.Sprintf(format, painted...), fmt.Sprintf(format, bare...)
	}
	switch e.Kind {
	case node.NodeJoined:
		say(p.good("+"), "%s joined", []any{who}, []any{e.Node})
		right = nodes
	case node.NodeLeft:
		say(p.warn("-"), "%s left", []any{who}, []any{e.Node})
		right = nodes
	case node.NodeFailed:
		say(p.bad("x"), "%s failed (%s)", []any{who, e.Reason}, []any{e.Node, e.Reason})
		right = nodes
	case node.VehicleCame:
		say(">", "%s came by gate %d", []any{e.Plate, e.Gate}, []any{e.Plate, e.Gate})
		right = who
	case node.VehicleLeft:
		if e.Gate == 0 {
			say("<", "%s left", []any{e.Plate}, []any{e.Plate})
		} else {
			say("<", "%s left by gate %d", []any{e.Plate, e.Gate}, []any{e.Plate, e.Gate})
		}
		right = who
	case node.GatesRun:
		where, bare := "on "+who, "on "+e.Node
		if e.Here {
			where, bare = "here", "here"
		}
		why := ""
		if e.Reason != "" {
			why = " (" + e.Reason + ")"
		}
		say("#", "%s %s%s", []any{gatesRun(e.Gates), where, why}, []any{gatesRun(e.Gates), bare, why})
	case node.GatesClosed:
		say("#", "%s closed (%s)", []any{gateList(e.Gates), e.Reason}, []any{gateList(e.Gates), e.Reason})
	case node.GatesSplit:
		say(p.warn("!"), "%s had two nodes each; the higher claim stays", []any{gateList(e.Gates)}, []any{gateList(e.Gates)})
	case node.GateCrashed:
		say(p.bad("x"), "gate %d crashed here (%s); started again", []any{e.Gate, e.Reason}, []any{e.Gate, e.Reason})
	case node.SettingSet:
		say("=", "%s set to %d", []any{e.Reason, e.Count}, []any{e.Reason, e.Count})
		right = who
	case node.StateJoined:
		say("=", "caught up: %d vehicles came, %d left", []any{e.Count, e.Gone}, []any{e.Count, e.Gone})
	case node.LotOver:
		say(p.warn("!"), "the lot is over by %d", []any{e.Count}, []any{e.Count})
	default:
		say(p.warn("!"), "%s", []any{e.Reason}, []any{e.Reason})
	}
	line := p.dim(e.At.Local().Format("15:04:05.000")) + "  " + sign + " " + what
	if right != "" {
		line += strings.Repeat(" ", max(2, 32-text.StringWidth(plain))) + right
	}
	return line
}

// GatesLine says where the gates run, for a node's greeting: "gates 1 2 3 4 run
// here (first node)".
func GatesLine(n *node.Node) string {
	where := make(map[string][]lot.GateID)
	var order []string
	for _, g := range n.GateStates() {
		key := "nowhere yet"
		if len(g.Owners) > 0 {
			if key = "on " + g.Owners[0]; g.Owners[0] == n.Name() {
				key = "here"
			}
		}
		if where[key] == nil {
			order = append(order, key)
		}
		where[key] = append(where[key], g.Gate)
	}
	parts := make([]string, 0, len(order))
	for _, key := range order {
		parts = append(parts, gatesRun(where[key])+" "+key)
	}
	line := strings.Join(parts, ", ")
	if alive := len(n.Members()); alive == 1 {
		line += " (first node)"
	}
	return line
}

// printable keeps what other nodes sent from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

// gatesRun reads "gate 2 runs" or "gates 1 3 run".
func gatesRun(gs []lot.GateID) string {
	if len(gs) == 1 {
		return gateList(gs) + " runs"
	}
	return gateList(gs) + " run"
}

// gateList reads "gate 2" or "gates 1 3"; long runs are shortened to 5-12.
func gateList(gs []lot.GateID) string {
	var parts []string
	for i := 0; i < len(gs); {
		j := i
		for j+1 < len(gs) && gs[j+1] == gs[j]+1 {
			j++
		}
		if j-i >= 4 {
			parts = append(parts, fmt.Sprintf("%d-%d", gs[i], gs[j]))
		} else {
			for ; i <= j; i++ {
				parts = append(parts, strconv.Itoa(int(gs[i])))
			}
		}
		i = j + 1
	}
	if len(gs) == 1 {
		return "gate " + parts[0]
	}
	return "gates " + strings.Join(parts, " ")
}

package repl

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"parking/lot"
	"parking/node"
)

// eventRight is the column, after the time, at which an event's right part
// begins.
const eventRight = 34

// renderEvent renders an event as one line: the time, a sign, what happened,
// and at the right what it came to.
func renderEvent(e node.Event, opt Options) string {
	p := painter{opt.Color}
	sign, what, right := describeEvent(e, p)
	line := sign + " " + what
	if right != "" {
		line += strings.Repeat(" ", max(2, eventRight-text.StringWidthWithoutEscSequences(line))) + right
	}
	return p.dim(e.At.Local().Format("15:04:05.000")) + "  " + line
}

// EventText says in words what happened, as a prompt does, without the time and
// what an event came to.
func EventText(e node.Event) string {
	_, what, _ := describeEvent(e, painter{})
	return what
}

// describeEvent returns an event's sign, what happened, and what it came to.
func describeEvent(e node.Event, p painter) (sign, what, right string) {
	who := p.node(e.Node)
	reason := printable(plain(e.Reason))
	sign, what = p.warn("!"), reason
	switch e.Kind {
	case node.NodeJoined:
		sign, what, right = p.good("+"), who+" joined", Count(e.Count, "node")
	case node.NodeLeft:
		sign, what, right = p.warn("-"), who+" left", Count(e.Count, "node")
	case node.NodeFailed:
		sign, what, right = p.bad("x"), fmt.Sprintf("%s failed (%s)", who, reason), Count(e.Count, "node")
	case node.VehicleCame:
		sign, what, right = ">", fmt.Sprintf("%s came by gate %d", e.Plate, e.Gate), who
	case node.VehicleLeft:
		sign, what, right = "<", string(e.Plate)+" left", who
		if e.Gate != 0 {
			what += fmt.Sprintf(" by gate %d", e.Gate)
		}
	case node.GatesRun:
		where := "on " + who
		if e.Here {
			where = "here"
		}
		if sign, what = "#", gatesRun(e.Gates)+" "+where; reason != "" {
			what += " (" + reason + ")"
		}
	case node.GatesClosed:
		sign, what = "#", fmt.Sprintf("%s closed (%s)", gateList(e.Gates), reason)
	case node.GatesSplit:
		what = gateList(e.Gates) + " had two nodes each; the higher claim stays"
	case node.GateCrashed:
		sign, what = p.bad("x"), fmt.Sprintf("gate %d crashed here (%s); started again", e.Gate, reason)
	case node.SettingSet:
		sign, what, right = "=", fmt.Sprintf("%s set to %d", reason, e.Count), who
	case node.StateJoined:
		sign, what = "=", fmt.Sprintf("caught up: %s came, %d left", Count(e.Count, "vehicle"), e.Gone)
	case node.FaultInjected:
		sign, what, right = p.warn("~"), reason, "by "+who
	case node.FaultHealed:
		if sign, what = p.good("~"), reason+" healed"; who != "" {
			right = "by " + who
		}
	case node.LotOver:
		what = fmt.Sprintf("the lot is over by %d", e.Count)
	}
	return sign, what, right
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

package repl

import (
	"context"
	"io"
	"strconv"
	"strings"

	"parking/lot"
	"parking/node"
)

// A Command is one entry of the table that help, completion and execution are
// made from.
type Command struct {
	Name    string // as people write it
	Args    string // their names: "PLATE [GATE]"
	Help    string // what it does, in a line
	Example string
	More    string // what help COMMAND tells beside, if anything

	min, max int               // how many arguments; max < 0: any number
	subs     []string          // what the first argument can be, for completion
	run      func(*call) error // beside the node
	local    func(*Shell, *localCall) error
}

// Usage returns how the command is typed.
func (c *Command) Usage() string { return strings.TrimSpace(c.Name + " " + c.Args) }

// Words returns what the command's first argument can be, where that is a
// fixed set.
func (c *Command) Words() []string { return c.subs }

// call is one run of a command beside its node.
type call struct {
	ctx     context.Context
	node    *node.Node
	words   words
	opt     Options
	paint   painter
	out     io.Writer
	remarks io.Writer
}

// Commands returns the table, in the order in which help lists it. It is not
// to be written to.
func Commands() []*Command { return commands }

var commands []*Command

func init() { // not an initializer: help reads the table that it stands in
	commands = []*Command{
		{Name: "track_entry", Args: "PLATE GATE", min: 2, max: 2, run: trackEntry,
			Help: "record an entry at this replica", Example: `track_entry "ABC 123" 1`},
		{Name: "track_exit", Args: "PLATE [GATE]", min: 1, max: 2, run: trackExit,
			Help: "record an exit at this replica", Example: `track_exit "ABC 123" 1`},
		{Name: "read", Args: "[--limit N]", min: 0, max: 2, run: read,
			Help: "this replica: spaces, vehicles, conflicts, digest", Example: "read"},
		{Name: "spaces", max: 0, run: showSpaces,
			Help: "total, taken and free spaces", Example: "spaces"},
		{Name: "gate", Args: "N enter PLATE | N exit PLATE | N crash | N move NODE", min: 2, max: 3, run: gate,
			Help: "through gate N's process, wherever it runs", Example: `gate 2 enter "ABC 123"`},
		{Name: "gates", max: 0, run: showGates,
			Help: "which node runs which gate", Example: "gates",
			More: "IN and OUT count what went through the gate's process, on all nodes; track_entry only names a gate."},
		{Name: "members", max: 0, run: showMembers,
			Help: "the nodes and their state", Example: "members"},
		{Name: "status", max: 0, run: showStatus,
			Help: "this node: address, incarnation, version, digest", Example: "status"},
		{Name: "set", Args: "spaces N | gates N", min: 2, max: 2, run: setSetting, subs: []string{"spaces", "gates"},
			Help: "change a replicated setting, everywhere", Example: "set spaces 120"},
		{Name: "rebalance", max: 0, run: rebalance,
			Help: "spread the gates over the nodes now", Example: "rebalance"},
		{Name: "kill-node", Args: "[NODE]", max: 1, run: killNode,
			Help: "abrupt death of this node, or another", Example: "kill-node gary"},
		{Name: "await", Args: "CONDITION [DURATION]", min: 1, max: 4, run: await,
			subs: []string{"converged", "members", "gates", "vehicle", "no"},
			More: "The condition is one of: converged, members N, gates N nodes, vehicle PLATE, no vehicle PLATE.\n  The duration is 10s if none is given; quote a plate that looks like one.",
			Help: "wait until something holds; help await tells what can", Example: `await vehicle "ABC 123" 2s`},
		{Name: "watch", Args: "[EVERY] COMMAND", min: 1, max: -1, local: watch,
			Help: "run a command again and again, until Ctrl-C", Example: "watch 500ms gates"},
		{Name: "source", Args: "FILE", min: 1, max: 1, local: source,
			Help: "run the commands in a file", Example: "source commands.txt"},
		{Name: "time", Args: "on | off", min: 1, max: 1, local: timing, subs: []string{"on", "off"},
			Help: "tell how long each command took", Example: "time on"},
		{Name: "events", Args: "on | off", min: 1, max: 1, local: events, subs: []string{"on", "off"},
			Help: "show what happens elsewhere, or do not", Example: "events off"},
		{Name: "history", max: 0, local: history,
			Help: "the lines typed so far", Example: "history"},
		{Name: "clear", max: 0, local: clearScreen,
			Help: "clear the screen", Example: "clear"},
		{Name: "help", Args: "[COMMAND]", max: 1, run: help,
			Help: "this list, or more on one command", Example: "help gate"},
		{Name: "quit", max: 0, local: quit,
			Help: "leave in good order and end (Ctrl-D does too)", Example: "quit"},
	}
}

// check refuses a wrong number of arguments.
func (c *Command) check(w words) error {
	if len(w.args) < c.min {
		return lot.Refuse(lot.Usage, "%s needs more: %s, for example %s", c.Name, c.Usage(), c.Example)
	}
	if c.max >= 0 && len(w.args) > c.max {
		hint := ""
		if strings.Contains(c.Args, "PLATE") {
			hint = "; quote a plate that has blanks"
		}
		return lot.Refuse(lot.Usage, "%s takes less: %s, for example %s%s", c.Name, c.Usage(), c.Example, hint)
	}
	return nil
}

// number reads a whole number; what names it in the error.
func number(s, what string) (int, error) {
	v, err := strconv.Atoi(s)
	if err != nil {
		return 0, lot.Refuse(lot.Usage, "%.40q is not a number; %s is one", s, what)
	}
	return v, nil
}

func gateArg(s string) (lot.GateID, error) {
	v, err := number(s, "a gate")
	return lot.GateID(v), err
}

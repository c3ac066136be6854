package repl

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"

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

	min, max int                            // how many arguments; max < 0: any number
	next     completer                      // what its arguments can be; may be nil
	files    bool                           // they are names of files at the terminal
	run      func(*call) error              // beside the node; nil: local does all of it
	local    func(*Shell, *localCall) error // at the terminal, which may hand it on; nil: run does all of it
	pages    bool                           // the answer may be long
}

// aPlate is for the help of commands that make one.
const aPlate = "A plate is 1 to 16 printable characters, in quotes if there are blanks in it."

// Usage returns how the command is typed.
func (c *Command) Usage() string { return strings.TrimSpace(c.Name + " " + c.Args) }

// Commands returns the table, in the order in which help lists it. It is not
// to be written to.
func Commands() []*Command { return commands }

var commands []*Command

func init() { // not an initializer: help reads the table that it stands in
	commands = []*Command{
		{Name: "track_entry", Args: "PLATE GATE", min: 2, max: 2, run: trackEntry, next: arguments(nil, gateNumbers),
			Help: "record an entry; the gate is a label", Example: `track_entry "ABC 123" 1`,
			More: "It is recorded at this node's replica, and nobody is asked. " + aPlate},
		{Name: "track_exit", Args: "PLATE [GATE]", min: 1, max: 2, run: trackExit, next: arguments(vehicles, gateNumbers),
			Help: "record an exit; the gate is a label", Example: `track_exit "ABC 123" 1`,
			More: "It is recorded at this node's replica, and nobody is asked."},
		{Name: "read", Args: "[PLATE | PREFIX*] [--limit N]", max: 3, run: read, pages: true, next: afterRead,
			Help: "this replica's vehicles and digest", Example: "read ABC* --limit 20",
			More: "NODE is where an entry was recorded: for one that came through a gate, where that ran."},
		{Name: "spaces", run: showSpaces,
			Help: "total, taken and free spaces", Example: "spaces"},
		{Name: "gate", Args: "N enter PLATE | N exit PLATE | N crash | N move NODE", min: 2, max: 3, run: gate, next: afterGate,
			Help: "ask gate N's process, wherever it runs", Example: `gate 2 enter "ABC 123"`,
			More: "enter and exit send a vehicle through; crash makes the process panic, and its supervisor starts it again; move hands the gate over to another node. " + aPlate},
		{Name: "gates", run: showGates,
			Help: "which node runs which gate", Example: "gates",
			More: "EPOCH is one more with each change of hands. IN and OUT count what went through the gate's process, on all nodes; track_entry only names a gate."},
		{Name: "members", run: showMembers,
			Help: "the nodes and their state", Example: "members"},
		{Name: "status", run: showStatus,
			Help: "this node: address, version, digest", Example: "status"},
		{Name: "diff", Args: "NODE", min: 1, max: 1, run: showDiff, next: arguments(otherNodes),
			Help: "what this node has and another lacks", Example: "diff gary",
			More: "Both ways: + is only here, - only there. It works between nodes that are cut from each other, too, and changes neither."},
		{Name: "why", Args: "PLATE", min: 1, max: 1, run: why, pages: true, next: arguments(vehicles),
			Help: "every entry and exit of a plate", Example: `why "ABC 123"`,
			More: "CLOCK is the hybrid clock. WAY is how it came here: own, made here; served, made here for another node's user; answer, of another node to a user here; event, pushed; pull; state, of the whole lot at once."},
		{Name: "set", Args: "spaces N | gates N | ack N", min: 2, max: 2, run: setSetting, local: setOne, next: arguments(settingNames),
			Help: "change a replicated setting, everywhere", Example: "set spaces 120",
			More: "ack is of this terminal alone: how many other nodes must have a write before it is answered."},
		{Name: "rebalance", run: rebalance,
			Help: "spread the gates over the nodes now", Example: "rebalance"},
		{Name: "kill-node", Args: "[NODE]", max: 1, run: killNode, next: arguments(nodes),
			Help: "abrupt death of this node, or another", Example: "kill-node gary"},
		{Name: "partition", Args: "NODE... | NODE...", min: 1, max: -1, run: partition, next: afterPartition,
			Help: "cut the links between groups of nodes", Example: "partition larry | gary",
			More: "Any number of groups; nodes that are not named form the last one. It does not end of itself: heal takes it back."},
		{Name: "link", Args: "A>B EFFECT...", min: 2, max: -1, run: link, next: afterLink,
			Help: "make a link bad: lossy, late or cut", Example: "link larry>gary drop 30%",
			More: "A>B is one direction, A<>B both. An effect is one of: " + effects + ". In full: link larry>gary drop 30% delay 200ms jitter 50ms dup 5%. Faults on one link add up, until heal."},
		{Name: "isolate", Args: "NODE", min: 1, max: 1, run: isolate, next: arguments(nodes),
			Help: "cut a node off from all others", Example: "isolate gary"},
		{Name: "heal", Args: "[NODE | A>B]...", max: -1, run: heal, next: afterHeal,
			Help: "take faults back, all or some", Example: "heal larry<>gary",
			More: "All of them; those of a node, which are its links', its pause and its clock; or those of a link. It answers when the nodes that it rejoins see each other alive."},
		{Name: "clock", Args: "NODE OFFSET", min: 2, max: 2, run: clock, next: arguments(nodes),
			Help: "put a node's wall clock off", Example: "clock gary +5m",
			More: "By up to 365 days either way, instead of what was ordered before; 0s puts it right. It stamps other times then; no promise depends on them."},
		{Name: "pause", Args: "NODE [DURATION]", min: 1, max: 2, run: pause, next: arguments(nodes),
			Help: "stop a node's process, for a while", Example: "pause gary 5s",
			More: "The process gets a SIGSTOP where it runs on this host; elsewhere all its traffic is cut. Without a duration it lasts until resume, or heal."},
		{Name: "restart", Args: "NODE", min: 1, max: 1, run: restart, next: arguments(otherNodes),
			Help: "end a node of a lab, start it again", Example: "restart gary",
			More: "It leaves in good order, if it runs, and starts again in its pane, with its flags. Elsewhere a node is started where it was: in its terminal, or by a session's own restart."},
		{Name: "resume", Args: "NODE", min: 1, max: 1, run: resume, next: arguments(nodes),
			Help: "let a node go on that was paused", Example: "resume gary"},
		{Name: "faults", run: showFaults,
			Help: "what is in force, where, since when", Example: "faults"},
		{Name: "cookie", Args: "[rotate [FILE] | accept [FILE]]", max: 2, run: cookieOf, next: afterCookie,
			Help: "the cookie's fingerprint; change it", Example: "cookie rotate",
			More: "rotate gives all nodes another cookie, while they go on: a random one, or that in FILE, a path where the node runs. It is written to the cookie files that the nodes have; a node that has its cookie from elsewhere is told of. accept is for a node that was away: it takes the cookie in FILE, or in its own cookie file, and is back. The secret is never shown or typed."},
		{Name: "verdict", run: verdictOf, pages: true,
			Help: "judge whether all promises were kept", Example: "verdict",
			More: "It goes by the histories of all nodes, dead ones of this host too, and by what the living hold. It fails only if a promise of the ledger was broken."},
		{Name: "await", Args: "CONDITION [DURATION]", min: 1, max: 4, run: await, next: afterAwait,
			Help: "wait until a condition holds", Example: "await members 3 5s",
			More: "The condition is one of: " + conditions + ". The duration is 10s if none is given; quote a plate that looks like one."},
		{Name: "watch", Args: "[EVERY] COMMAND", min: 1, max: -1, local: watch, next: afterWatch,
			Help: "repeat a command, until Ctrl-C", Example: "watch 500ms gates", More: "EVERY is a duration; 2s if none is given."},
		{Name: "source", Args: "FILE", min: 1, max: 1, local: source, files: true,
			Help: "run the commands in a file", Example: "source commands.txt"},
		{Name: "time", Args: "on | off", min: 1, max: 1, local: timing, next: arguments(onOffWords),
			Help: "tell how long each command took", Example: "time on"},
		{Name: "events", Args: "on | off", min: 1, max: 1, local: events, next: arguments(onOffWords),
			Help: "show what happens elsewhere, or do not", Example: "events off"},
		{Name: "history", local: history,
			Help: "the lines typed so far", Example: "history"},
		{Name: "clear", local: clearScreen,
			Help: "clear the screen", Example: "clear"},
		{Name: "help", Args: "[COMMAND]", max: 1, run: help, next: arguments(commandNames),
			Help: "this list, or more on one command", Example: "help gate"},
		{Name: "quit", local: quit,
			Help: "end; a node leaves in good order", Example: "quit", More: "Ctrl-D on an empty line does so, too. At an attached terminal it ends that and not the node."},
	}
}

// canonical is a command's name as it is compared: - and _ are the same.
func canonical(name string) string { return strings.ReplaceAll(strings.ToLower(name), "-", "_") }

// find returns the command of that name, or an error that suggests one.
func find(name string) (*Command, error) {
	var names []string
	for _, c := range Commands() {
		if canonical(name) == canonical(c.Name) {
			return c, nil
		}
		names = append(names, c.Name)
	}
	return nil, lot.Refuse(lot.Usage, "unknown command %.40s; %s", printable(name), DidYouMean(name, names, "help lists the commands"))
}

// DidYouMean asks for the one of the words that was mistyped as word, or
// returns otherwise if there is none. Case does not matter, and - and _ are the
// same.
func DidYouMean(word string, among []string, otherwise string) string {
	best, distance := "", min(2, len(word)/2)+1
	for _, w := range among {
		if d := levenshtein.ComputeDistance(canonical(word), canonical(w)); d < distance {
			best, distance = w, d
		}
	}
	if best == "" {
		return otherwise
	}
	return "did you mean " + best + "?"
}

// check refuses a wrong number of arguments.
func (c *Command) check(w words) error {
	switch n := len(w.args); {
	case n < c.min:
		return lot.Refuse(lot.Usage, "missing argument: %s; for example %s", c.Usage(), c.Example)
	case c.max < 0 || n <= c.max:
		return nil
	case c.max == 0:
		return lot.Refuse(lot.Usage, "too many arguments: %s takes none", c.Name)
	case strings.Contains(c.Args+c.More, "PLATE"):
		return lot.Refuse(lot.Usage, `too many arguments: %s; quote a plate that has blanks, as in "ABC 123"`, c.Usage())
	}
	return lot.Refuse(lot.Usage, "too many arguments: %s; for example %s", c.Usage(), c.Example)
}

// call is one run of a command beside its node.
type call struct {
	ctx     context.Context
	node    *node.Node
	restart func(context.Context, string) error // may be nil
	words   words
	opt     Options
	paint   painter
	out     io.Writer
	remarks io.Writer
}

// number reads a whole number; what names it in the error.
func number(s, what string) (int, error) {
	v, err := strconv.Atoi(s)
	if errors.Is(err, strconv.ErrRange) {
		return 0, lot.Refuse(lot.Range, "%.40s is out of range: %s is much smaller", s, what)
	}
	if err != nil {
		return 0, lot.Refuse(lot.Usage, "%s is a number, not %.40q", what, s)
	}
	return v, nil
}

func gateArg(s string) (lot.GateID, error) {
	v, err := number(s, "a gate")
	return lot.GateID(v), err
}

// Pages reports whether a line's answer may be long enough to be shown page by
// page at a terminal.
func Pages(line string) bool {
	w, err := parse(line)
	if err != nil {
		return false
	}
	cmd, err := find(w.name)
	return err == nil && cmd.pages
}

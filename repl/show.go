package repl

import (
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"parking/lot"
	"parking/node"
	"parking/node/member"
)

// selection is which vehicles read shows.
type selection struct {
	plate string // how the plates begin
	exact bool   // it is the whole plate
	limit int    // the most that are shown
}

// selected reads [PLATE|PREFIX*] [--limit N].
func selected(args []string) (s selection, err error) {
	s.limit = math.MaxInt
	if len(args) > 0 && args[0] != "--limit" {
		s.plate, s.exact = strings.CutSuffix(args[0], "*")
		s.exact = !s.exact
		args = args[1:]
	}
	if len(args) == 0 {
		return s, nil
	}
	if args[0] != "--limit" || len(args) != 2 {
		return s, lot.Refuse(lot.Usage, "read takes a plate or a prefix as in ABC*, and --limit N, or nothing")
	}
	if s.limit, err = number(args[1], "a limit"); err == nil && s.limit < 0 {
		err = lot.Refuse(lot.Range, "a limit is 0 or more, not %d", s.limit)
	}
	return s, err
}

// of returns what is shown of a reading, and how many more were selected.
func (s selection) of(r node.Reading) (shown []lot.Vehicle, more int) {
	for v := range r.Vehicles(s.plate) {
		switch {
		case s.exact && string(v.Plate) != s.plate:
			return shown, more // sorted: the plate itself comes first
		case len(shown) < s.limit:
			shown = append(shown, v)
		default:
			more++
		}
	}
	return shown, more
}

func read(c *call) error {
	which, err := selected(c.words.args)
	if err != nil {
		return err
	}
	r := c.node.Read()
	shown, more := which.of(r)
	if c.opt.Format == JSON {
		return writeJSON(c.out, readingOf(c.node.Name(), r, shown))
	}
	over := ""
	if n := r.Spaces.Over(); n > 0 {
		over = c.paint.warn(fmt.Sprintf(", over by %d", n))
	}
	_, err = fmt.Fprintln(c.out, Line(c.opt.Width,
		node.Ledger+" on "+c.paint.node(c.node.Name()), "digest "+r.Digest.String(), c.sameAs(),
		fmt.Sprintf("%d of %d taken%s", r.Spaces.Taken, r.Spaces.Total, over)))
	if err != nil || len(shown)+more == 0 {
		return err
	}
	rows := make([][]string, 0, len(shown))
	now := time.Now()
	for _, v := range shown {
		since := clockTime(v.Since, now) + "  " + ago(now.Sub(v.Since))
		for _, o := range v.Conflicts {
			since += c.paint.warn(fmt.Sprintf("  also gate %d on %s, %s", o.Gate, o.Node, clockTime(o.Since, now)))
		}
		rows = append(rows, []string{string(v.Plate), strconv.Itoa(int(v.Gate)), c.paint.node(v.Node), since})
	}
	if err := c.table([]string{"PLATE", "GATE", "NODE", "SINCE"}, rows); err != nil {
		return err
	}
	if more > 0 {
		_, err = fmt.Fprintf(c.out, " and %d more\n", more)
	}
	return err
}

// sameAs tells which other nodes have the same digest. It asks them, and gives
// up on those that take long.
func (c *call) sameAs() string {
	others, differ := 0, c.node.Compare(c.ctx)
	different := make(map[string]bool, len(differ))
	for _, name := range differ {
		different[name] = true
	}
	var same []string
	for _, m := range c.node.Members() {
		if m.Self || m.Status != member.Alive {
			continue
		}
		others++
		if !different[m.Name] {
			same = append(same, c.paint.node(m.Name))
		}
	}
	switch {
	case others == 0:
		return ""
	case len(same) == 0:
		return c.paint.warn("same on no other node")
	}
	return "same on " + strings.Join(same, " ")
}

func showSpaces(c *call) error {
	s := c.node.Spaces()
	if c.opt.Format == JSON {
		return writeJSON(c.out, spacesOverJSON{spacesOf(s), s.Over()})
	}
	line := fmt.Sprintf("%s: %d taken, %d free", Count(s.Total, "space"), s.Taken, s.Free())
	if s.Over() > 0 {
		line += c.paint.warn(fmt.Sprintf(", over by %d", s.Over()))
	}
	_, err := fmt.Fprintln(c.out, line)
	return err
}

func showGates(c *call) error {
	all := c.node.GateStates()
	if c.opt.Format == JSON {
		return writeJSON(c.out, gatesOf(all))
	}
	rows := make([][]string, 0, len(all))
	for _, g := range all {
		names := make([]string, 0, len(g.Owners))
		for _, o := range g.Owners {
			names = append(names, c.paint.node(o))
		}
		state := g.State()
		switch state {
		case "split":
			state = c.paint.warn(state)
		case "orphaned":
			state = c.paint.bad(state)
			names = []string{"-"}
		}
		rows = append(rows, []string{
			strconv.Itoa(int(g.Gate)), strings.Join(names, " "), state,
			strconv.FormatUint(g.Epoch, 10), strconv.FormatUint(g.In, 10), strconv.FormatUint(g.Out, 10),
		})
	}
	return c.table([]string{"GATE", "NODE", "STATE", "EPOCH", "IN", "OUT"}, rows)
}

func showMembers(c *call) error {
	all := c.node.Members()
	if c.opt.Format == JSON {
		return writeJSON(c.out, membersOf(all))
	}
	rows := make([][]string, 0, len(all))
	for _, m := range all {
		status := string(m.Status)
		switch m.Status {
		case member.Alive:
			status = c.paint.good(status)
		case member.Failed:
			status = c.paint.bad(status)
			if m.Reason != "" {
				status += " (" + m.Reason + ")"
			}
		default:
			status = c.paint.warn(status)
		}
		self := ""
		if m.Self {
			self = "this node"
		}
		rows = append(rows, []string{c.paint.node(m.Name), m.Addr, status, self})
	}
	return c.table([]string{"NODE", "ADDRESS", "STATUS", ""}, rows)
}

func showStatus(c *call) error {
	s := c.node.Status()
	if c.opt.Format == JSON {
		return writeJSON(c.out, statusOf(s, os.Getpid()))
	}
	version := make([]string, 0, len(s.Version))
	for _, r := range slices.Sorted(maps.Keys(s.Version)) {
		version = append(version, fmt.Sprintf("%s=%d", r, s.Version[r]))
	}
	return c.table(nil, [][]string{
		{"node", c.paint.node(s.Node)},
		{"cluster", s.Cluster},
		{"address", s.Addr},
		{"process", strconv.Itoa(os.Getpid())},
		{"ledger", node.Ledger},
		{"incarnation", fmt.Sprintf("%016x", s.Incarnation)},
		{"version", strings.Join(version, " ")},
		{"digest", s.Digest.String()},
		{"lag", Count(int(s.Lag), "change")},
		{"queue", Count(s.Queue, "change")},
		{"up", ago(s.Uptime)},
	})
}

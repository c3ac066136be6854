package repl

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"parking/lot"
	"parking/node"
	"parking/node/member"
)

const (
	awaitDefault = 10 * time.Second
	awaitEvery   = 10 * time.Millisecond
	awaitSilent  = time.Second // on a screen; then it tells what it waits for

	// conditions are what await knows, for help and errors.
	conditions = "converged, members N, gates N nodes, vehicle PLATE, no vehicle PLATE"
)

// A condition reports whether it holds, and else what is so instead.
type condition func(ctx context.Context) (holds bool, instead string)

func await(c *call) error {
	args, within, err := c.awaited()
	if err != nil {
		return err
	}
	holds, err := parseCondition(c.node, args)
	if err != nil {
		return err
	}
	begin := time.Now()
	ctx, cancel := context.WithTimeout(c.ctx, within)
	defer cancel()
	tick := time.NewTicker(awaitEvery)
	defer tick.Stop()
	var patience <-chan time.Time
	if c.opt.Width > 0 && c.opt.Format == Table {
		patience = time.After(awaitSilent)
	}
	for {
		changed := c.node.Changed()
		ok, instead := holds(ctx)
		if ok {
			return c.ok("after %s", time.Since(begin).Round(time.Millisecond))
		}
		select {
		case <-ctx.Done():
			if c.ctx.Err() != nil {
				return c.ctx.Err()
			}
			return lot.Refuse(lot.Timeout, "not within %v: %s; %s", within, strings.Join(args, " "), instead)
		case <-patience:
			patience = nil
			line := fmt.Sprintf("not yet: %s; waiting %v at most, Ctrl-C ends", instead, within)
			fmt.Fprintln(c.remarks, c.paint.dim(Wrap(line, 2, c.opt.Width)))
		case <-changed:
		case <-tick.C: // other nodes' state, and gates that start or stop
		}
	}
}

// awaited splits off the duration that may stand last.
func (c *call) awaited() (args []string, within time.Duration, err error) {
	args = c.words.args
	last := len(args) - 1
	if d, err := time.ParseDuration(args[last]); err == nil && !c.words.quoted {
		if last == 0 || args[last-1] == "vehicle" {
			return nil, 0, lot.Refuse(lot.Usage, "%s alone is a duration; quote a plate that looks like one: %q", args[last], args[last])
		}
		if d < 0 {
			return nil, 0, lot.Refuse(lot.Usage, "%s is over before it begins; give a positive duration", args[last])
		}
		return args[:last], d, nil
	}
	return args, awaitDefault, nil
}

// positive reads a number that is 1 or more; what names it in the error.
func positive(s, what string) (int, error) {
	v, err := number(s, what)
	if err == nil && v < 1 {
		err = lot.Refuse(lot.Usage, "%s is 1 or more, not %d", what, v)
	}
	return v, err
}

// operands is how the conditions that need more than a word are typed.
var operands = map[string]string{"members": "members N", "gates": "gates N nodes", "vehicle": "vehicle PLATE", "no": "no vehicle PLATE"}

func parseCondition(n *node.Node, args []string) (condition, error) {
	switch {
	case len(args) == 1 && operands[args[0]] != "", slices.Equal(args, []string{"no", "vehicle"}):
		return nil, lot.Refuse(lot.Usage, "missing argument: await %s", operands[args[0]])
	case slices.Equal(args, []string{"converged"}):
		return converged(n), nil
	case len(args) == 2 && args[0] == "members":
		want, err := positive(args[1], "the number of members")
		return membersAre(n, want), err
	case len(args) == 3 && args[0] == "gates" && strings.TrimSuffix(args[2], "s") == "node":
		want, err := positive(args[1], "the number of nodes")
		return gatesOn(n, want), err
	case len(args) == 2 && args[0] == "vehicle":
		p, err := lot.ParsePlate(args[1])
		return vehicleIs(n, p, true), err
	case len(args) == 3 && args[0] == "no" && args[1] == "vehicle":
		p, err := lot.ParsePlate(args[2])
		return vehicleIs(n, p, false), err
	case slices.Contains(args, "vehicle"):
		return nil, lot.Refuse(lot.Usage, `unknown condition %.60q; quote a plate that has blanks: await vehicle "ABC 123"`, strings.Join(args, " "))
	}
	hint := "there are " + conditions
	if first := []string{"converged", "members", "gates", "vehicle"}; !slices.Contains(first, args[0]) {
		hint = DidYouMean(args[0], first, hint)
	}
	return nil, lot.Refuse(lot.Usage, "unknown condition %.60q; %s", strings.Join(args, " "), hint)
}

func converged(n *node.Node) condition {
	instead := "nobody has answered"
	return func(ctx context.Context) (bool, string) {
		differ := n.Compare(ctx)
		if len(differ) > 0 {
			instead = "another digest, or no answer, on " + strings.Join(differ, " ")
		}
		return len(differ) == 0 && ctx.Err() == nil, instead // cut short, it compared nothing
	}
}

func membersAre(n *node.Node, want int) condition {
	return func(context.Context) (bool, string) {
		var alive []string
		for _, m := range n.Members() {
			if m.Status == member.Alive {
				alive = append(alive, m.Name)
			}
		}
		return len(alive) == want, fmt.Sprintf("alive: %d (%s)", len(alive), strings.Join(alive, " "))
	}
}

func vehicleIs(n *node.Node, p lot.Plate, want bool) condition {
	is := map[bool]string{true: "is", false: "is not"}
	return func(context.Context) (bool, string) {
		_, in := n.Vehicle(p)
		return in == want, fmt.Sprintf("%s %s in the lot on %s", p, is[in], n.Name())
	}
}

// gatesOn holds when every gate has one owner, on that many nodes together.
func gatesOn(n *node.Node, want int) condition {
	return func(context.Context) (bool, string) {
		runs := make(map[string]int)
		var instead []string
		single := true
		for _, g := range n.GateStates() {
			if len(g.Owners) != 1 {
				single = false
				instead = append(instead, fmt.Sprintf("gate %d is %s", g.Gate, g.State()))
				continue
			}
			runs[g.Owners[0]]++
		}
		for _, name := range slices.Sorted(maps.Keys(runs)) {
			instead = append(instead, fmt.Sprintf("%s runs %d", name, runs[name]))
		}
		return single && len(runs) == want, strings.Join(instead, ", ")
	}
}

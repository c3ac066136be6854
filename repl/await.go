package repl

import (
	"fmt"
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
)

// condition reports whether it holds, and else what is so instead.
type condition func() (holds bool, instead string)

func await(c *call) error {
	args, within := c.words.args, awaitDefault
	if last := len(args) - 1; !c.words.lastQuoted && last > 0 {
		if d, err := time.ParseDuration(args[last]); err == nil {
			args, within = args[:last], d
		}
	}
	cond, err := parseCondition(c, args)
	if err != nil {
		return err
	}
	begin := time.Now()
	tick := time.NewTicker(awaitEvery)
	defer tick.Stop()
	for {
		changed := c.node.Changed()
		holds, instead := cond()
		switch {
		case holds:
			return c.ok("after %s", time.Since(begin).Round(time.Millisecond))
		case time.Since(begin) >= within:
			return lot.Refuse(lot.Timeout, "not within %v: %s; %s", within, strings.Join(args, " "), instead)
		}
		select {
		case <-c.ctx.Done():
			return c.ctx.Err()
		case <-changed:
		case <-tick.C: // other nodes' state, and gates that start or stop
		}
	}
}

func parseCondition(c *call, args []string) (condition, error) {
	usage := func() (condition, error) {
		return nil, lot.Refuse(lot.Usage, "unknown condition %.60q; there are converged, members N, gates N nodes, vehicle PLATE and no vehicle PLATE", strings.Join(args, " "))
	}
	n := c.node
	switch {
	case slices.Equal(args, []string{"converged"}):
		return func() (bool, string) {
			differ := n.Compare(c.ctx)
			return len(differ) == 0, "another digest, or no answer, on " + strings.Join(differ, " ")
		}, nil
	case len(args) == 2 && args[0] == "members":
		want, err := number(args[1], "how many members")
		return func() (bool, string) {
			alive := 0
			for _, m := range n.Members() {
				if m.Status == member.Alive {
					alive++
				}
			}
			return alive == want, fmt.Sprintf("%d are alive", alive)
		}, err
	case len(args) == 3 && args[0] == "gates" && strings.TrimSuffix(args[2], "s") == "node":
		want, err := number(args[1], "how many nodes")
		return func() (bool, string) {
			all := n.GateStates()
			nodes, single := gateNodes(all)
			return single && len(nodes) == want, gatesNow(all)
		}, err
	case len(args) == 2 && args[0] == "vehicle":
		p, err := lot.ParsePlate(args[1])
		return func() (bool, string) {
			_, in := n.Vehicle(p)
			return in, fmt.Sprintf("%s is not in the lot on %s", p, n.Name())
		}, err
	case len(args) == 3 && args[0] == "no" && args[1] == "vehicle":
		p, err := lot.ParsePlate(args[2])
		return func() (bool, string) {
			_, in := n.Vehicle(p)
			return !in, fmt.Sprintf("%s is in the lot on %s", p, n.Name())
		}, err
	}
	return usage()
}

// gateNodes returns the nodes that run gates, and whether every gate has
// exactly one.
func gateNodes(all []node.GateState) (nodes map[string]bool, single bool) {
	nodes, single = make(map[string]bool), true
	for _, g := range all {
		single = single && len(g.Owners) == 1
		for _, o := range g.Owners {
			nodes[o] = true
		}
	}
	return nodes, single
}

// gatesNow reads "larry runs 4, 1 orphaned".
func gatesNow(all []node.GateState) string {
	runs := make(map[string]uint64)
	var parts []string
	for _, g := range all {
		if len(g.Owners) == 1 {
			runs[g.Owners[0]]++
		} else {
			parts = append(parts, fmt.Sprintf("gate %d is %s", g.Gate, g.State()))
		}
	}
	for _, name := range slices.Backward(sortedKeys(runs)) {
		parts = slices.Insert(parts, 0, fmt.Sprintf("%s runs %d", name, runs[name]))
	}
	return strings.Join(parts, ", ")
}

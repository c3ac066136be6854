package repl

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"parking/lot"
	"parking/node"
	"parking/node/fault"
)

// partition reads "larry | gary harry".
func partition(c *call) error {
	var groups [][]string
	var sides []string
	for part := range strings.SplitSeq(strings.Join(c.words.args, " "), "|") {
		group := strings.Fields(part)
		if len(group) == 0 {
			return lot.Refuse(lot.Usage, "a side of the partition is empty; for example partition larry | gary harry")
		}
		groups, sides = append(groups, group), append(sides, strings.Join(group, " "))
	}
	line := strings.Join(sides, " | ")
	untold, err := c.node.Partition(c.ctx, groups, "partition "+line)
	return c.injected(untold, err, "%s", "partitioned: "+line)
}

// isolate cuts one node off from all others.
func isolate(c *call) error {
	name := c.words.args[0]
	untold, err := c.node.Partition(c.ctx, [][]string{{name}}, "isolate "+name)
	return c.injected(untold, err, "%s is cut off from all others", name)
}

func (c *call) injected(untold []string, err error, format string, args ...any) error {
	if err != nil {
		return err
	}
	c.untold(untold)
	return c.ok(format, args...)
}

func (c *call) untold(names []string) {
	if len(names) > 0 {
		c.remark("warning: %s cannot be reached and was not told", strings.Join(names, " "))
	}
}

// linkArg reads "larry>gary", or "larry<>gary" for both directions.
func linkArg(s string) (links []fault.Link, err error) {
	from, to, both := strings.Cut(s, "<>")
	if !both {
		var one bool
		if from, to, one = strings.Cut(s, ">"); !one {
			return nil, lot.Refuse(lot.Usage, "%.40q is no link; it is larry>gary one way, larry<>gary both", s)
		}
	}
	if !lot.ValidName(from) || !lot.ValidName(to) {
		return nil, lot.Refuse(lot.Usage, "%.40q is no link; it is larry>gary one way, larry<>gary both", s)
	}
	links = []fault.Link{{From: from, To: to}}
	if both {
		links = append(links, fault.Link{From: to, To: from})
	}
	return links, nil
}

// share reads "30%".
func share(what, s string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
	if err != nil || !strings.HasSuffix(s, "%") {
		return 0, lot.Refuse(lot.Usage, "%s takes a share such as 30%%, not %.40q", what, s)
	}
	return v / 100, nil
}

// valued are the effects that take a value.
var valued = []string{"drop", "dup", "delay", "jitter"}

// effects is for people.
const effects = "drop 30%, delay 200ms, jitter 50ms, dup 5% or cut"

// effect reads "drop 30% delay 200ms jitter 50ms dup 5%", or "cut".
func effect(args []string) (e fault.Effect, err error) {
	seen := make(map[string]bool)
	for len(args) > 0 {
		what := args[0]
		if seen[what] {
			return e, lot.Refuse(lot.Usage, "%.40s stands there twice; give each effect once", printable(what))
		}
		seen[what] = true
		if what == "cut" {
			e.Cut, args = true, args[1:]
			continue
		}
		if !slices.Contains(valued, what) {
			return e, lot.Refuse(lot.Usage, "unknown effect %.40s; %s", printable(what),
				DidYouMean(what, []string{"cut", "drop", "delay", "jitter", "dup"}, "it is one of "+effects))
		}
		if len(args) == 1 {
			return e, lot.Refuse(lot.Usage, "missing argument: %s takes a value, as in drop 30%% delay 200ms", what)
		}
		switch what {
		case "drop":
			e.Drop, err = share(what, args[1])
		case "dup":
			e.Dup, err = share(what, args[1])
		case "delay":
			e.Delay, err = span(what, args[1])
		case "jitter":
			e.Jitter, err = span(what, args[1])
		}
		if err != nil {
			return e, err
		}
		args = args[2:]
	}
	return e, nil
}

func span(what, s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, lot.Refuse(lot.Usage, "%s takes a duration such as 200ms, not %.40q", what, s)
	}
	return d, nil
}

func link(c *call) error {
	links, err := linkArg(c.words.args[0])
	if err != nil {
		return err
	}
	e, err := effect(c.words.args[1:])
	if err != nil {
		return err
	}
	if e == (fault.Effect{}) {
		return lot.Refuse(lot.Usage, "%s changes nothing; give %s, or heal the link", strings.Join(c.words.args[1:], " "), effects)
	}
	all := make(map[fault.Link]fault.Effect)
	for _, l := range links {
		all[l] = e
	}
	what := strings.Join(c.words.args, " ")
	untold, err := c.node.Inject(c.ctx, "link "+what, all)
	return c.injected(untold, err, "%s", what)
}

func heal(c *call) error {
	which := node.Selection{All: len(c.words.args) == 0}
	for _, arg := range c.words.args {
		if !strings.Contains(arg, ">") {
			which.Nodes = append(which.Nodes, arg)
			continue
		}
		links, err := linkArg(arg)
		if err != nil {
			return err
		}
		which.Links = append(which.Links, links...)
	}
	resumed, clocks, err := c.node.Mend(c.ctx, which)
	if err != nil {
		return err
	}
	healed, untold, apart, err := c.node.Heal(c.ctx, which)
	if err != nil {
		return err
	}
	c.untold(untold)
	if len(apart) == 0 {
		if err := c.node.Back(c.ctx, resumed...); err != nil {
			return err
		}
	}
	if len(apart) > 0 {
		return lot.Refuse(lot.Timeout, "healed, but after 3s %s does not see %s; members tells who is there, faults what is in force", apart[0].From, apart[0].To)
	}
	var parts []string
	if len(healed) > 0 {
		parts = append(parts, Count(len(healed), "link")+" healed")
	}
	if len(resumed) > 0 {
		parts = append(parts, strings.Join(resumed, " ")+" resumed")
	}
	if len(parts) > 0 {
		parts = append(parts, "and the nodes see each other")
	}
	for _, name := range clocks {
		parts = append(parts, name+"'s clock is right")
	}
	if parts == nil {
		return c.ok("there was nothing to heal")
	}
	return c.ok("%s", strings.Join(parts, ", "))
}

func showFaults(c *call) error {
	all, err := c.node.Faults(c.ctx)
	if err != nil {
		return err
	}
	if c.opt.Format == JSON {
		return writeJSON(c.out, faultsOf(all))
	}
	if len(all) == 0 {
		return c.ok("no faults are in force")
	}
	rows := make([][]string, 0, len(all))
	now := time.Now()
	for _, f := range all {
		on := make([]string, 0, len(f.On))
		for _, name := range f.On {
			on = append(on, c.paint.node(name))
		}
		rows = append(rows, []string{printable(f.What), strings.Join(on, " "), fmt.Sprintf("%s  %s", clockTime(f.Since, now), ago(now.Sub(f.Since))), c.paint.node(f.By)})
	}
	return c.table([]string{"FAULT", "ON", "SINCE", "BY"}, rows)
}

func clock(c *call) error {
	name := c.words.args[0]
	d, err := time.ParseDuration(c.words.args[1])
	if err != nil {
		return lot.Refuse(lot.Usage, "clock takes a duration such as +5m or -30s, not %.40q", c.words.args[1])
	}
	if err := c.node.SetClock(c.ctx, name, d, "clock "+strings.Join(c.words.args, " ")); err != nil {
		return err
	}
	if d == 0 {
		return c.ok("%s's clock is right", name)
	}
	return c.ok("%s's clock is off by %s", name, c.words.args[1])
}

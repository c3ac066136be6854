package repl

import (
	"errors"
	"fmt"
	"strings"

	"parking/lot"
)

func trackEntry(c *call) error {
	p, g, err := c.plateAndGate()
	if err != nil {
		return err
	}
	after, err := c.node.TrackEntry(c.ctx, p, g)
	if err != nil {
		return err
	}
	if after.Over() > 0 {
		c.remark("warning: the lot is over: %d vehicles in %d spaces; this ledger records and tells", after.Taken, after.Total)
	}
	return c.ok("%s", free(after))
}

func trackExit(c *call) error {
	p, g, err := c.plateAndGate()
	if err != nil {
		return err
	}
	after, err := c.node.TrackExit(c.ctx, p, g)
	if err != nil {
		return err
	}
	return c.ok("%s", free(after))
}

// plateAndGate reads PLATE [GATE].
func (c *call) plateAndGate() (p lot.Plate, g lot.GateID, err error) {
	if p, err = lot.ParsePlate(c.words.args[0]); err != nil || len(c.words.args) == 1 {
		return p, 0, err
	}
	if g, err = gateArg(c.words.args[1]); err == nil {
		err = lot.CheckGate(g, c.node.Gates()) // 0 is no gate either
	}
	return p, g, err
}

func free(s lot.Spaces) string { return fmt.Sprintf("%d of %d spaces free", s.Free(), s.Total) }

func gate(c *call) error {
	g, err := gateArg(c.words.args[0])
	if err != nil {
		return err
	}
	if err := lot.CheckGate(g, c.node.Gates()); err != nil {
		return err
	}
	verb, rest := c.words.args[1], c.words.args[2:]
	operand := map[string]string{"enter": "a plate", "exit": "a plate", "move": "a node", "crash": ""}
	switch what, known := operand[verb]; {
	case !known:
		return lot.Refuse(lot.Usage, "a gate can enter, exit, crash or move, not %.40s", verb)
	case what == "" && len(rest) > 0:
		return lot.Refuse(lot.Usage, "gate %d crash takes nothing more", g)
	case what != "" && len(rest) == 0:
		return lot.Refuse(lot.Usage, "gate %d %s needs %s", g, verb, what)
	}
	switch verb {
	case "crash":
		if err := c.node.Crash(c.ctx, g); err != nil {
			return err
		}
		return c.ok("gate %d crashed; its supervisor starts it again", g)
	case "move":
		if err := c.node.Move(c.ctx, g, rest[0]); err != nil {
			return err
		}
		return c.ok("gate %d runs on %s", g, rest[0])
	}
	p, err := lot.ParsePlate(rest[0])
	if err != nil {
		return err
	}
	pass := c.node.Enter
	if verb == "exit" {
		pass = c.node.Exit
	}
	if err := pass(c.ctx, g, p); err != nil {
		return err
	}
	return c.ok("%s", free(c.node.Spaces()))
}

func setSetting(c *call) error {
	v, err := number(c.words.args[1], "a setting's value")
	if err != nil {
		return err
	}
	switch name := c.words.args[0]; name {
	case "spaces":
		err = c.node.SetSpaces(c.ctx, v)
	case "gates":
		err = c.node.SetGates(c.ctx, v)
	default:
		return lot.Refuse(lot.Usage, "there is no setting %.40s; set spaces N and set gates N exist", name)
	}
	if err != nil {
		return err
	}
	if over := c.node.Spaces().Over(); over > 0 {
		c.remark("warning: the lot is over by %d; nobody is turned out", over)
	}
	return c.ok("%s %d, everywhere", c.words.args[0], v)
}

func rebalance(c *call) error {
	moved, err := c.node.Rebalance(c.ctx)
	if err != nil {
		return err
	}
	switch moved {
	case 0:
		return c.ok("the gates are spread already")
	case 1:
		return c.ok("1 gate moved")
	}
	return c.ok("%d gates moved", moved)
}

func killNode(c *call) error {
	name := ""
	if len(c.words.args) > 0 {
		name = c.words.args[0]
	}
	if name == "" || name == c.node.Name() {
		if err := c.node.CheckFaults(); err != nil {
			return err
		}
		return errors.Join(c.ok("%s dies", c.node.Name()), ErrDie)
	}
	if err := c.node.Kill(c.ctx, name); err != nil {
		return err
	}
	return c.ok("%s was killed", name)
}

func help(c *call) error {
	if len(c.words.args) == 0 {
		return c.table(nil, helpRows(c.paint))
	}
	cmd, err := find(c.words.args[0])
	if err != nil {
		return err
	}
	more := ""
	if cmd.More != "" {
		more = "\n  " + cmd.More
	}
	return c.text("%s\n  %s%s\n  for example: %s", cmd.Usage(), cmd.Help, more, cmd.Example)
}

func helpRows(p painter) (rows [][]string) {
	for _, c := range Commands() {
		rows = append(rows, []string{c.Usage(), p.dim(c.Help)})
	}
	return rows
}

// ok answers a command that has nothing to tell but that it was done.
func (c *call) ok(format string, args ...any) error {
	if c.opt.Format == JSON {
		return c.json(struct {
			OK bool `json:"ok"`
		}{true})
	}
	_, err := fmt.Fprintf(c.out, "%s   %s\n", c.paint.good("ok"), fmt.Sprintf(format, args...))
	return err
}

// text answers with lines for people; as JSON they are one string.
func (c *call) text(format string, args ...any) error {
	s := fmt.Sprintf(format, args...)
	if c.opt.Format == JSON {
		return c.json(struct {
			OK   bool   `json:"ok"`
			Text string `json:"text"`
		}{true, s})
	}
	_, err := fmt.Fprintln(c.out, strings.TrimRight(s, "\n"))
	return err
}

// remark tells something beside the answer.
func (c *call) remark(format string, args ...any) {
	fmt.Fprintln(c.remarks, c.paint.warn(fmt.Sprintf(format, args...)))
}

package repl

import (
	"errors"
	"fmt"

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
	return c.came(after)
}

// came answers an entry that was recorded: one too many is told.
func (c *call) came(after lot.Spaces) error {
	if after.Over() > 0 {
		c.remark("warning: the lot is over by %d: %s in %s", after.Over(), Count(after.Taken, "vehicle"), Count(after.Total, "space"))
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

func free(s lot.Spaces) string {
	over := ""
	if s.Over() > 0 {
		over = fmt.Sprintf(", over by %d", s.Over())
	}
	return fmt.Sprintf("%d of %d spaces free%s", s.Free(), s.Total, over)
}

func gate(c *call) error {
	g, err := gateArg(c.words.args[0])
	if err != nil {
		return err
	}
	if err := lot.CheckGate(g, c.node.Gates()); err != nil {
		return err
	}
	verb, rest := c.words.args[1], c.words.args[2:]
	operand := map[string]string{"enter": "PLATE", "exit": "PLATE", "move": "NODE", "crash": ""}
	switch what, known := operand[verb]; {
	case !known:
		return lot.Refuse(lot.Usage, "unknown gate command %.40s; %s", printable(verb),
			DidYouMean(verb, []string{"enter", "exit", "crash", "move"}, "a gate can enter, exit, crash or move"))
	case what == "" && len(rest) > 0:
		return lot.Refuse(lot.Usage, "too many arguments: gate %d crash takes no more", g)
	case what != "" && len(rest) == 0:
		return lot.Refuse(lot.Usage, "missing argument: gate %d %s %s", g, verb, what)
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
	if verb == "exit" {
		if err := c.node.Exit(c.ctx, g, p); err != nil {
			return err
		}
		return c.ok("%s", free(c.node.Spaces()))
	}
	if err := c.node.Enter(c.ctx, g, p); err != nil {
		return err
	}
	return c.came(c.node.Spaces())
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
		return lot.Refuse(lot.Usage, "unknown setting %.40s; %s", printable(name),
			DidYouMean(name, []string{"spaces", "gates", "ack"}, "there are set spaces N, set gates N and set ack N"))
	}
	if err != nil {
		return err
	}
	if over := c.node.Spaces().Over(); over > 0 && c.words.args[0] == "spaces" {
		c.remark("warning: the lot is over by %d; nobody is turned out", over)
	}
	return c.ok("%s %d, everywhere", c.words.args[0], v)
}

func rebalance(c *call) error {
	moved, err := c.node.Rebalance(c.ctx)
	if err != nil {
		return err
	}
	if moved == 0 {
		return c.ok("the gates are spread already")
	}
	return c.ok("%s moved", Count(moved, "gate"))
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

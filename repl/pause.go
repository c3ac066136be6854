package repl

import (
	"cmp"
	"strings"
	"time"

	"parking/lot"
)

// pause stops a node's process, for a while or until resume.
func pause(c *call) error {
	name := c.words.args[0]
	var d time.Duration
	if len(c.words.args) == 2 {
		var err error
		if d, err = time.ParseDuration(c.words.args[1]); err != nil {
			return lot.Refuse(lot.Usage, "pause takes a duration such as 5s, not %.40q", c.words.args[1])
		}
		if d == 0 {
			return lot.Refuse(lot.Usage, "a pause of 0s is none; without a duration it lasts until resume %s", name)
		}
	}
	frozen, err := c.node.Pause(c.ctx, name, d, "pause "+strings.Join(c.words.args, " "))
	if err != nil {
		return err
	}
	until := "until resume " + name
	if d > 0 {
		until = "for " + d.String()
	}
	if frozen {
		return c.ok("%s runs on another host: its process goes on, and all its traffic is cut, %s", name, until)
	}
	return c.ok("%s's process is stopped, %s", name, until)
}

func resume(c *call) error {
	name := c.words.args[0]
	if err := c.node.Resume(c.ctx, name); err != nil {
		return err
	}
	return c.ok("%s goes on, and the nodes see each other", name)
}

// restart starts a node again, where nodes are started from here.
func restart(c *call) error {
	name := c.words.args[0]
	if err := cmp.Or(c.node.CheckFaults(), lot.CheckName("name", name)); err != nil {
		return err
	}
	if c.restart == nil {
		return lot.Refuse(lot.Refused, "%s cannot be restarted from here; start it where it was: by restart %s in a session, or parking --sname %s in a terminal", name, name, name)
	}
	if err := c.node.Consents(c.ctx, name); err != nil && lot.CodeOf(err) == lot.Refused {
		return err
	}
	if err := c.restart(c.ctx, name); err != nil {
		return err
	}
	return c.ok("%s starts again", name)
}

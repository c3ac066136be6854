package repl

import (
	"fmt"
	"strings"
)

// helpColumn is where the second column of help begins.
const helpColumn = 27

func help(c *call) error {
	if len(c.words.args) == 1 {
		cmd, err := find(c.words.args[0])
		if err != nil {
			return err
		}
		return c.helpOn(cmd)
	}
	if c.opt.Format == JSON {
		return writeJSON(c.out, commandsJSON(Commands()...))
	}
	var b strings.Builder
	for _, cmd := range Commands() {
		usage := " " + cmd.Usage()
		if pad := helpColumn - len(usage); pad > 1 {
			usage += strings.Repeat(" ", pad)
		} else {
			usage += "\n" + strings.Repeat(" ", helpColumn)
		}
		fmt.Fprintf(&b, "%s%s\n", usage, c.paint.dim(cmd.Help))
	}
	_, err := fmt.Fprint(c.out, b.String())
	return err
}

func (c *call) helpOn(cmd *Command) error {
	if c.opt.Format == JSON {
		return writeJSON(c.out, commandsJSON(cmd))
	}
	more := ""
	if cmd.More != "" {
		more = "  " + cmd.More + "\n"
	}
	_, err := fmt.Fprintf(c.out, "%s\n  %s\n%s  for example: %s\n", cmd.Usage(), cmd.Help, more, cmd.Example)
	return err
}

package repl

import (
	"fmt"
	"strings"
)

// The columns of help: a command's name, what it does, and an example of it
// where the screen has room for that.
const (
	helpColumn    = 14
	exampleColumn = 55
	helpWidth     = 79
)

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
		does, example := Wrap(cmd.Help, helpColumn, c.opt.Width), ""
		if c.opt.Width == 0 || c.opt.Width >= helpWidth {
			does, example = pad(does, exampleColumn-helpColumn), cmd.Example
		}
		fmt.Fprintf(&b, "%s%s%s\n", pad(" "+cmd.Name, helpColumn), c.paint.dim(does), example)
	}
	fmt.Fprintln(&b, c.paint.dim(Wrap("help COMMAND tells all that a command takes, with an example.", 0, c.opt.Width)))
	_, err := fmt.Fprint(c.out, b.String())
	return err
}

func (c *call) helpOn(cmd *Command) error {
	if c.opt.Format == JSON {
		return writeJSON(c.out, commandsJSON(cmd))
	}
	lines := []string{cmd.Help}
	if cmd.More != "" {
		lines = append(lines, cmd.More)
	}
	lines = append(lines, "for example: "+cmd.Example)
	_, err := fmt.Fprintln(c.out, Wrap(cmd.Usage(), 4, c.opt.Width))
	for _, line := range lines {
		if err == nil {
			_, err = fmt.Fprintf(c.out, "  %s\n", Wrap(line, 2, c.opt.Width))
		}
	}
	return err
}

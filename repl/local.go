package repl

import (
	"context"
	"errors"
	"fmt"

	"parking/lot"
	"parking/node"
)

// The commands of the terminal's own side.

// localCall is one run of such a command.
type localCall struct {
	ctx   context.Context
	line  string
	words words
}

const (
	// maxSource is how deep files may source files.
	maxSource = 8

	clearCode = "\x1b[H\x1b[2J"
)

func quit(s *Shell, _ *localCall) error {
	if s.Options.Format == JSON { // one document per command
		return errors.Join(writeOK(s.Out, s.Options, ""), ErrQuit)
	}
	return ErrQuit
}

func source(s *Shell, c *localCall) error {
	name := c.words.args[0]
	if s.depth == maxSource {
		return lot.Refuse(lot.Usage, "%s: files source files more than %d deep", name, maxSource)
	}
	path := name
	if s.Expand != nil && !c.words.quoted {
		var err error
		if path, err = s.Expand(name); err != nil {
			return lot.Refuse(lot.Usage, "cannot read the commands in %q: %v", name, err)
		}
	}
	f, err := OpenCommands(name, path, false)
	if err != nil {
		return err
	}
	defer f.Close()
	s.depth++
	defer func() { s.depth-- }()
	return s.Run(c.ctx, name, f)
}

func timing(s *Shell, c *localCall) error {
	on, err := onOff(c.words)
	if err != nil {
		return err
	}
	s.timing = on
	return writeOK(s.Out, s.Options, "time "+c.words.args[0])
}

func events(s *Shell, c *localCall) error {
	on, err := onOff(c.words)
	if err != nil {
		return err
	}
	if s.Events != nil {
		s.Events(on)
	}
	return writeOK(s.Out, s.Options, "events "+c.words.args[0])
}

// setOne sets what concerns this terminal alone, and hands on all else.
func setOne(s *Shell, c *localCall) error {
	if c.words.args[0] != "ack" {
		return s.Session.Exec(c.ctx, c.line, s.Options, s.Out, s.Remarks)
	}
	n, err := number(c.words.args[1], "ack")
	if err == nil {
		err = node.CheckAck(n)
	}
	if err != nil {
		return err
	}
	s.Options.Ack = &n
	what := "writes from this terminal wait for no other node"
	if n > 0 {
		what = "writes from this terminal wait for " + Count(n, "other node")
	}
	return writeOK(s.Out, s.Options, what)
}

var onOffWords = options("on", "", "off", "")

func onOff(w words) (on bool, err error) {
	switch w.args[0] {
	case "on":
		return true, nil
	case "off":
		return false, nil
	}
	return false, lot.Refuse(lot.Usage, "%s is on or off, not %.40s", w.name, printable(w.args[0]))
}

func history(s *Shell, _ *localCall) error {
	lines := []string{}
	if s.History != nil {
		lines = append(lines, s.History()...)
	}
	if s.Options.Format == JSON {
		return writeJSON(s.Out, historyJSON{okJSON{true}, lines})
	}
	for i, line := range lines {
		if _, err := fmt.Fprintf(s.Out, "%5d  %s\n", i+1, line); err != nil {
			return err
		}
	}
	return nil
}

func clearScreen(s *Shell, _ *localCall) error {
	if s.Options.Format == JSON {
		return writeOK(s.Out, s.Options, "")
	}
	if s.Size != nil {
		fmt.Fprint(s.Out, clearCode)
	}
	return nil
}

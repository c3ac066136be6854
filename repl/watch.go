package repl

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"parking/lot"
)

const (
	watchDefault = 2 * time.Second
	watchLeast   = 50 * time.Millisecond
)

// watch runs a command again and again until ctx ends. On a screen each answer
// takes the place of the one before.
func watch(s *Shell, c *localCall) error {
	every, command, err := watched(c.words)
	switch {
	case err != nil:
		return err
	case s.watching: // from a file that it sources, too
		return lot.Refuse(lot.Usage, "watch watches other commands, for example watch 500ms gates")
	}
	s.watching = true
	defer func() { s.watching = false }()
	view := view{shell: s, title: fmt.Sprintf("every %v: %s", every, command)}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		err := view.refresh(c, command)
		switch {
		case c.ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		select {
		case <-c.ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// watched reads [EVERY] COMMAND.
func watched(w words) (every time.Duration, command string, err error) {
	every, command = watchDefault, w.from(0)
	if d, err := time.ParseDuration(w.args[0]); err == nil {
		every, command = d, w.from(1)
	}
	switch {
	case command == "":
		return 0, "", lot.Refuse(lot.Usage, "missing argument: watch needs a command, for example watch 500ms gates")
	case every < watchLeast:
		return 0, "", lot.Refuse(lot.Usage, "every %v is too often; %v is the least", every, watchLeast)
	}
	inner, err := parse(command)
	if err != nil {
		return 0, "", err
	}
	_, err = find(inner.name)
	return every, command, err
}

// A view is where a watched answer stands on the screen.
type view struct {
	shell         *Shell
	title         string
	shown         int // rows that it takes, with the cursor in the one below
	columns, rows int // of the screen, then
}

// refresh runs the command and shows its answer. Without a screen it comes
// below the one before, as it is.
func (v *view) refresh(c *localCall, command string) error {
	s := v.shell
	if s.Size == nil || s.Options.Format != Table {
		return s.Exec(c.ctx, command)
	}
	title := Line(0, v.title, time.Now().Local().Format(time.TimeOnly), "(Ctrl-C ends)")
	answer := bytes.NewBufferString(painter{s.Options.Color}.dim(title) + "\n")
	out, remarks := s.Out, s.Remarks
	s.Out, s.Remarks = answer, answer
	err := s.Exec(c.ctx, command)
	s.Out, s.Remarks = out, remarks
	if c.ctx.Err() != nil {
		return err // cut short: the last one stays
	}
	return cmp.Or(v.show(answer.String()), err)
}

const (
	lineUp    = "\x1b[%dA"
	eraseLine = "\x1b[2K"
	eraseDown = "\x1b[J" // from the cursor on
)

// show writes over what was shown before, line by line, so that nothing
// flickers. What does not fit the screen is cut off.
func (v *view) show(answer string) error {
	var b strings.Builder
	switch columns, rows := v.shell.Size(); {
	case v.shown == 0:
		v.columns, v.rows = columns, rows
	case columns != v.columns || rows != v.rows: // all is elsewhere now
		v.columns, v.rows = columns, rows
		b.WriteString(clearCode)
	default:
		fmt.Fprintf(&b, lineUp, v.shown)
	}
	lines := strings.Split(strings.TrimRight(answer, "\n"), "\n")
	if most := max(2, v.rows-1); len(lines) > most {
		lines = append(lines[:most-1], fmt.Sprintf("... %s more", Count(len(lines)-most+1, "line")))
	}
	for _, line := range lines {
		fmt.Fprintf(&b, "%s%s\n", eraseLine, text.Trim(line, v.columns))
	}
	b.WriteString(eraseDown)
	v.shown = len(lines)
	_, err := io.WriteString(v.shell.Out, b.String())
	return err
}

package repl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"parking/lot"
)

// ErrQuit is the error of the command that ends a terminal.
var ErrQuit = errors.New("repl: quit")

// maxSource is how deep files may source files.
const maxSource = 8

// A Shell is one terminal's side of a Session: it runs the commands that
// concern the terminal itself and hands all others on. It belongs to one
// goroutine.
type Shell struct {
	Session Session
	Options Options
	Out     io.Writer       // answers
	Remarks io.Writer       // all else
	History func() []string // the lines so far; nil: none are kept
	Events  func(on bool)   // shows events or not; nil: there are none

	timing bool
	depth  int // of source
}

// localCall is one run of a command of the terminal's own.
type localCall struct {
	ctx   context.Context
	words words
	line  string
}

// Exec runs one line and writes its answer. The error is for the caller to
// write; ErrQuit and ErrDie are for it to act on. It blocks until the command
// has ended.
func (s *Shell) Exec(ctx context.Context, line string) error {
	if s.timing {
		begin := time.Now()
		defer func() {
			fmt.Fprintln(s.Remarks, painter{s.Options.Color}.dim("took "+time.Since(begin).Round(10*time.Microsecond).String()))
		}()
	}
	w, err := parse(line)
	if err != nil || w.name == "" {
		return err
	}
	cmd, err := find(w.name)
	if err != nil || cmd.local == nil {
		if err == nil {
			err = s.Session.Exec(ctx, line, s.Options, s.Out, s.Remarks)
		}
		return err
	}
	if err := cmd.check(w); err != nil {
		return err
	}
	return cmd.local(s, &localCall{ctx, w, line})
}

// A LineError is the first line of a file, or of standard input, that failed.
type LineError struct {
	Source string
	Line   int
	Err    error
}

func (e *LineError) Error() string { return fmt.Sprintf("%s:%d: %v", e.Source, e.Line, e.Err) }

// Unwrap returns the line's own error.
func (e *LineError) Unwrap() error { return e.Err }

// Run executes the lines of r as they arrive, until one fails (a *LineError
// with that name and number), quits, or r ends. It blocks while r does, so
// whoever ends ctx must also end r.
func (s *Shell) Run(ctx context.Context, source string, r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine+1)
	for n := 1; lines.Scan(); n++ {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := s.Exec(ctx, lines.Text()); err != nil {
			if errors.Is(err, ErrQuit) || errors.Is(err, ErrDie) {
				return err
			}
			return &LineError{source, n, err}
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return lot.Refuse(lot.Usage, "%s: a line has more than %d characters", source, maxLine)
	}
	return lines.Err()
}

func (s *Shell) ok() error {
	c := call{opt: s.Options, paint: painter{s.Options.Color}, out: s.Out}
	if s.Options.Format == JSON {
		return c.ok("")
	}
	return nil
}

func quit(*Shell, *localCall) error { return ErrQuit }

func source(s *Shell, c *localCall) error {
	if s.depth == maxSource {
		return lot.Refuse(lot.Usage, "files source files more than %d deep", maxSource)
	}
	f, err := os.Open(c.words.args[0])
	if err != nil {
		return lot.Refuse(lot.Usage, "%v", err)
	}
	defer f.Close()
	s.depth++
	defer func() { s.depth-- }()
	return s.Run(c.ctx, c.words.args[0], f)
}

func onOff(w words) (bool, error) {
	switch w.args[0] {
	case "on":
		return true, nil
	case "off":
		return false, nil
	}
	return false, lot.Refuse(lot.Usage, "%s is on or off, not %.40s", w.name, w.args[0])
}

func timing(s *Shell, c *localCall) (err error) {
	if s.timing, err = onOff(c.words); err != nil {
		return err
	}
	return s.ok()
}

func events(s *Shell, c *localCall) error {
	on, err := onOff(c.words)
	if err != nil {
		return err
	}
	if s.Events != nil {
		s.Events(on)
	}
	return s.ok()
}

func history(s *Shell, _ *localCall) error {
	if s.History != nil && s.Options.Format == Table {
		for i, line := range s.History() {
			fmt.Fprintf(s.Out, "%5d  %s\n", i+1, line)
		}
	}
	return s.ok()
}

func clearScreen(s *Shell, _ *localCall) error {
	if s.Options.Width > 0 {
		fmt.Fprint(s.Out, "\x1b[H\x1b[2J")
	}
	return s.ok()
}

const watchEvery = 2 * time.Second

// watch runs a command again and again until ctx ends; on a screen it clears
// it each time.
func watch(s *Shell, c *localCall) error {
	every := watchEvery
	rest := strings.TrimSpace(c.line)[len(c.words.name):]
	if d, err := time.ParseDuration(c.words.args[0]); err == nil {
		if d < 50*time.Millisecond {
			return lot.Refuse(lot.Usage, "every %v is too often; 50ms is the least", d)
		}
		every = d
		rest = strings.TrimSpace(rest)[len(c.words.args[0]):]
	}
	if strings.TrimSpace(rest) == "" {
		return lot.Refuse(lot.Usage, "watch needs a command, for example watch 500ms gates")
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if s.Options.Width > 0 && s.Options.Format == Table {
			fmt.Fprintf(s.Out, "\x1b[H\x1b[2Jevery %v:%s   (Ctrl-C ends)\n", every, rest)
		}
		if err := s.Exec(c.ctx, rest); err != nil {
			if c.ctx.Err() != nil {
				return nil
			}
			return err
		}
		select {
		case <-c.ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

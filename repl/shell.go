package repl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"parking/lot"
)

// ErrQuit is the error of the command that ends a terminal.
var ErrQuit = errors.New("repl: quit")

// A Shell is one terminal's side of a Session: it runs the commands that
// concern the terminal itself and hands all others on. It belongs to one
// goroutine.
type Shell struct {
	Session Session
	Options Options
	Out     io.Writer                         // answers
	Remarks io.Writer                         // all else
	Size    func() (columns, rows int)        // of the screen that Out is; nil: it is none
	Expand  func(path string) (string, error) // resolves ~ in the name of a file; nil: nothing does
	History func() []string                   // the lines so far; nil: none are kept
	Events  func(on bool)                     // shows events or not; nil: there are none

	timing   bool
	depth    int  // of source
	watching bool // inside of watch
}

// Exec runs one line and writes its answer. The error is for the caller to
// write; ErrQuit and ErrDie are for it to act on. It blocks until the command
// has ended.
func (s *Shell) Exec(ctx context.Context, line string) error {
	w, err := parse(line)
	if err != nil || w.name == "" {
		return err
	}
	if s.Size != nil {
		s.Options.Width, _ = s.Size()
	}
	if s.timing {
		begin := time.Now()
		defer func() {
			took := time.Since(begin).Round(10 * time.Microsecond)
			fmt.Fprintln(s.Remarks, painter{s.Options.Color}.dim("took "+took.String()))
		}()
	}
	cmd, err := find(w.name)
	if err != nil {
		return err
	}
	if cmd.local == nil {
		return s.Session.Exec(ctx, line, s.Options, s.Out, s.Remarks)
	}
	if err := cmd.check(w); err != nil {
		return err
	}
	return cmd.local(s, &localCall{ctx, line, w})
}

// A LineError is the first line of a file, or of standard input, that failed.
type LineError struct {
	Source string
	Line   int
	Err    error
}

func (e *LineError) Error() string { return fmt.Sprintf("%s:%d: %s", e.Source, e.Line, Plain(e.Err)) }

// Unwrap returns the line's own error.
func (e *LineError) Unwrap() error { return e.Err }

// Run executes the lines of r as they arrive, until one fails (a *LineError
// with that name and number), quits, or r ends. It blocks while r does, so
// whoever ends ctx must also end r.
func (s *Shell) Run(ctx context.Context, source string, r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine+2) // a newline, too
	n := 1
	for ; lines.Scan(); n++ {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		text := lines.Text()
		if n == 1 {
			text = strings.TrimPrefix(text, "\ufeff") // as some editors begin a file
		}
		err := s.Exec(ctx, text)
		switch {
		case errors.Is(err, ErrQuit), errors.Is(err, ErrDie):
			return err
		case err != nil:
			return &LineError{source, n, err}
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return &LineError{source, n, lot.Refuse(lot.Usage, "the line has more than %d bytes", maxLine)}
	case err != nil:
		return &LineError{source, n, err}
	}
	return nil
}

package prompt

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Errors that Run returns before it has touched the terminal.
var (
	ErrNotTerminal = errors.New("prompt: not the controlling terminal")
	ErrRunning     = errors.New("prompt: already running")
)

// A Suggestion is one way to complete the word before the cursor: Text takes
// the word's place, Description stands beside it in the menu. A word begins
// after the last blank or, inside a quote that is still open, after that
// quote. Neither may hold characters that are not printable, nor Text be empty;
// such suggestions are left out.
type Suggestion struct {
	Text        string
	Description string
}

// A Config says what a prompt looks like and what it does. Prompt and Exec are
// required. Run calls the functions from the goroutine that called it.
type Config struct {
	// In and Out must both be the controlling terminal. Run reads and draws
	// through a descriptor of its own; the files stay the caller's.
	In, Out *os.File

	// Prompt returns the text before the line, without control characters.
	// It is asked before each line.
	Prompt func() string

	// Color is the prompt's colour: one of the terminal's 256, by number. 0 is
	// the terminal's default.
	Color int

	// NoColor keeps every SGR sequence off the terminal, but for those in
	// events and in the output of Exec.
	NoColor bool

	// Exec runs one line, which is not blank, and reports whether Run is to
	// end. It has the terminal for itself: it may write whole lines to Out,
	// or run a program that reads In, in which case keys are not echoed and
	// come one by one. Those that nobody reads are kept for the next prompt.
	// Its context is done when Run's is and on Interrupt, and Exec should
	// then return soon: Run waits for it.
	Exec func(ctx context.Context, line string) (quit bool)

	// Complete returns the suggestions for a line of which this much stands
	// before the cursor. It is called at every key and must not block. It may
	// be nil.
	Complete func(textBeforeCursor string) []Suggestion

	// Events are lines to show above the one being typed, without the newline
	// at the end. Run never stops receiving them: those that cannot be shown
	// yet, because a command runs or the terminal does not keep up, are
	// queued, and the oldest are dropped when there are too many. Events may
	// be nil, or be closed.
	Events <-chan string

	// Resize is sent to when the window's size has changed (SIGWINCH), or the
	// program goes on after it was stopped (SIGCONT). It may
	// be nil.
	Resize <-chan struct{}

	// Interrupt is sent to on SIGINT, which Ctrl-C causes only while Exec
	// runs. It cancels the context of Exec and discards what was typed ahead,
	// such as the rest of a paste. Otherwise it does nothing. It may be nil.
	Interrupt <-chan struct{}

	// History is what the arrows and Ctrl-R call back. Run adds the lines that
	// are entered. It may be nil.
	History *History

	// Remember is called with each line before it is executed, when History
	// has it. It may be nil.
	Remember func(line string)
}

func (c Config) validate() error {
	if c.Prompt == nil || c.Exec == nil {
		return errors.New("prompt: Config lacks Prompt or Exec")
	}
	if c.Color < 0 || c.Color > 255 {
		return fmt.Errorf("prompt: Config has the unknown color %d", c.Color)
	}
	return nil
}

// Run reads lines from the terminal and executes them, until Exec asks it to
// stop, Ctrl-D is typed on an empty line, or the terminal is gone: then it
// returns nil. When ctx is done it returns ctx.Err(), at once unless it has to
// wait for Exec. It returns ErrNotTerminal without a terminal, and ErrRunning
// when another Run is in progress, as a process has one terminal to restore.
//
// Run restores the modes of the terminal whenever it returns, and also when a
// function of cfg panics; the panic is passed on. When Run returns, no
// goroutine is left of those it started. One descriptor of /dev/tty stays
// open per call, which go-prompt opens and never closes.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	tty, err := openTerminal(cfg.In, cfg.Out)
	if err != nil {
		return err
	}
	s := newSession(cfg, tty)
	defer s.close()
	s.start(ctx)
	return s.loop(ctx)
}

// Restore puts the terminal back at once and for good, for a process that is
// about to end without returning from Run. It may be called from any
// goroutine, at any time and repeatedly, and does nothing unless Run is in
// progress. It hardly blocks, even if the terminal has stopped reading.
func Restore() {
	if t := active.Load(); t != nil {
		t.restore()
	}
}

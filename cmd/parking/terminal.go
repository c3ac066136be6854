package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"

	"github.com/fatih/color"
	"golang.org/x/term"

	"parking/repl"
	"parking/repl/prompt"
)

// console is how a session is driven: from a terminal, from standard input, or
// by the commands given.
type console struct {
	terminal
	session repl.Session
	name    string // the node's
	die     func() // ends the process, where the node is in it
	signals *signals
}

// isTerminal reports whether there is somebody to prompt.
func isTerminal() bool {
	return term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd()))
}

// interactive reports whether the console will prompt.
func (t *terminal) interactive() bool { return len(t.Commands) == 0 && t.File == "" && isTerminal() }

// run drives the session until it is done or ctx ends.
func (c *console) run(ctx context.Context) error {
	opt, err := c.options(term.IsTerminal(int(os.Stdout.Fd())))
	if err != nil {
		return err
	}
	shell := &repl.Shell{Session: c.session, Options: opt, Out: os.Stdout, Remarks: os.Stderr}
	switch {
	case len(c.Commands) > 0:
		for _, line := range c.Commands {
			if err = shell.Exec(ctx, line); err != nil {
				break
			}
		}
	case c.File != "":
		var f *os.File
		if f, err = os.Open(c.File); err != nil {
			return err
		}
		defer f.Close()
		err = shell.Run(ctx, c.File, f)
	case isTerminal():
		return c.prompt(ctx, shell)
	default:
		err = c.pipe(ctx, shell)
	}
	return c.finish(err, shell)
}

// pipe runs the lines of standard input as they arrive.
func (c *console) pipe(ctx context.Context, shell *repl.Shell) error {
	done := make(chan error, 1)
	go func() { done <- shell.Run(ctx, "stdin", os.Stdin) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done(): // the read stays behind; the process ends soon
		return ctx.Err()
	}
}

// finish tells an error as far as it is not told, and makes it an exit code.
func (c *console) finish(err error, shell *repl.Shell) error {
	var line *repl.LineError
	switch {
	case err == nil, errors.Is(err, repl.ErrQuit):
		return nil
	case errors.Is(err, repl.ErrDie):
		c.kill()
		return nil
	case c.signals.received.Load() != 0:
		return nil // exit tells the code
	case errors.As(err, &line):
		if shell.Options.Format == repl.JSON {
			repl.WriteFailure(line.Err, shell.Options, os.Stdout, os.Stderr)
		}
		fmt.Fprintln(os.Stderr, line)
	default:
		repl.WriteFailure(err, shell.Options, os.Stdout, os.Stderr)
	}
	return exitError(exitFailed)
}

func (c *console) kill() {
	if c.die != nil {
		c.die()
	}
}

// prompt runs the session at the terminal.
func (c *console) prompt(ctx context.Context, shell *repl.Shell) error {
	c.signals.prompting.Store(true)
	defer c.signals.prompting.Store(false)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	var showing atomic.Bool
	showing.Store(true)
	lines := make(chan string)
	watched := make(chan error, 1)
	go func() {
		watched <- c.session.Watch(ctx, shell.Options, func(line string) {
			if !showing.Load() {
				return
			}
			select {
			case lines <- line:
			case <-ctx.Done():
			}
		})
		cancel() // the node is gone
	}()

	var history []string
	shell.Remarks = os.Stdout
	shell.History = func() []string { return history }
	shell.Events = func(on bool) { showing.Store(on) }
	err := prompt.Run(ctx, prompt.Config{
		In: os.Stdin, Out: os.Stdout,
		Prompt:  func() string { return c.name + "> " },
		Color:   promptColor(c.name),
		NoColor: !shell.Options.Color,
		Exec: func(ctx context.Context, line string) (quit bool) {
			history = append(history, line)
			if len(history) > maxHistory {
				history = history[1:]
			}
			return c.exec(ctx, shell, line)
		},
		Complete:  complete,
		Events:    lines,
		Resize:    c.signals.Resize,
		Interrupt: c.signals.Interrupt,
	})
	ended := ctx.Err() != nil
	cancel()
	gone := <-watched
	if ended && errors.Is(gone, repl.ErrGone) && c.signals.received.Load() == 0 {
		fmt.Fprintf(os.Stderr, "%s is gone\n", c.name)
		return exitError(exitFailed)
	}
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// maxHistory is how many lines a terminal remembers.
const maxHistory = 1000

// exec runs one line typed at the prompt and writes its error.
func (c *console) exec(ctx context.Context, shell *repl.Shell, line string) (quit bool) {
	width, height, err := term.GetSize(int(os.Stdout.Fd()))
	if err == nil {
		shell.Options.Width = width
	}
	var page strings.Builder
	pages := height > 0 && strings.HasPrefix(strings.TrimSpace(line), "read")
	shell.Out = os.Stdout
	if pages {
		shell.Out = &page
	}
	err = shell.Exec(ctx, line)
	if pages {
		show(page.String(), height)
	}
	switch {
	case errors.Is(err, repl.ErrQuit):
		return true
	case errors.Is(err, repl.ErrDie):
		c.kill()
		return true
	case err != nil:
		repl.WriteFailure(err, shell.Options, os.Stdout, os.Stdout)
	}
	return false
}

// show writes text, through a pager if it does not fit the window and there is
// one.
func show(text string, height int) {
	if strings.Count(text, "\n") >= height {
		pager := os.Getenv("PAGER")
		if pager == "" {
			pager = "less -R"
		}
		args := strings.Fields(pager)
		if path, err := exec.LookPath(args[0]); err == nil {
			cmd := exec.Command(path, args[1:]...)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(text), os.Stdout, os.Stderr
			if cmd.Run() == nil {
				return
			}
		}
	}
	_, _ = io.WriteString(os.Stdout, text)
}

func complete(before string) (out []prompt.Suggestion) {
	for _, s := range repl.Complete(before) {
		out = append(out, prompt.Suggestion{Text: s.Text, Description: s.Description})
	}
	return out
}

// promptColor is a node's colour in the prompt's terms; both are SGR's.
func promptColor(name string) prompt.Color {
	return prompt.Color(repl.NodeColor(name) - color.FgBlack + 30)
}

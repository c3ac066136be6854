package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"parking/repl"
	"parking/repl/prompt"
)

// A console drives a session: by the commands given, from a file, from
// standard input, or from a terminal.
type console struct {
	terminal
	aside   *aside
	signals *signals
	shell   *repl.Shell
	scripts []*os.File // of -f
	showing atomic.Bool

	greeted string // what the user knows already, not to be told as an event

	// Set by serve.
	name, cluster string      // the node's
	die           func()      // ends the process, where the node is in it; else nil
	killed        func() bool // where it is not: whether it was told to die from here
}

// newConsole returns a console that lacks a session yet.
func newConsole(t terminal, sig *signals) (*console, error) {
	c := &console{terminal: t, aside: new(aside), signals: sig}
	// Remarks take the same colours as answers, so both must show them.
	opt, err := c.options(term.IsTerminal(int(os.Stdout.Fd())) && term.IsTerminal(int(os.Stderr.Fd())))
	if err != nil {
		return nil, err
	}
	for _, name := range c.Files {
		f, err := openScript(name)
		if err != nil {
			c.close()
			return nil, err
		}
		c.scripts = append(c.scripts, f)
	}
	c.shell = &repl.Shell{Options: opt, Out: os.Stdout, Remarks: os.Stderr, Events: c.showing.Store}
	c.shell.Expand = expand
	return c, nil
}

func (c *console) close() {
	for _, f := range c.scripts {
		if f != nil {
			f.Close()
		}
	}
}

// openScript opens a file of commands. A pipe, which has to be waited for, is
// opened when its turn comes: till then it is nil.
func openScript(name string) (*os.File, error) {
	path, err := expand(name)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil && info.Mode()&fs.ModeNamedPipe != 0 {
		return nil, nil
	}
	return repl.OpenCommands(name, path, true)
}

// script runs the commands of a file.
func (c *console) script(ctx context.Context, name string, f *os.File) error {
	if f == nil {
		path, err := expand(name)
		if err == nil {
			f, err = repl.OpenCommands(name, path, true)
		}
		if err != nil {
			return err
		}
		defer f.Close()
	}
	return c.shell.Run(ctx, name, f)
}

// serve gives the console its session; die is nil where the node is in another
// process.
func (c *console) serve(s repl.Session, name, cluster string, die func()) {
	c.shell.Session, c.name, c.cluster, c.die = s, name, cluster, die
}

// scripted reports whether the commands come from flags.
func (t *terminal) scripted() bool { return len(t.Commands) > 0 || len(t.Files) > 0 }

// interactive reports whether the console prompts: whether there is somebody.
func (t *terminal) interactive() bool {
	return !t.scripted() && term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd()))
}

// abandonAfter is how long a command may take to end after its context has:
// one that waits for a file or a terminal that nobody serves never does.
const abandonAfter = 2 * time.Second

// run drives the session until it is done or ctx ends. The error is for tell.
func (c *console) run(ctx context.Context) error {
	done := make(chan error, 1)
	go func() { done <- c.drive(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(abandonAfter): // it stays behind; the process ends soon
		prompt.Restore()
		return ctx.Err()
	}
}

// drive is run, and returns when all has ended.
func (c *console) drive(ctx context.Context) error {
	switch {
	case len(c.Commands) > 0:
		for _, line := range c.Commands {
			if err := c.shell.Exec(ctx, line); err != nil {
				return err
			}
		}
		return nil
	case len(c.scripts) > 0:
		for i, f := range c.scripts {
			if err := c.script(ctx, c.Files[i], f); err != nil {
				return err
			}
		}
		return nil
	case c.interactive() && os.Getenv("TERM") == "dumb":
		return c.plain(ctx)
	case c.interactive():
		if err := c.prompt(ctx); !errors.Is(err, prompt.ErrNotTerminal) {
			return err
		}
	}
	return c.pipe(ctx)
}

// afterwords is how long a command that the node's end has cut short may take
// to say so itself.
const afterwords = 200 * time.Millisecond

// pipe runs the lines of standard input as they arrive.
func (c *console) pipe(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	gone := c.watch(ctx, func(line string) { fmt.Fprintln(c.aside, line) })
	done := make(chan error, 1)
	go func() { done <- c.shell.Run(ctx, "stdin", os.Stdin) }()
	select {
	case err := <-done:
		return err
	case <-gone:
	}
	if ctx.Err() != nil {
		return ctx.Err() // the read stays behind; the process ends soon
	}
	select {
	case err := <-done:
		return err
	case <-time.After(afterwords):
		return goneError(c.name)
	}
}

// watch shows events while they are to be shown, until ctx ends or the node
// does: then the channel is closed.
func (c *console) watch(ctx context.Context, show func(line string)) <-chan struct{} {
	ended := make(chan struct{})
	tell := c.shell.Session.Watch(ctx, c.shell.Options)
	go func() {
		defer close(ended)
		_ = tell(func(line string) {
			known := c.greeted != "" && strings.HasSuffix(line, c.greeted)
			c.greeted = ""
			if c.showing.Load() && !known {
				show(line)
			}
		})
	}()
	return ended
}

// goneError is the error of a console whose node has ended.
type goneError string

func (e goneError) Error() string { return string(e) + " is gone" }

// Unwrap returns what the session would have said.
func (e goneError) Unwrap() error { return repl.ErrGone }

// tell tells an error of run and makes it one for exitCode. A node that is to
// die does so here.
func (c *console) tell(err error) error {
	var line *repl.LineError
	switch {
	case err == nil, errors.Is(err, repl.ErrQuit):
		return nil
	case errors.Is(err, repl.ErrDie):
		c.kill()
		return nil
	case c.signals.ended() != 0:
		return nil // the signal is the reason, and its code the program's
	case errors.As(err, &line):
		if c.shell.Options.Format == repl.JSON {
			repl.WriteFailure(line.Err, c.shell.Options, os.Stdout, io.Discard)
		}
		fmt.Fprintln(os.Stderr, line)
	default:
		repl.WriteFailure(err, c.shell.Options, os.Stdout, os.Stderr)
	}
	return exitError(exitFailed)
}

func (c *console) kill() {
	if c.die != nil {
		c.die()
	}
}

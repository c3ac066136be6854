package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"parking/repl"
)

// plain is the prompt where the terminal can do nothing but print (TERM=dumb),
// as in an editor's shell: no line editing, and nothing that was written is
// written over, which suits a screen reader too. The terminal itself echoes and
// edits the line; events come between the lines.
func (c *console) plain(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.showing.Store(true)
	c.signals.prompting.Store(true)
	defer c.signals.prompting.Store(false)
	gone := c.watch(ctx, func(line string) { fmt.Println(line) })
	lines := make(chan string)
	go func() { // stays behind in its read; the process ends soon
		defer close(lines)
		in := bufio.NewReader(os.Stdin)
		for {
			line, err := in.ReadString('\n')
			if err != nil && (line == "" || !errors.Is(err, io.EOF)) {
				return
			}
			select {
			case lines <- line:
			case <-ctx.Done():
				return
			}
		}
	}()
	c.shell.Out, c.shell.Remarks = os.Stdout, os.Stdout
	for {
		fmt.Print(c.name + "> ")
		select {
		case <-gone:
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return goneError(c.name)
		case <-c.signals.Interrupt:
			fmt.Println()
		case line, ok := <-lines:
			if !ok {
				c.signals.settle()
				return nil
			}
			if quit := c.interruptible(ctx, line); quit {
				c.signals.settle()
				return nil
			}
		}
	}
}

// interruptible runs one line, which an interrupt cancels.
func (c *console) interruptible(ctx context.Context, line string) (quit bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-c.signals.Interrupt:
			fmt.Println() // behind the echo of the key
			cancel()
		case <-done:
		}
	}()
	return c.concluded(c.shell.Exec(ctx, line))
}

// concluded writes the error of a line typed at a prompt, and reports whether
// the prompt ends with it.
func (c *console) concluded(err error) (quit bool) {
	switch {
	case errors.Is(err, repl.ErrQuit):
		return true
	case errors.Is(err, repl.ErrDie):
		c.kill()
		return true
	case err != nil:
		repl.WriteFailure(err, c.shell.Options, os.Stdout, os.Stdout)
	}
	return c.killed != nil && c.killed()
}

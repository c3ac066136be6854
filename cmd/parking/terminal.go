package main

import (
	"context"
	"errors"
	"os"

	"golang.org/x/term"

	"parking/repl"
	"parking/repl/prompt"
)

// prompt runs the session at the terminal.
func (c *console) prompt(ctx context.Context) error {
	past, remember := c.history()
	c.shell.History, c.shell.Size = past.Lines, windowSize
	ctx, cancel := context.WithCancelCause(ctx)
	events := make(chan string)
	above := func(line string) {
		width, _ := windowSize()
		select {
		case events <- repl.Wrap(line, 2, width):
		case <-ctx.Done():
		}
	}
	c.showing.Store(true)
	c.aside.put(above)
	inBackground()
	c.signals.prompting.Store(true)
	gone := c.watch(ctx, above)
	defer func() {
		cancel(nil)
		<-gone
		c.signals.prompting.Store(false)
		c.aside.put(nil)
		c.showing.Store(false)
	}()
	go func() {
		<-gone
		cancel(goneError(c.name)) // unless something else has come first
	}()

	err := prompt.Run(ctx, prompt.Config{
		In: os.Stdin, Out: os.Stdout,
		Prompt:    func() string { return c.name + "> " },
		Color:     int(repl.NodeColor(c.name)),
		NoColor:   !c.shell.Options.Color,
		Exec:      c.exec,
		Complete:  func(before string) []prompt.Suggestion { return c.complete(ctx, before) },
		Events:    events,
		Resize:    c.signals.Resize,
		Interrupt: c.signals.Interrupt,
		History:   past,
		Remember:  remember,
	})
	if !errors.Is(err, prompt.ErrNotTerminal) {
		c.signals.settle()
	}
	if errors.Is(err, context.Canceled) {
		return context.Cause(ctx)
	}
	return err
}

// windowSize returns the size of the window that standard output is, or of the
// customary one while a new pseudo-terminal has none.
func windowSize() (columns, rows int) {
	if w, h, err := term.GetSize(int(os.Stdout.Fd())); err == nil && w > 0 && h > 0 {
		return w, h
	}
	return 80, 24
}

// exec runs one line typed at the prompt and writes its answer and its error.
func (c *console) exec(ctx context.Context, line string) (quit bool) {
	_, height := windowSize()
	page := pager{height: height}
	c.shell.Out, c.shell.Remarks = os.Stdout, os.Stdout
	if c.shell.Options.Format == repl.Table && repl.Pages(line) {
		c.shell.Out, c.shell.Remarks = &page, &page
	}
	err := c.shell.Exec(ctx, line)
	page.show(ctx)
	return c.concluded(err)
}

func (c *console) complete(ctx context.Context, before string) (out []prompt.Suggestion) {
	for _, s := range c.shell.Complete(ctx, before) {
		out = append(out, prompt.Suggestion(s))
	}
	return out
}

package prompt

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"time"

	goprompt "github.com/c-bata/go-prompt"
	"github.com/mattn/go-runewidth"
	"golang.org/x/sys/unix"
)

// escapeTime is how long an Esc waits for the rest of a sequence before it
// counts as a key.
const escapeTime = 100 * time.Millisecond

// A session is one Run.
type session struct {
	cfg    Config
	tty    *terminal
	events *eventQueue
	keys   *keyboard
	screen *screen
	menu   *completer
	input  *goprompt.Prompt

	place int // of the cursor in prompt and line, where Input left it

	done    chan struct{} // closed when Run is about to return
	started sync.WaitGroup
}

func newSession(cfg Config, tty *terminal) *session {
	if cfg.Complete == nil {
		cfg.Complete = func(string) []Suggestion { return nil }
	}
	if cfg.History == nil {
		cfg.History = NewHistory()
	}
	s := &session{cfg: cfg, tty: tty, events: new(eventQueue), done: make(chan struct{})}
	s.keys = newKeyboard(tty, s.events)
	s.menu = &completer{
		suggest: cfg.Complete,
		keys:    s.keys,
		tty:     tty,
		history: cfg.History,
	}
	s.screen = &screen{tty: tty, keys: s.keys, events: s.events, menu: s.menu, noColor: cfg.NoColor}
	s.input = goprompt.New(func(string) {}, s.menu.complete, s.options()...)
	s.menu.adjust = adjustPrompt(s.input)
	return s
}

// start starts the goroutines that close waits for.
func (s *session) start(ctx context.Context) {
	s.tty.write([]byte(pasteOn))
	s.started.Go(s.guarded(s.readKeys))
	s.started.Go(s.guarded(func() { s.receive(ctx) }))
}

// guarded returns f with care taken that a panic, which ends the process
// without the calls that Run deferred, leaves the terminal in order.
func (s *session) guarded(f func()) func() {
	return func() {
		defer func() {
			if p := recover(); p != nil {
				s.tty.restore()
				panic(p)
			}
		}()
		f()
	}
}

// close ends the session: no goroutine is left, and the terminal is as it was.
func (s *session) close() {
	close(s.done)
	s.keys.close()
	s.tty.hurry()
	s.screen.showRemaining()
	s.tty.close()
	s.started.Wait()
}

// loop asks for lines and executes them.
func (s *session) loop(ctx context.Context) error {
	for {
		line, ok := s.readLine()
		if !ok {
			return ctx.Err()
		}
		if strings.TrimSpace(line) == "" {
			continue
		}
		s.cfg.History.Add(line)
		if s.cfg.Remember != nil {
			s.cfg.Remember(line)
		}
		if s.exec(ctx, line) {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// readLine returns the next line, or false when the session is over.
func (s *session) readLine() (string, bool) {
	s.menu.prefix = s.cfg.Prompt()
	s.menu.reset()
	// The option cannot fail. go-prompt appends to what it is given.
	_ = goprompt.OptionHistory(s.cfg.History.Lines())(s.input)
	for {
		line := s.input.Input()
		switch s.keys.why() {
		case entered:
			return line, true
		case ended:
			return "", false
		}
		s.menu.reset()
		_, cols := s.tty.size()
		s.screen.backToStart(s.place, cols)
	}
}

// lineBroken is called when go-prompt has moved on from a line.
func (s *session) lineBroken(d *goprompt.Document) {
	switch s.keys.stage() {
	case interrupt:
		s.menu.prefix = s.cfg.Prompt() // a new line, but still the same Input
	case leave:
		s.place = runewidth.StringWidth(s.menu.prefix) + runewidth.StringWidth(d.TextBeforeCursor())
	}
}

// exec runs a line that Ctrl-C can cancel.
func (s *session) exec(ctx context.Context, line string) (quit bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.keys.beginCommand(cancel)
	defer s.keys.endCommand()
	return s.cfg.Exec(ctx, line)
}

// readKeys reads the terminal until it is closed or gone, but not while a
// command runs.
func (s *session) readKeys() {
	var t tokenizer
	buf := make([]byte, 4096)
	for {
		var deadline time.Time
		if t.escapePending() {
			deadline = time.Now().Add(escapeTime)
		}
		if !s.keys.turn(deadline) {
			return
		}
		n, err := s.tty.file.Read(buf)
		s.keys.typed(t.feed(buf[:n]))
		switch {
		case err == nil:
		case errors.Is(err, unix.EIO) && s.tty.background():
			if !s.foreground() {
				return
			}
		case !errors.Is(err, os.ErrDeadlineExceeded):
			s.keys.end()
			return
		case t.escapePending():
			s.keys.typed([]token{t.escape()})
		}
	}
}

// backgroundLook is how often is looked whether the terminal is ours again. No
// signal says so where the shell knows that the process runs.
const backgroundLook = 50 * time.Millisecond

// foreground waits until the terminal is ours again, and returns false if the
// session has ended before.
func (s *session) foreground() bool {
	for s.tty.background() {
		select {
		case <-s.done:
			return false
		case <-time.After(backgroundLook):
		}
	}
	return true
}

// receive passes on what comes from outside, until the session is closed. It
// never waits for the terminal.
func (s *session) receive(ctx context.Context) {
	events, resize, interrupt, done := s.cfg.Events, s.cfg.Resize, s.cfg.Interrupt, ctx.Done()
	var look <-chan time.Time // while the terminal is not ours
	back := false             // it is ours since the last look: the shell may put its modes in force yet
	for {
		select {
		case <-s.done:
			return
		case <-done:
			done = nil
			s.tty.hurry()
			s.keys.end()
		case line, ok := <-events:
			if !ok {
				events = nil
				continue
			}
			s.events.push(line)
			s.keys.wake()
		case _, ok := <-resize:
			if !ok {
				resize = nil
				continue
			}
			s.keys.redraw()
			if s.tty.background() {
				look = time.After(backgroundLook)
			}
		case <-look:
			was := back
			if back = !s.tty.background(); was && back {
				look, back = nil, false
				s.keys.redraw()
				continue
			}
			look = time.After(backgroundLook)
		case _, ok := <-interrupt:
			if !ok {
				interrupt = nil
				continue
			}
			s.keys.interrupt()
		}
	}
}

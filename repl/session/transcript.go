package session

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"parking/repl"
)

// A transcript is what a run shows, on its screen and in its recording. What
// the nodes tell of themselves never comes into a line, nor into an answer. It
// is safe for concurrent use.
type transcript struct {
	out   io.Writer
	color bool // on the screen
	pace  time.Duration
	rec   *Recording // nil: there is none

	mu     sync.Mutex
	open   bool // the last line lacks its end
	busy   bool // a line or an answer is being written
	events []string
	missed int
	err    error // of out, the first
}

// painter colours what is written: both readers take colours, or the one that
// does not gets it without.
func (t *transcript) painter() painter {
	return painter{t.color || t.rec != nil && t.rec.color}
}

// Write implements io.Writer: it writes a part of an answer.
func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.busy = true
	return len(p), t.both(string(p))
}

// both writes to screen and recording. The caller holds mu.
func (t *transcript) both(s string) error {
	if t.rec != nil {
		_, _ = t.rec.Write([]byte(s)) // Close tells
	}
	return t.screen(s)
}

func (t *transcript) screen(s string) error {
	if !t.color && strings.Contains(s, "\x1b") {
		s = text.StripEscape(s)
	}
	if t.err == nil && s != "" {
		_, t.err = t.out.Write([]byte(s))
		t.open = !strings.HasSuffix(s, "\n")
	}
	return t.err
}

// prose shows a line that is no step.
func (t *transcript) prose(ctx context.Context, s string) error {
	if s != "" {
		t.pause(ctx)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.both(s + "\n")
}

// failed returns why the screen cannot be written to, if it cannot.
func (t *transcript) failed() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// step shows a step as it is typed behind a prompt, if there is one. The line
// stays open until ran.
func (t *transcript) step(ctx context.Context, prompt, typed string) error {
	t.pause(ctx)
	t.mu.Lock()
	t.busy = true
	if t.rec != nil {
		t.rec.typed(prompt, typed)
	}
	err := t.screen(prompt)
	t.mu.Unlock()
	keys := []string{typed}
	if t.pace > 0 {
		keys = keystrokes(typed)
	}
	for _, k := range keys {
		if err != nil {
			return err
		}
		t.still(func() { sleep(ctx, keystroke(t.pace)) })
		t.mu.Lock()
		err = t.screen(k)
		t.mu.Unlock()
	}
	return err
}

// enter ends the line of a step, as the Enter key does.
func (t *transcript) enter() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rest(t.both("\n"))
}

// settle ends an answer, if there was one, and a line that has no end.
func (t *transcript) settle() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	err := t.err
	if t.open {
		err = t.both("\n")
	}
	return t.rest(err)
}

// rest writes the events that waited. The caller holds mu.
func (t *transcript) rest(err error) error {
	t.busy = false
	for _, e := range t.events {
		err = t.both(e + "\n")
	}
	if t.missed > 0 {
		err = t.both(fmt.Sprintf("... %s not shown\n", repl.Count(t.missed, "event")))
	}
	t.events, t.missed = nil, 0
	return err
}

// maxEvents bounds the events that wait for the end of a line.
const maxEvents = 1000

// event shows what a node tells: at once, or after the line or the answer that
// is being written.
func (t *transcript) event(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case !t.busy:
		_ = t.both(line + "\n") // the next to write is told
	case len(t.events) < maxEvents:
		t.events = append(t.events, line)
	default:
		t.missed++
	}
}

// pause lets the reader read.
func (t *transcript) pause(ctx context.Context) {
	if t.rec != nil {
		t.rec.skip(t.rec.pace)
	}
	t.still(func() { sleep(ctx, t.pace) })
}

// still does what takes time that is none of the recording's.
func (t *transcript) still(do func()) {
	if t.rec != nil {
		t.rec.stop()
		defer t.rec.resume()
	}
	do()
}

// sleep is over early when ctx is.
func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// keystroke is how long a key takes, at that pace.
func keystroke(pace time.Duration) time.Duration { return min(pace/20, 80*time.Millisecond) }

var oneKey = regexp.MustCompile(`(?:\x1b\[[0-9;]*m)*[^\x1b](?:\x1b\[[0-9;]*m)*`)

// keystrokes returns a line character by character, colours beside them.
func keystrokes(s string) []string { return oneKey.FindAllString(s, -1) }

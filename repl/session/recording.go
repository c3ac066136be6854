package session

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/text"
)

// RecordConfig says what is recorded, and how.
type RecordConfig struct {
	Path          string // of the file: .cast for an asciicast, .svg for a still
	Title         string
	Width, Height int           // of the terminal that it is played in
	Term, Shell   string        // likewise
	Color         bool          // keep colours
	Pace          time.Duration // as Config's, but nobody waits for it
}

// A Recording keeps a transcript in a file. Its clock is its own: it goes while
// nodes are at work, leaps over the pauses of its pace, and stands still while
// somebody waits at the screen. It is safe for concurrent use.
type Recording struct {
	pace  time.Duration
	color bool
	form  form

	mu    sync.Mutex
	at    time.Duration // when the clock was last set
	since time.Time     // from when it goes on; zero: it stands still
	part  []byte        // the begin of a character
	err   error
}

// A form is what a recording is written as.
type form interface {
	// write adds what was shown at a time since the begin, never before the
	// last one's.
	write(at time.Duration, s string) error
	// close writes what is left, and closes the file. passed tells whether all
	// that was recorded did.
	close(passed bool) error
}

// CheckRecording refuses the name of a file that nothing can be recorded to.
func CheckRecording(path string) error {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".cast", ".svg":
		return nil
	}
	return fmt.Errorf("a recording is a .cast to play or an .svg to look at, not %.80q", filepath.Base(path))
}

// Record begins a recording: from now on the file can be written to. Close it.
func Record(cfg RecordConfig) (*Recording, error) {
	if err := CheckRecording(cfg.Path); err != nil {
		return nil, err
	}
	begin := newCast
	if strings.ToLower(filepath.Ext(cfg.Path)) == ".svg" {
		begin = newStill
	}
	f, err := begin(cfg)
	if err != nil {
		return nil, err
	}
	return &Recording{pace: cfg.Pace, color: cfg.Color, form: f, since: time.Now()}, nil
}

// Write implements io.Writer. Close tells the error, too.
func (r *Recording) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(p), r.write(string(p))
}

func (r *Recording) write(s string) error {
	b := append(r.part, s...)
	n := whole(b)
	s, r.part = string(b[:n]), bytes.Clone(b[n:])
	if !r.color {
		s = text.StripEscape(s)
	}
	if r.err == nil && s != "" {
		r.err = r.form.write(r.now(), s)
	}
	return r.err
}

// whole returns how many bytes of b do not belong to a character that is cut
// at its end.
func whole(b []byte) int {
	for i := len(b) - 1; i >= 0 && i >= len(b)-utf8.UTFMax; i-- {
		if utf8.RuneStart(b[i]) {
			if utf8.FullRune(b[i:]) {
				break
			}
			return i
		}
	}
	return len(b)
}

// typed shows what somebody types behind a prompt.
func (r *Recording) typed(prompt, typed string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.write(prompt)
	for _, k := range keystrokes(typed) {
		r.at += keystroke(r.pace)
		_ = r.write(k)
	}
}

// now returns the time of the recording's clock.
func (r *Recording) now() time.Duration {
	if r.since.IsZero() {
		return r.at
	}
	return r.at + time.Since(r.since)
}

func (r *Recording) skip(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at += d
}

func (r *Recording) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at, r.since = r.now(), time.Time{}
}

func (r *Recording) resume() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.since = time.Now()
}

// Close ends the recording and returns what went wrong with it first. A still
// is drawn only of what has passed; else the file is left as it was.
func (r *Recording) Close(passed bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Join(r.err, r.form.close(passed))
}

// A cast is a recording for asciinema, in version 2 of its format:
// https://docs.asciinema.org/manual/asciicast/v2/
type cast struct{ file *os.File }

func newCast(cfg RecordConfig) (form, error) {
	file, err := os.Create(cfg.Path)
	if err != nil {
		return nil, err
	}
	header := struct {
		Version   int               `json:"version"`
		Width     int               `json:"width"`
		Height    int               `json:"height"`
		Timestamp int64             `json:"timestamp"`
		Title     string            `json:"title"`
		Env       map[string]string `json:"env"`
	}{2, cfg.Width, cfg.Height, time.Now().Unix(), cfg.Title, map[string]string{"TERM": cfg.Term, "SHELL": cfg.Shell}}
	c := &cast{file}
	if err := c.line(header); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return c, nil
}

// line writes one line of the file, which is whole whatever happens next.
func (c *cast) line(v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := c.file.Write(b.Bytes())
	return err
}

func (c *cast) write(at time.Duration, s string) error {
	seconds := math.Round(at.Seconds()*1e6) / 1e6
	return c.line([]any{seconds, "o", strings.ReplaceAll(s, "\n", "\r\n")})
}

func (c *cast) close(bool) error { return c.file.Close() }

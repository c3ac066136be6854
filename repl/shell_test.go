package repl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parking/lot"
)

// echo is a session that answers a line with itself. It fails the line
// "gates", and blocks on "members" until ctx ends.
type echo struct {
	lines []string
	opt   Options // of the latest
}

func (e *echo) Exec(ctx context.Context, line string, opt Options, out, remarks io.Writer) error {
	e.lines, e.opt = append(e.lines, line), opt
	switch line := strings.TrimSpace(line); {
	case strings.HasPrefix(line, "gates"):
		return lot.Refuse(lot.Timeout, "no gates")
	case strings.HasPrefix(line, "members"):
		<-ctx.Done()
		return lot.Refuse(lot.Refused, "interrupted")
	case strings.HasPrefix(line, "kill-node"):
		return ErrDie
	case line == "status":
		fmt.Fprintln(out, "one\ntwo\nthree")
		return nil
	}
	fmt.Fprintf(out, "%s\n", line)
	return nil
}

func (e *echo) Watch(ctx context.Context, _ Options) func(func(string)) error {
	return func(func(string)) error {
		<-ctx.Done()
		return ctx.Err()
	}
}

func (e *echo) Complete(_ context.Context, before string) []Suggestion {
	return []Suggestion{{Text: "echo:" + before}}
}

// seat is a shell on an echo, and what it wrote.
type seat struct {
	Shell
	echo         echo
	out, remarks strings.Builder
}

func newSeat(opt Options) *seat {
	s := &seat{}
	s.Shell = Shell{Session: &s.echo, Options: opt, Out: &s.out, Remarks: &s.remarks}
	return s
}

func TestShellHandsOn(t *testing.T) {
	s := newSeat(Options{Format: Table})
	for _, line := range []string{`read`, `track_entry "A  B" 1 # so`, ` spaces `, ``, `# nothing`} {
		if err := s.Exec(t.Context(), line); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	equal(t, "what was handed on", strings.Join(s.echo.lines, "|"), "read|track_entry \"A  B\" 1 # so| spaces ")
	for line, want := range map[string]string{
		`raed`: "unknown command raed; did you mean read?", `read "`: `unclosed quote "; close it, as in "ABC 123"`,
		`gates`: "no gates", `quit now`: "too many arguments: quit takes none", `source`: "missing argument: source FILE; for example source commands.txt",
		`events maybe`: "events is on or off, not maybe", `time`: "missing argument: time on | off; for example time on",
	} {
		if err := s.Exec(t.Context(), line); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
	if err := s.Exec(t.Context(), "quit"); !errors.Is(err, ErrQuit) {
		t.Errorf("quit: %v", err)
	}
}

func TestRun(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "",
		"read\n\n  # a comment\nspaces":        "read|spaces",
		"\ufeffread\nspaces":                   "read|spaces",
		"read\r\nspaces\r\n":                   "read|spaces",
		"read\ngates\nspaces\n":                "read|gates stdin:2: no gates",
		"\n\n# x\n  gates 2\n":                 "gates 2 stdin:4: no gates",
		"read\nquit\nspaces\n":                 "read repl: quit",
		"kill-node\nread\n":                    "kill-node repl: the node is to die now",
		"read\ntrack_entry \"A 1":              "read stdin:2: unclosed quote \"; close it, as in \"ABC 123\"",
		"read\n" + strings.Repeat("x", 1<<17):  "read stdin:2: the line has more than 65536 bytes",
		"read " + strings.Repeat("x", 1<<16-4): "stdin:1: the line has 65537 bytes; 65536 is the most",
	} {
		s := newSeat(Options{Format: Table})
		var line *LineError
		err := s.Run(t.Context(), "stdin", strings.NewReader(text))
		got := strings.TrimSpace(strings.Join(s.echo.lines, "|"))
		if err != nil {
			got = strings.TrimSpace(got + " " + err.Error())
		}
		if got != want {
			t.Errorf("%.40q: %q, want %q", text, got, want)
		}
		if isLine := errors.As(err, &line); isLine != strings.Contains(want, "stdin:") {
			t.Errorf("%.40q: the error is a LineError: %v", text, isLine)
		}
	}
	broken := errors.New("broken")
	err := newSeat(Options{}).Run(t.Context(), "f", io.MultiReader(strings.NewReader("read\n"), brokenReader{broken}))
	if !errors.Is(err, broken) || err.Error() != "f:2: broken" {
		t.Errorf("a reader that breaks: %v", err)
	}
	if lot.CodeOf(&LineError{"f", 1, lot.Refuse(lot.Full, "x")}) != lot.Full {
		t.Error("a LineError hides the code")
	}
}

type brokenReader struct{ err error }

func (r brokenReader) Read([]byte) (int, error) { return 0, r.err }

func TestRunEndsWithItsContext(t *testing.T) {
	s := newSeat(Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx, "stdin", strings.NewReader("read\n")); !errors.Is(err, context.Canceled) || len(s.echo.lines) > 0 {
		t.Errorf("%v after %q", err, s.echo.lines)
	}
}

func TestSource(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	leaf := file("leaf", "read\nspaces\n")
	fails := file("fails", "read\n\ngates\nspaces\n")
	s := newSeat(Options{Format: Table})
	s.Expand = home(dir)
	for _, line := range []string{"source " + leaf, "source ~/leaf"} {
		if err := s.Exec(t.Context(), line); err != nil {
			t.Error(err)
		}
	}
	equal(t, "what ran", strings.Join(s.echo.lines, "|"), "read|spaces|read|spaces")
	outer := file("outer", "source "+fails+"\n")
	for line, want := range map[string]string{
		"source " + fails:                fails + ":3: no gates",
		"source " + outer:                outer + ":1: " + fails + ":3: no gates",
		"source nowhere":                 `cannot read the commands in "nowhere": no such file or directory`,
		`source "~/leaf"`:                `cannot read the commands in "~/leaf": no such file or directory`,
		"source " + file("quit", "quit"): "repl: quit",
	} {
		if err := s.Exec(t.Context(), line); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
}

// home returns what ~ is expanded by.
func home(dir string) func(string) (string, error) {
	return func(path string) (string, error) {
		if rest, ok := strings.CutPrefix(path, "~/"); ok {
			return filepath.Join(dir, rest), nil
		}
		return path, nil
	}
}

func TestSourceDepth(t *testing.T) {
	path := filepath.Join(t.TempDir(), "loop")
	if err := os.WriteFile(path, []byte("read\nsource "+path+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newSeat(Options{Format: Table})
	err := s.Exec(t.Context(), "source "+path)
	if err == nil || !strings.HasSuffix(err.Error(), path+": files source files more than 8 deep") || len(s.echo.lines) != maxSource {
		t.Errorf("after %d lines: %v", len(s.echo.lines), err)
	}
	if err := s.Exec(t.Context(), "source "+path); !errors.Is(err, lot.Usage) {
		t.Errorf("the second time: %v", err)
	}
}

func TestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeat(Options{Format: Table})
		for _, line := range []string{"time on", "read", "gates", "", "time off", "spaces"} {
			_ = s.Exec(t.Context(), line)
		}
		equal(t, "answers", s.out.String(), "ok   time on\nread\nok   time off\nspaces\n")
		equal(t, "remarks", s.remarks.String(), "took 0s\ntook 0s\ntook 0s\n")
	})
}

// The terminal's own commands answer as all others do.
func TestLocalAnswers(t *testing.T) {
	var shows []bool
	for _, opt := range []Options{{Format: Table}, {Format: Table, Width: 80}, {Format: JSON, Width: 80}} {
		s := newSeat(opt)
		if opt.Width > 0 {
			s.Size = func() (int, int) { return 80, 24 }
		}
		s.Events = func(on bool) { shows = append(shows, on) }
		s.History = func() []string { return []string{"read", `gate 1 enter "A"`} }
		for _, line := range []string{"events off", "events on", "time off", "history", "clear"} {
			if err := s.Exec(t.Context(), line); err != nil {
				t.Errorf("%s: %v", line, err)
			}
		}
		want := "ok   events off\nok   events on\nok   time off\n    1  read\n    2  gate 1 enter \"A\"\n"
		switch {
		case opt.Format == JSON:
			want = "{\"ok\":true}\n{\"ok\":true}\n{\"ok\":true}\n{\"ok\":true,\"lines\":[\"read\",\"gate 1 enter \\\"A\\\"\"]}\n{\"ok\":true}\n"
		case opt.Width > 0:
			want += clearCode
		}
		equal(t, "answers", s.out.String(), want)
	}
	if fmt.Sprint(shows) != "[false true false true false true]" {
		t.Errorf("events were switched %v", shows)
	}
	s := newSeat(Options{Format: JSON}) // without events and history
	for _, line := range []string{"events off", "history"} {
		if err := s.Exec(t.Context(), line); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	equal(t, "answers", s.out.String(), "{\"ok\":true}\n{\"ok\":true,\"lines\":[]}\n")
}

func TestWatchCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeat(Options{Format: Table})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := s.Exec(ctx, `watch track_exit "A  B"`); err != nil {
			t.Error(err)
		}
		equal(t, "every 2s for 5s", s.out.String(), strings.Repeat("track_exit \"A  B\"\n", 3))

		s = newSeat(Options{Format: Table})
		begin := time.Now()
		s.Size = func() (int, int) {
			if time.Since(begin) > 125*time.Millisecond {
				return 20, 3
			}
			return 80, 24
		}
		ctx, cancel = context.WithTimeout(t.Context(), 225*time.Millisecond)
		defer cancel()
		if err := s.Exec(ctx, `watch "50ms" status`); err != nil {
			t.Error(err)
		}
		answer := func(title string, lines ...string) string {
			return "\x1b[2K" + strings.Join(append([]string{title}, lines...), "\n\x1b[2K") + "\n\x1b[J"
		}
		full := answer("every 50ms: status   00:00:05   (Ctrl-C ends)", "one", "two", "three")
		small := answer("every 50ms: status  ", "... 3 lines more")
		equal(t, "in place", s.out.String(), full+"\x1b[4A"+full+"\x1b[4A"+full+clearCode+small+"\x1b[2A"+small)

		s = newSeat(Options{Format: Table})
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Exec(ctx, `watch 50ms members`); err != nil {
			t.Errorf("cancelled inside the command: %v", err)
		}
		if err := s.Exec(t.Context(), "watch 50ms quit"); !errors.Is(err, ErrQuit) {
			t.Errorf("watch quit: %v", err)
		}
		for line, want := range map[string]string{
			"watch":            "missing argument: watch [EVERY] COMMAND; for example watch 500ms gates",
			"watch 500ms":      "missing argument: watch needs a command, for example watch 500ms gates",
			"watch watch read": "watch watches other commands, for example watch 500ms gates",
			"watch 1ms read":   "every 1ms is too often; 50ms is the least",
			"watch 50ms raed":  "unknown command raed; did you mean read?",
			"watch 50ms gates": "no gates",
		} {
			if err := s.Exec(t.Context(), line); err == nil || err.Error() != want {
				t.Errorf("%s: %v, want %s", line, err, want)
			}
		}
	})
}

// How many nodes a terminal's writes wait for is its own affair.
func TestSetAck(t *testing.T) {
	s := newSeat(Options{Format: Table})
	run := func(line string) error { return s.Exec(t.Context(), line) }
	if err := run("spaces"); err != nil || s.echo.opt.Ack != nil {
		t.Errorf("before: %v, %v", s.echo.opt.Ack, err)
	}
	for _, n := range []int{2, 0} {
		if err := errors.Join(run(fmt.Sprint("set ack ", n)), run("spaces")); err != nil || s.echo.opt.Ack == nil || *s.echo.opt.Ack != n {
			t.Errorf("set ack %d: %v, %v", n, s.echo.opt.Ack, err)
		}
	}
	if err := run("set spaces 3"); err != nil || s.echo.lines[len(s.echo.lines)-1] != "set spaces 3" {
		t.Errorf("set spaces: %q, %v", s.echo.lines, err)
	}
	if slices.Contains(s.echo.lines, "set ack 2") {
		t.Error("set ack was handed on")
	}
	for line, code := range map[string]lot.Code{"set ack x": lot.Usage, "set ack -1": lot.Range, "set ack 32": lot.Range, "set ack": lot.Usage} {
		if err := run(line); lot.CodeOf(err) != code || *s.echo.opt.Ack != 0 {
			t.Errorf("%s: %v", line, err)
		}
	}
}

package prompt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	left = "\x1b[D"
	up   = "\x1b[A"
)

func TestExec(t *testing.T) {
	s := start(t, 16, 60, "")
	s.send("say hello\r")
	s.prompt()
	s.rows("larry> say hello", "said hello", "larry>")
	s.reported("remember say hello")
	s.send("\r")
	s.rows("larry> say hello", "said hello", "larry>", "larry>")
	s.send("quit\r")
	s.returned(nil)
	if got := s.executed(); !slices.Equal(got, []string{"say hello", "quit"}) {
		t.Errorf("executed %q", got)
	}
}

func TestEventsAboveHalfTypedLine(t *testing.T) {
	s := start(t, 16, 60, "")
	s.send("half typed")
	s.row("larry> half typed", 17)
	s.send(left + left)
	s.row("larry> half typed", 15)
	var want []string
	for i := range 10 {
		s.order("event \x1b[32m12:00\x1b[0m  + number %d", i)
		want = append(want, fmt.Sprintf("12:00  + number %d", i))
	}
	s.rows(append(want, "larry> half typed")...)
	s.row("larry> half typed", 15)
	s.send("YP")
	s.row("larry> half typYPed", 17)
}

func TestEventsAboveWrappedLine(t *testing.T) {
	for _, n := range []int{50, 53, 54, 120} { // 53 fills a row, and 113 two
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			s := start(t, 16, 60, "")
			line := strings.Repeat("0123456789", 20)[:n]
			rows := wrap("larry> "+line, 60)
			s.send(line)
			s.rows(rows...)
			for range 3 {
				s.order("event something")
			}
			s.rows(append([]string{"something", "something", "something"}, rows...)...)
			s.send("\x01>") // to the start
			rows = wrap("larry> >"+line, 60)
			s.rows(append([]string{"something", "something", "something"}, rows...)...)
			s.row(rows[0], 8)
			s.order("event more")
			s.rows(append([]string{"something", "something", "something", "more"}, rows...)...)
			s.row(rows[0], 8)
		})
	}
}

func wrap(line string, cols int) (rows []string) {
	for len(line) > cols {
		rows, line = append(rows, line[:cols]), line[cols:]
	}
	return append(rows, line)
}

func TestTypingAmongManyEvents(t *testing.T) {
	s := start(t, 16, 60, "")
	const events = 200
	s.order("burst %d 100", events)
	line := strings.Repeat("gates and ", 20)
	pace := time.NewTicker(10 * time.Millisecond)
	defer pace.Stop()
	for _, r := range line {
		<-pace.C
		s.send(string(r))
	}
	s.send("!")
	var want []string
	for i := range events {
		want = append(want, fmt.Sprintf("event %d", i))
	}
	s.rows(append(want, wrap("larry> "+line+"!", 60)...)...)
	s.send("\r")
	s.reported("exec " + line + "!")
}

func TestCtrlCClearsLine(t *testing.T) {
	s := start(t, 16, 60, "")
	s.send("say nothing")
	s.row("larry> say nothing", 18)
	s.send(left + "\x03")
	s.prompt()
	s.rows("larry> say nothing^C", "larry>")
	s.send("\x03")
	s.rows("larry> say nothing^C", "larry> ^C", "larry>")
	s.send("say on\r")
	s.reported("exec say on")
	s.notReported("exec say nothing")
}

func TestCtrlCCancelsCommand(t *testing.T) {
	s := start(t, 16, 60, "")
	s.send("wait\r")
	s.bottom("larry> wait", "waiting")
	s.send("say lost\r") // typed ahead, as in the rest of a paste
	s.send("\x03")
	s.rows("larry> wait", "waiting", "cancelled", "larry>")
	s.prompt()
	s.send("say on\r")
	s.reported("exec say on")
	s.notReported("exec say lost")
}

func TestTypeAhead(t *testing.T) {
	s := start(t, 16, 60, "")
	s.send("wait\r")
	s.bottom("waiting")
	s.send("\x1a\x1c") // Ctrl-Z and Ctrl-\ do nothing
	s.send("say kept\rhalf")
	s.order("event meanwhile")
	s.reported("sent meanwhile")
	s.order("release")
	s.rows("larry> wait", "waiting", "meanwhile", "larry> say kept", "said kept", "larry> half")
	s.row("larry> half", 11)
}

func TestCtrlD(t *testing.T) {
	s := start(t, 16, 60, "")
	s.send("abc" + left + left)
	s.row("larry> abc", 8)
	s.send("\x04")
	s.row("larry> ac", 8)
	s.send("\x04\x04\x04\x7f")
	s.prompt()
	s.send("\x04")
	s.returned(nil)
	s.rows("larry>")
}

func TestCtrlDWithMenu(t *testing.T) {
	s := start(t, 16, 60, "")
	s.send("\t") // suggestions for an empty line
	s.bottom("        quit   leave")
	s.send("\x04")
	s.returned(nil)
	s.rows("larry>")
}

func TestKeysWithoutMeaning(t *testing.T) {
	s := start(t, 16, 60, "")
	s.send("say \x1a\x00\x1b[99~\x1b]11;rgb:00/00\x07\x1b[?1;2c\x1bxon\r")
	s.reported("exec say on")
	s.send("one two-three\x1bb\x1bbX\x17")
	s.row("larry> one two-three", 11)
	s.send("\x0c")
	s.wait("a clear screen", func() bool {
		return strings.HasPrefix(strings.Join(s.vt.screen(), "\n"), "larry> one two-three")
	})
	s.row("larry> one two-three", 11)
}

func TestHistory(t *testing.T) {
	s := start(t, 16, 60, "")
	s.send("say three\r")
	s.reported("exec say three")
	s.prompt()
	s.send(up)
	s.row("larry> say three", 16)
	s.send(up)
	s.row("larry> say two", 14)
	s.send("\x0e\x0e")
	s.prompt()
}

func TestHistorySearch(t *testing.T) {
	s := start(t, 16, 60, "")
	s.send("\x12")
	s.bottom("larry>",
		"        say two          history",
		`        enter "OLD 1" 3  history`,
		"        say one          history")
	s.send("say")
	s.bottom("larry> say",
		"           say two  history",
		"           say one  history")
	s.send("\x12")
	s.row("larry> say two", 14)
	s.send("\x12")
	s.row("larry> say one", 14)
	s.send("\x03")
	s.prompt()
	s.send("\x12")
	s.send("OLD")
	s.bottom(`           enter "OLD 1" 3  history`)
	s.send("\r") // takes the best match
	s.reported(`exec enter "OLD 1" 3`)
	s.prompt()
	s.send("\x12")
	s.bottom("        say one          history")
	s.send("\x1b") // Esc ends the search
	s.prompt()
	s.bottom("larry>")
	s.send("e")
	s.bottom("larry> e",
		"         enter  a vehicle enters",
		"         exit   a vehicle leaves")
}

func TestCompletion(t *testing.T) {
	s := start(t, 16, 60, "")
	s.send("ga")
	s.bottom("larry> ga",
		"          gate   one gate",
		"          gates  all gates")
	s.send("\t\t")
	s.bottom("larry> gates",
		"          gate   one gate",
		"         >gates  all gates")
	s.order("event meanwhile")
	s.rows("meanwhile",
		"larry> gates",
		"          gate   one gate",
		"         >gates  all gates")
	s.row("larry> gates", 12)
	s.send(" \x7f")
	s.row("larry> gates", 12)
	s.send(` "A`)
	s.bottom(`larry> gates "A`,
		`                ABC 123"  in the lot`,
		`                ABD 77"   in the lot`)
	s.send("\t")
	s.row(`larry> gates "ABC 123"`, 22)
	s.send(" x")
	s.row(`larry> gates "ABC 123" x`, 24)
	s.send("\r")
	s.reported(`exec gates "ABC 123" x`)
}

func TestMenuFitsWindow(t *testing.T) {
	s := start(t, 3, 40, "")
	s.send("say one\r")
	s.reported("exec say one")
	s.prompt()
	s.send("\t")
	s.bottom("larry>",
		"        enter  a vehicle enters",
		"        exit   a vehicle leaves")
	s.send("\t\t\t\t")
	s.bottom("larry> gates",
		"        gate   one gate",
		"       >gates  all gates")
	s.order("event meanwhile")
	s.rows("larry> say one", "said one", "meanwhile", "larry> gates",
		"        gate   one gate",
		"       >gates  all gates")
	s.send(strings.Repeat("0123456789", 8) + "\r")
	s.reported("exec gates" + strings.Repeat("0123456789", 8))
}

func TestPaste(t *testing.T) {
	var lines []string
	for i := range 10 {
		lines = append(lines, fmt.Sprintf("say\tline %d", i))
	}
	for name, paste := range map[string]string{
		"bracketed": pasteBegins + strings.Join(lines, "\n") + "\n\x1b[31mha\tlf" + pasteEnds,
		"plain":     strings.Join(lines, "\r") + "\rha\tlf",
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, 16, 60, "")
			s.send(paste)
			var rows, want []string
			for i := range 10 {
				want = append(want, fmt.Sprintf("say line %d", i))
				rows = append(rows, "larry> "+want[i], fmt.Sprintf("said line %d", i))
			}
			s.rows(append(rows, "larry> ha lf")...)
			s.row("larry> ha lf", 12)
			if got := s.executed(); !slices.Equal(got, want) {
				t.Errorf("executed %q", got)
			}
		})
	}
}

func TestResize(t *testing.T) {
	s := start(t, 16, 60, "")
	s.send("say one\r")
	s.reported("exec say one")
	s.prompt()
	line := strings.Repeat("0123456789", 7)
	s.send(line + left + left)
	before := []string{"larry> say one", "said one"}
	rows := func(line string, cols int) []string {
		return slices.Concat(before, wrap("larry> "+line, cols))
	}
	s.rows(rows(line, 60)...)
	s.row(line[53:], 15)
	for _, cols := range []int{40, 30, 70, 100, 60} {
		s.resize(16, cols)
		line = line[:68] + "x" + line[68:]
		s.send("x" + left)
		s.rows(rows(line, cols)...)
		s.wait("cursor", func() bool { return s.vt.x == (7+68)%cols })
	}
	s.send("\r")
	s.reported("exec " + line)
}

func TestWideCharacters(t *testing.T) {
	s := start(t, 16, 60, "")
	s.send("say 駐車場" + left)
	s.row("larry> say 駐車場", 15)
	s.order("event 車")
	s.rows("車", "larry> say 駐車場")
	s.row("larry> say 駐車場", 15)
	s.send("満\x04\r")
	s.reported("exec say 駐車満")
}

func TestNoColor(t *testing.T) {
	for mode, colors := range map[string]bool{"": true, "nocolor": false} {
		t.Run(mode, func(t *testing.T) {
			s := start(t, 16, 60, mode)
			s.send("ga\t")
			s.bottom("larry> gate",
				"         >gate   one gate",
				"          gates  all gates")
			s.send("\x03")
			s.prompt()
			s.wait("colours", func() bool { return s.vt.colors > 0 == colors })
		})
	}
}

func TestEventsDuringCommand(t *testing.T) {
	s := start(t, 16, 60, "")
	s.send("wait\r")
	s.bottom("waiting")
	s.order("burst %d 5000", maxEvents+37)
	s.reported(fmt.Sprintf("sent %d", maxEvents+37))
	s.send("\x03")
	want := []string{"larry> wait", "waiting", "cancelled", "… 37 events not shown"}
	for i := range maxEvents {
		want = append(want, fmt.Sprintf("event %d", i+37))
	}
	s.rows(append(want, "larry>")...)
	s.order("close")
	s.send("quit\r")
	s.returned(nil)
}

func TestPanicInExec(t *testing.T) {
	s := start(t, 16, 60, "")
	s.send("panic\r")
	s.reported("panic as ordered")
	s.returned(nil)
}

func TestPanicInComplete(t *testing.T) {
	s := start(t, 16, 60, "")
	s.send("bang")
	s.reported("panic no suggestions")
	s.returned(nil)
}

func TestContext(t *testing.T) {
	t.Run("idle", func(t *testing.T) {
		s := start(t, 16, 60, "")
		s.send("ga\t")
		s.row("larry> gate", 11)
		s.order("cancel")
		s.returned(context.Canceled)
		s.latency()
		s.rows("larry> gate")
	})
	t.Run("command", func(t *testing.T) {
		s := start(t, 16, 60, "")
		s.send("wait\r")
		s.bottom("waiting")
		s.order("cancel")
		s.returned(context.Canceled)
		s.latency()
		s.rows("larry> wait", "waiting", "cancelled")
	})
}

func TestTerminalGone(t *testing.T) {
	for _, line := range []string{"half", "wait\r"} {
		t.Run(line, func(t *testing.T) {
			s := start(t, 16, 60, "")
			s.send(line)
			s.wait("echo", func() bool { return len(s.vt.all()[0]) > len("larry>") })
			must(t, s.pty.Close())
			s.reported("return <nil>, restored true, leak <nil>")
		})
	}
}

// TestStuckTerminal has a terminal that stops reading while events come.
func TestStuckTerminal(t *testing.T) {
	t.Run("reads on", func(t *testing.T) {
		s := start(t, 16, 300, "")
		resume := s.stick()
		s.order("burst 3000 3000 200")
		s.reported("sent 3000")
		resume()
		s.bottom("event 2999"+strings.Repeat(".", 200), "larry>")
		s.prompt()
		s.wait("events dropped", func() bool {
			return strings.Contains(strings.Join(s.vt.all(), "\n"), "events not shown")
		})
	})
	t.Run("cancelled", func(t *testing.T) {
		s := start(t, 16, 300, "")
		resume := s.stick()
		s.order("burst 3000 3000 200")
		s.reported("sent 3000")
		s.order("cancel")
		s.reported("return context canceled, restored true, leak <nil>")
		s.latency()
		resume()
	})
}

func TestRestore(t *testing.T) {
	s := start(t, 16, 60, "")
	s.send("ga\t")
	s.row("larry> gate", 11)
	if modes(t, s.pty) == s.before {
		t.Error("the modes at the prompt are those before")
	}
	s.order("die")
	var exit *exec.ExitError
	if err := s.cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("exit: %v", err)
	}
	s.wait("end of bracketed paste", func() bool { return !s.vt.paste && !s.vt.hidden })
	s.rows("larry> gate") // and no menu
	if modes(t, s.pty) != s.before {
		t.Error("the modes were not restored")
	}
}

func TestNotTerminal(t *testing.T) {
	r, w, err := os.Pipe()
	must(t, err)
	defer r.Close()
	defer w.Close()
	err = Run(t.Context(), Config{
		In: r, Out: w,
		Prompt: func() string { return "" },
		Exec:   func(context.Context, string) bool { return true },
	})
	if !errors.Is(err, ErrNotTerminal) {
		t.Errorf("Run: %v", err)
	}
	Restore()
}

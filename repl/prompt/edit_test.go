package prompt

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
)

const (
	left = "\x1b[D"
	up   = "\x1b[A"
)

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
	s.bottom("        say    something")
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
		"        say two          search: Enter runs this",
		`        enter "OLD 1" 3  history`,
		"        say one          history")
	s.send("SAY")
	s.bottom("larry> SAY",
		"           say two  search: Enter runs this",
		"           say one  history")
	s.send("\x12")
	s.row("larry> say two", 14)
	s.send("\x12")
	s.row("larry> say one", 14)
	s.send("\x03")
	s.prompt()
	s.send("\x12")
	s.send("none")
	s.bottom("larry> none",
		"            none  search: nothing like it in the history")
	s.send("\r") // runs nothing
	s.bottom("larry> none")
	s.notReported("exec none")
	s.send("\x03")
	s.prompt()
	s.send("\x12")
	s.send("OLD")
	s.bottom(`           enter "OLD 1" 3  search: Enter runs this`)
	s.send("\r") // takes the best match
	s.reported(`exec enter "OLD 1" 3`)
	s.bottom(`larry> enter "OLD 1" 3`, "larry>")
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
	s.send("\t") // what all have in common
	s.bottom("larry> gate",
		"            gate   one gate",
		"            gates  all gates")
	s.send("\t\t") // then one after another
	s.bottom("larry> gates",
		"            gate   one gate",
		"           >gates  all gates")
	s.order("event meanwhile")
	s.rows("meanwhile",
		"larry> gates",
		"            gate   one gate",
		"           >gates  all gates")
	s.row("larry> gates", 12)
	s.send(" \x7f")
	s.row("larry> gates", 12)
	s.send(` "A`)
	s.bottom(`larry> gates "A`,
		`                ABC 123"  in the lot`,
		`                ABD 77"   in the lot`)
	s.send("\t")
	s.row(`larry> gates "AB`, 16)
	s.send("\t")
	s.row(`larry> gates "ABC 123"`, 22)
	s.send(" x")
	s.row(`larry> gates "ABC 123" x`, 24)
	s.send("\r")
	s.reported(`exec gates "ABC 123" x`)
	s.prompt()
	s.send("he\t") // there is one only: on to what comes next
	s.row("larry> help", 12)
	s.send("r\tx\r")
	s.reported("exec help read x")
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
			s.executed(want...)
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

// In a window too narrow for anything a prompt lives on.
func TestNarrowestWindow(t *testing.T) {
	s := start(t, 16, 60, "")
	s.send("say o")
	for _, cols := range []int{3, 1, 2, 5} {
		s.resize(16, cols)
		s.send("x")
		s.order("event narrow")
	}
	s.resize(16, 60)
	s.send("\r")
	s.executed("say oxxxx")
	s.prompt()
	s.resize(16, 2)
	s.order("cancel")
	s.returned(context.Canceled)
}

// A line has a bound, and lives on behind it.
func TestLongestLine(t *testing.T) {
	s := start(t, 16, 60, "")
	for range 20 {
		s.send(strings.Repeat("0123456789", 400))
	}
	s.send("\x15say one\r")
	s.executed("say one")
	s.send("\x04")
	s.returned(nil)
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
			s.send("gate\t")
			s.bottom("larry> gate",
				"           >gate   one gate",
				"            gates  all gates")
			s.send("\x03")
			s.prompt()
			s.wait("colours", func() bool { return s.vt.colors > 0 == colors })
		})
	}
}

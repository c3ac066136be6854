package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// At a node's own prompt and at an attached one, a line can go on with what the
// node knows at that moment.
func TestCompletionInEachContext(t *testing.T) {
	for _, attached := range []bool{false, true} {
		t.Run(fmt.Sprintf("attached %v", attached), func(t *testing.T) {
			h := newHost(t)
			if err := os.WriteFile(filepath.Join(h.dir, "commands.txt"), []byte("spaces\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			w := h.open(24, "--sname", "larry", "--spaces", "77")
			w.prompt("larry")
			gary := h.open(24, "--sname", "gary")
			gary.prompt("gary")
			w.expect("gary joined")
			w.send("track_entry \"ABC 123\" 2\r")
			w.expect("^ok ")
			w.prompt("larry")
			node := w
			if attached {
				w = h.open(24, "attach", "larry")
				w.prompt("larry")
			}
			for _, c := range []struct{ typed, menu string }{
				{"\t", "track_entry +record an entry"},
				{"gat", "gate +ask gate N.*gates +which node"},
				{"gate ", "1 +running on larry"},
				{"gate 2 ", "move +hand the gate over"},
				{"gate 2 move ", "gary +alive.*larry +this node"},
				{"kill-node g", "gary +alive"},
				{"track_exit ", `"ABC 123" +gate 2, larry, \d\d:`},
				{"track_exit \"a", `ABC 123" +gate 2, larry, \d\d:`},
				{"set ", "spaces +77 now.*gates +4 now"},
				{"await ", "converged +all.*members.*vehicle"},
				{"await members ", "2 +2 nodes alive now"},
				{"await no vehicle AB", `"ABC 123" +gate 2`},
				{"help rea", "read +this replica"},
				{"watch 500ms me", "members +the nodes"},
				{"source ~/c", "~/commands.txt"},
				{"events ", "on.*off"},
			} {
				w.appears(c.typed, c.menu)
				w.send("\x03")
				w.prompt("larry")
			}
			w.appears("track_exit \"A", `ABC 123"`)
			w.appears("\t", `track_exit "ABC 123" .*1 +running on larry`) // takes it, and goes on
			w.send("\r")
			w.expect("^ok   77 of 77 spaces free$")
			w.send("quit\r")
			w.ended(0)
			if attached {
				node.send("\x04")
				node.ended(0)
			}
		})
	}
}

// appears types, and waits until a menu shows that. A terminal that is attached
// does without suggestions for a second when its node was too slow for one
// key: then it is another key that brings them.
func (w *window) appears(typed, menu string) {
	w.t.Helper()
	re := regexp.MustCompile("(?s)" + menu)
	from := len(w.text())
	w.send(typed)
	for range 10 {
		if w.output.within(3*time.Second, func(s string) bool {
			return re.MatchString(s[from:])
		}) {
			return
		}
		again := "x\x7f"
		if strings.HasSuffix(typed, "\t") {
			again = "\t"
		}
		w.send(again)
	}
	w.t.Fatalf("after %q there is no %q:\n%s", typed, menu, w.text()[from:])
}

// A line arrives as it was typed, and the terminal is as it was, while a
// hundred events a second are shown above it, at a node's own prompt and at an
// attached one.
func TestTypingAmongEvents(t *testing.T) {
	whole := regexp.MustCompile(`\d\d:\d\d:\d\d\.\d{3}  > (CAR\d+) came by gate 1 +gary\n`)
	const typing, perSecond, characters = 10 * time.Second, 100, 200
	h := newHost(t)
	larry := h.open(24, "--sname", "larry", "--spaces", "5000")
	larry.prompt("larry")
	attached := h.open(24, "attach", "larry")
	attached.prompt("larry")
	windows := []*window{larry, attached}
	gary, in := h.pipe("--sname", "gary")
	larry.expect("gary joined")

	line := "spaces # "
	for len(line) < characters {
		line += "the quick brown fox jumps over the lazy dog, "
	}
	line = line[:characters-1] + "!"
	events, typed := 0, 0
	pace := time.NewTicker(time.Second / perSecond)
	defer pace.Stop()
	for begin := time.Now(); time.Since(begin) < typing; events++ {
		<-pace.C
		if _, err := fmt.Fprintf(in, "track_entry CAR%d 1\n", events); err != nil {
			t.Fatal(err)
		}
		for typed < characters && typed*int(typing) < characters*int(time.Since(begin)) {
			for _, w := range windows {
				w.send(line[typed : typed+1])
			}
			typed++
		}
	}
	in.Close()
	if err := gary.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, w := range slices.Backward(windows) {
		end := w.expect("gary (left|failed)")[1]
		w.send(line[typed:] + "\r")
		w.expect("^5000 spaces: ")
		w.send("history\r")
		w.expect(`^ +\d+  ` + regexp.QuoteMeta(line) + "$")
		shown := make(map[string]int)
		for _, m := range whole.FindAllStringSubmatch(w.text(), -1) {
			shown[m[1]]++
		}
		if rest := whole.ReplaceAllString(w.text(), ""); strings.Contains(rest, "CAR") {
			t.Errorf("not as whole lines: %s", rest)
		}
		for plate, n := range shown {
			if n > 1 {
				t.Errorf("the entry of %s was shown %d times", plate, n)
			}
		}
		left := 0 // that were dropped, or came together in a pull, on a machine that is too busy
		for _, m := range regexp.MustCompile(`(\d+) events? not shown|caught up: (\d+) vehicles? came`).FindAllStringSubmatch(w.text(), -1) {
			n, _ := strconv.Atoi(m[1] + m[2])
			left += n
		}
		if end == "left" && len(shown)+left < events*9/10 { // a machine that is too busy is taken for dead
			t.Errorf("of %d events %d were shown, and %d told of", events, len(shown), left)
		}
		w.send("quit\r")
		w.ended(0)
	}
}

// pipe runs the program with standard input from a pipe.
func (h *host) pipe(args ...string) (*exec.Cmd, io.WriteCloser) {
	h.t.Helper()
	cmd := exec.Command("parking", args...)
	cmd.Env = h.env
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd, in
}

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
)

// host is a home and a runtime directory for the nodes of one test.
type host struct {
	t   *testing.T
	dir string
	env []string
}

func newHost(t *testing.T, env ...string) *host {
	t.Helper()
	t.Parallel()
	dir, err := os.MkdirTemp("", "pk")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "PARKING_RUNTIME_DIR=" + filepath.Join(dir, "run"),
		"TERM=xterm", "GORACE=atexit_sleep_ms=0",
	}, env...)
	return &host{t, dir, env}
}

// run runs the program without a terminal and returns what it answers.
func (h *host) run(args ...string) string {
	h.t.Helper()
	cmd := exec.Command("parking", args...)
	cmd.Env = h.env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		h.t.Fatalf("parking %s: %v\n%s%s", strings.Join(args, " "), err, &out, &errs)
	}
	return out.String()
}

// signal signals the process of a node.
func (h *host) signal(name string, signals ...syscall.Signal) {
	h.t.Helper()
	var status struct {
		PID int `json:"pid"`
	}
	if err := json.Unmarshal([]byte(h.run("attach", name, "--format", "json", "-c", "status")), &status); err != nil || status.PID == 0 {
		h.t.Fatalf("the process of %s: %v", name, err)
	}
	for _, sig := range signals {
		if err := syscall.Kill(status.PID, sig); err != nil {
			h.t.Fatal(err)
		}
	}
}

// window is a pseudo-terminal whose shell runs the program once, and tells the
// terminal's modes before and after.
type window struct {
	*host
	pty    *os.File
	shell  *exec.Cmd
	raw    output // all that was written
	output output // the same without escapes
	half   []byte // an escape that is not complete yet
	seen   int    // of the output, by expect
	read   chan struct{}
}

const inShell = `trap : INT HUP TERM; echo "before $(stty -g)"; parking "$@"; code=$?; echo; echo "code $code after $(stty -g)"`

// open runs the program with these arguments in a window of that many rows.
func (h *host) open(rows uint16, args ...string) *window {
	h.t.Helper()
	w := &window{host: h, read: make(chan struct{})}
	w.shell = exec.Command("sh", append([]string{"-c", inShell, "sh"}, args...)...)
	w.shell.Env = h.env
	var err error
	if w.pty, err = pty.StartWithSize(w.shell, &pty.Winsize{Rows: rows, Cols: 100}); err != nil {
		h.t.Fatal(err)
	}
	go func() {
		defer close(w.read)
		_, _ = io.Copy(w, w.pty) // until EIO, when the last process is gone
	}()
	h.t.Cleanup(func() {
		_ = syscall.Kill(-w.shell.Process.Pid, syscall.SIGKILL)
		_ = w.shell.Wait()
		<-w.read
		w.pty.Close()
	})
	return w
}

var escape = regexp.MustCompile(`\x1b\[[0-9;?]*[a-zA-Z]|\x1b\][^\x07]*\x07|\x1b[DM]|\r`)

// Write takes what the program wrote: as it is, and without escapes.
func (w *window) Write(p []byte) (int, error) {
	_, _ = w.raw.Write(p)
	w.half = append(w.half, p...)
	whole := len(w.half)
	if esc := bytes.LastIndexByte(w.half, 0x1b); esc >= 0 && escape.FindIndex(w.half[esc:]) == nil {
		whole = esc // the rest of it is to come
	}
	_, _ = w.output.Write(escape.ReplaceAll(w.half[:whole], nil))
	w.half = append(w.half[:0], w.half[whole:]...)
	return len(p), nil
}

// expect waits until what was written since the last expect matches, and
// returns the submatches. Escapes are left out.
func (w *window) expect(pattern string) []string {
	w.t.Helper()
	re := regexp.MustCompile("(?ms)" + pattern)
	var found []string
	if !w.output.await(func(s string) bool {
		at := re.FindStringSubmatchIndex(s[w.seen:])
		if at == nil {
			return false
		}
		found = re.FindStringSubmatch(s[w.seen:])
		w.seen += at[1]
		return true
	}) {
		w.t.Fatalf("%q did not appear after\n%s\n-- but --\n%s", pattern, w.text()[:w.seen], w.text()[w.seen:])
	}
	return found
}

func (w *window) text() string { return w.output.String() }

// send types.
func (w *window) send(keys string) {
	w.t.Helper()
	if _, err := io.WriteString(w.pty, keys); err != nil {
		w.t.Fatal(err)
	}
}

// prompt waits for an empty prompt.
func (w *window) prompt(name string) { w.t.Helper(); w.expect(name + "> ") }

// ended waits until the program has ended with that code and the terminal is
// as it was.
func (w *window) ended(code int) {
	w.t.Helper()
	m := w.expect(`^code (\d+) after (\S+)$`)
	if m[1] != fmt.Sprint(code) {
		w.t.Errorf("it ended with %s, not with %d:\n%s", m[1], code, w.text())
	}
	before := regexp.MustCompile(`(?m)^before (\S+)$`).FindStringSubmatch(w.text())
	if before == nil || before[1] != m[2] {
		w.t.Errorf("the terminal's modes were %q and are %q", before, m[2])
	}
}

func TestGreeting(t *testing.T) {
	h := newHost(t)
	larry := h.open(24, "--sname", "larry", "--cookie", "it's", "--cluster", "lots")
	larry.expect(`^parking \S+   larry 127\.0\.0\.1:\d+   cluster lots   ledger crdt$`)
	larry.expect(`^gates 1 2 3 4 run here \(first node\)$`)
	larry.expect(`^help lists commands; another node: parking --sname gary --cookie it\\'s --cluster lots$`)
	larry.prompt("larry")
	gary := h.open(24, "--sname", "gary", "--cookie", "it's", "--cluster", "lots")
	gary.expect(`^joined larry$`)
	gary.expect(`^gates 1 2 3 4 run on larry$`)
	gary.prompt("gary")
	larry.expect(`  \+ gary joined +2 nodes$`)
	gary.send("track_entry \"ABC 123\" 1\r")
	gary.expect(`^ok   99 of 100 spaces free$`)
	larry.expect(`  > ABC 123 came by gate 1 +gary$`)
	gary.send("trak_entry X 1\r")
	gary.expect(`^error: unknown command trak_entry; did you mean track_entry\?$`)
	gary.send("quit\r")
	gary.ended(0)
	larry.expect(`  - gary left +1 node$`)
	if n := strings.Count(larry.text(), "run here"); n != 1 {
		t.Errorf("where the gates run is told %d times:\n%s", n, larry.text())
	}
	larry.send("gate 1 move nobody\r")
	larry.expect("^error: no node is called nobody; ")
	larry.prompt("larry")
	larry.send("\x04")
	larry.ended(0)
}

func TestEventAboveALine(t *testing.T) {
	h := newHost(t)
	larry := h.open(24, "--sname", "larry")
	larry.prompt("larry")
	larry.send("track_entry HALF")
	larry.expect("HALF")
	h.run("--sname", "gary", "-c", "track_entry THEIRS 2", "-c", "await converged")
	larry.expect(`  \+ gary joined +2 nodes\n.*?larry> track_entry HALF`)
	larry.expect(`  > THEIRS came by gate 2 +gary\n.*?larry> track_entry HALF`)
	larry.expect(`  - gary left +1 node\n.*?larry> track_entry HALF`)
	larry.send(" 1\r")
	larry.expect(`^ok   98 of 100 spaces free$`)
	larry.send("events off\r")
	larry.expect("^ok   events off$")
	h.run("--sname", "gary", "-c", "track_entry HIDDEN 2", "-c", "await converged")
	larry.send("await vehicle HIDDEN\r")
	larry.expect("^ok   after")
	larry.send("events on\r")
	larry.expect("^ok   events on$")
	h.run("--sname", "gary", "-c", "track_entry SHOWN 2", "-c", "await converged")
	larry.expect("> SHOWN came by gate 2")
	if strings.Contains(larry.text(), "HIDDEN came") {
		t.Error("an event is shown with events off")
	}
	larry.send("\x04")
	larry.ended(0)
}

// However a node leaves its terminal, the terminal is as it was, and the others
// see how it went.
func TestWaysToEnd(t *testing.T) {
	endedByHangUps()
	for what, c := range map[string]struct {
		end    func(w *window)
		code   int
		others string
	}{
		"quit":   {func(w *window) { w.send("quit\r") }, 0, "left"},
		"ctrl-d": {func(w *window) { w.send("\x04") }, 0, "left"},
		"term":   {func(w *window) { w.signal("larry", syscall.SIGTERM) }, 143, "left"},
		"hup":    {func(w *window) { w.signal("larry", syscall.SIGHUP) }, 129, "left"},
		"hung up by the shell, and by the terminal": {func(w *window) { w.signal("larry", slices.Repeat([]syscall.Signal{syscall.SIGHUP}, 1000)...) }, 129, "left"},
		"not int": {func(w *window) {
			w.signal("larry", syscall.SIGINT)
			w.send("await members 2\r")
			w.expect("^ok   after")
			w.send("quit\r")
		}, 0, "left"},
		"kill-node": {func(w *window) { w.send("kill-node\r") }, 137, "failed"},
		"in await": {func(w *window) {
			w.send("await members 9 1h\r")
			w.expect("1h")
			w.signal("larry", syscall.SIGTERM)
		}, 143, "left"},
		"half a line": {func(w *window) { w.send("track_en"); w.expect("track_en"); w.signal("larry", syscall.SIGTERM) }, 143, "left"},
	} {
		t.Run(what, func(t *testing.T) {
			h := newHost(t)
			larry := h.open(24, "--sname", "larry")
			larry.prompt("larry")
			gary := h.open(24, "--sname", "gary")
			gary.prompt("gary")
			larry.expect("gary joined")
			c.end(larry)
			larry.ended(c.code)
			gary.expect("larry " + c.others)
			gary.send("await gates 1 node\r")
			gary.expect("^ok   after")
			gary.send("\x04")
			gary.ended(0)
		})
	}
}

// Ctrl-C clears the line or cancels the command, and never ends the node.
func TestCtrlC(t *testing.T) {
	h := newHost(t)
	larry := h.open(24, "--sname", "larry")
	larry.prompt("larry")
	larry.send("\x03")
	larry.prompt("larry")
	larry.send("track_entry X 1\x03")
	larry.expect(`\^C\n.*?larry> `)
	larry.send("await members 9 1h\r")
	larry.expect("1h\n")
	larry.send("\x03")
	larry.expect("^error: interrupted$")
	larry.prompt("larry")
	larry.send("watch 50ms spaces\r")
	larry.expect(`^every 50ms: spaces   [0-9:]{8}   \(Ctrl-C ends\)$.*^every 50ms: spaces`)
	larry.send("\x03")
	larry.prompt("larry")
	larry.send("spaces\r")
	larry.expect("^100 spaces: 0 taken, 100 free$")
	larry.send("\x04")
	larry.ended(0)
}

// An answer of read that does not fit the window is paged, and no other.
func TestPaging(t *testing.T) {
	h := newHost(t, "PAGER=sed s/^/PAGED/")
	var fill strings.Builder
	for i := range 30 {
		fmt.Fprintf(&fill, "track_entry CAR%d 1\n", i)
	}
	if err := os.WriteFile(filepath.Join(h.dir, "fill"), []byte(fill.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	larry := h.open(20, "--sname", "larry")
	larry.prompt("larry")
	larry.send("read\r")
	larry.expect("^crdt on larry .* 0 of 100 taken$")
	larry.send("source ~/fill\r")
	larry.expect("^ok   70 of 100 spaces free$")
	larry.send("help\r")
	larry.expect("^ quit ")
	larry.send("read\r")
	larry.expect("^PAGEDcrdt on larry .* 30 of 100 taken$.*^PAGED CAR9 ")
	larry.send("read --limit 3\r")
	larry.expect("^crdt on larry .*^ and 27 more$")
	larry.send("\x04")
	larry.ended(0)
}

// The pager has the keyboard to itself.
func TestPagerReadsKeys(t *testing.T) {
	h := newHost(t)
	script := filepath.Join(h.dir, "pager")
	h.env = append(h.env, "PAGER="+script)
	if err := os.WriteFile(script, []byte("#!/bin/sh\ncat > /dev/null\nfor i in 1 2 3 4 5; do\n  echo ask $i\n  read answer < /dev/tty\n  echo \"answer $answer\"\ndone\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	larry := h.open(5, "--sname", "larry")
	larry.prompt("larry")
	for i := range 6 {
		larry.send(fmt.Sprintf("track_entry CAR%d 1\r", i))
		larry.expect("^ok ")
	}
	larry.send("read\r")
	for i := 1; i <= 5; i++ {
		larry.expect(fmt.Sprintf("^ask %d$", i))
		for _, key := range "keys" {
			larry.send(string(key))
		}
		larry.send("\n")
		larry.expect("^answer keys$")
	}
	larry.send("spaces\r")
	larry.expect("^100 spaces: 6 taken, 94 free$")
	larry.send("\x04")
	larry.ended(0)
}

func TestAttachedPrompt(t *testing.T) {
	h := newHost(t)
	larry := h.open(24, "--sname", "larry")
	larry.prompt("larry")
	one, two := h.open(24, "attach"), h.open(24, "attach", "larry")
	for _, w := range []*window{one, two} {
		w.expect(`^attached to larry 127\.0\.0\.1:\d+   cluster parking$`)
		w.prompt("larry")
	}
	one.send("await members 9 1h\r")
	one.expect("1h\n")
	two.send("set spaces 50\r")
	two.expect("^ok   spaces 50, everywhere$")
	one.send("\x03")
	one.expect("^error: interrupted$")
	one.prompt("larry")
	h.run("--sname", "gary", "-c", "track_entry X 1", "-c", "await converged")
	for _, w := range []*window{larry, one, two} {
		w.expect("> X came by gate 1 +gary$")
	}
	one.send("quit\r")
	one.ended(0)
	third := h.open(24, "attach", "larry")
	third.prompt("larry")
	third.send("kill-node\r")
	third.expect("^ok   larry dies$")
	third.ended(0)
	if n := strings.Count(third.text(), "larry> "); n != strings.Count(strings.Split(third.text(), "ok   larry dies")[0], "larry> ") {
		t.Errorf("it prompts for a node that was killed:\n%s", third.text())
	}
	larry.ended(137)
	two.expect("^error: larry is gone$")
	two.ended(1)
}

// What would go to standard error goes above the line, too.
func TestNoticesAboveALine(t *testing.T) {
	h := newHost(t)
	larry := h.open(24, "--sname", "larry", "--join", "127.0.0.1:1")
	larry.expect(`^note: cannot reach a node at 127\.0\.0\.1:1: .*; trying again$`)
	larry.prompt("larry")
	larry.send("half")
	larry.expect("half")
	stranger := h.open(24, "--sname", "stranger", "--cookie", "other")
	stranger.expect("^note: larry runs on this host with another cookie; left alone$")
	larry.expect(`^note: stranger runs on this host with another cookie; left alone\n.*?larry> half`)
	larry.send("\x03\x04")
	larry.ended(0)
	stranger.prompt("stranger")
	stranger.send("\x04")
	stranger.ended(0)
}

// A terminal that can only print gets nothing but lines.
func TestDumbTerminal(t *testing.T) {
	h := newHost(t, "TERM=dumb")
	larry := h.open(24, "--sname", "larry")
	larry.prompt("larry")
	gary := h.open(24, "--sname", "gary")
	gary.prompt("gary")
	larry.expect(`  \+ gary joined +2 nodes$`)
	larry.send("track_entry X 1\r")
	larry.expect("^ok   99 of 100 spaces free$")
	larry.prompt("larry")
	gary.expect("  > X came by gate 1 +larry$")
	larry.send("frobnicate\r")
	larry.expect("^error: unknown command frobnicate; ")
	larry.prompt("larry")
	larry.send("watch 50ms spaces\r") // one sees that it runs: the terminal echoes what nobody has read yet
	larry.expect("^100 spaces: 1 taken, 99 free$")
	larry.send("\x03")
	larry.prompt("larry")
	larry.send("half a line\x03")
	larry.prompt("larry")
	larry.send("spaces\r")
	larry.expect("^100 spaces: 1 taken, 99 free$")
	larry.prompt("larry")
	larry.send("kill-node gary\r")
	larry.expect("^ok   gary was killed$")
	gary.expect("^gary was killed by a kill-node of another's$")
	gary.ended(137)
	if raw := larry.raw.String(); strings.Contains(raw, "\x1b") {
		t.Errorf("it has escapes: %q", raw)
	}
	larry.send("\x04")
	larry.ended(0)
}

func TestNoColor(t *testing.T) {
	sgr := regexp.MustCompile(`\x1b\[[0-9;]*m`)
	for what, c := range map[string]struct {
		env, args []string
		colors    bool
	}{
		"by default": {nil, nil, true},
		"NO_COLOR":   {[]string{"NO_COLOR=1"}, nil, false},
		"empty":      {[]string{"NO_COLOR="}, nil, true},
		"--no-color": {nil, []string{"--no-color"}, false},
		"variable":   {[]string{"PARKING_NO_COLOR=true"}, nil, false},
	} {
		t.Run(what, func(t *testing.T) {
			h := newHost(t, c.env...)
			larry := h.open(24, append([]string{"--sname", "larry"}, c.args...)...)
			larry.prompt("larry")
			larry.send("gates\r")
			larry.expect("^ 4 +larry +running")
			larry.send("frobnicate\r")
			larry.expect("^error: unknown command")
			larry.send("\x04")
			larry.ended(0)
			if got := sgr.MatchString(larry.raw.String()); got != c.colors {
				t.Errorf("colours: %v, want %v", got, c.colors)
			}
		})
	}
}

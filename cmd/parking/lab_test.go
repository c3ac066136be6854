package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fakeTmux notes its arguments, and after a "<" the commands that it reads, and
// answers as tmux does.
const fakeTmux = `#!/bin/sh
echo $PPID >"$HOME/lab.pid"
input=
case "$*" in *source-file*) input="
<$(cat)" ;; esac
printf '%s\n' "$*$input" >>"$HOME/tmux.log"
case "$*$input" in
*has-session*) exit 1 ;;
*'"split-window"'*no-room*) echo "no space for new pane" >&2; exit 1 ;;
*'"new-session"'* | *'"new-window"'*) echo "@7 %9" ;;
esac
`

// commandLines runs lab in a window with a tmux that only notes, and returns
// what it was told; what differs from run to run stands for itself.
func commandLines(t *testing.T, w *window) []string {
	t.Helper()
	w.ended(0)
	b, err := os.ReadFile(filepath.Join(w.dir, "tmux.log"))
	if err != nil {
		t.Fatal(err)
	}
	exe, err := exec.LookPath("parking")
	if err != nil {
		t.Fatal(err)
	}
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	same := strings.NewReplacer(keep, "KEEP", exe, "EXE", wd, "WD", w.dir, "HOME")
	var lines []string
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSuffix(line, "\n")
		if !strings.HasPrefix(line, "<") {
			lines = append(lines, line)
			continue
		}
		var words []string
		for _, word := range regexp.MustCompile(`"[^"]*"|\S+`).FindAllString(line[1:], -1) {
			if word == ";" {
				lines = append(lines, "< "+strings.Join(words, " "))
				words = nil
				continue
			}
			if word, err = strconv.Unquote(word); err != nil {
				t.Fatalf("%v in %s", err, line)
			}
			words = append(words, same.Replace(word))
		}
		lines = append(lines, "< "+strings.Join(words, " "))
	}
	return lines
}

func withFakeTmux(t *testing.T, env ...string) *host {
	t.Helper()
	h := newHost(t, env...)
	if err := os.WriteFile(filepath.Join(h.dir, "tmux"), []byte(fakeTmux), 0o700); err != nil {
		t.Fatal(err)
	}
	h.env = append(h.env, "PATH="+h.dir+":"+os.Getenv("PATH"), "TEST_NO_NODE=1")
	return h
}

func sameLines(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("tmux was told\n%s\n-- not --\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestLabHasATmuxOfItsOwn(t *testing.T) {
	h := withFakeTmux(t)
	w := h.open(40, "lab", "--join", "127.0.0.1:1", "larry", "gary", "--no-faults", "--cookie", "it's;", "--cluster", "lots")
	const run = "-L parking-lots start-server ; source-file -"
	sameLines(t, commandLines(t, w), []string{
		"-L parking-lots has-session",
		run,
		"< new-session -d -s parking-lots -n lab -x 100 -y 40 -P -F #{window_id} #{pane_id} -c WD " +
			`/bin/sh -c KEEP larry EXE node --sname larry --join=127.0.0.1:1 --no-faults=true --cookie=it's; --cluster=lots`,
		run,
		"< set-option -w -t @7 pane-border-status top",
		"< set-option -w -t @7 pane-border-format  #{pane_title} ",
		"< select-pane -t @7 -T larry",
		"< split-window -t @7 -c WD " +
			`/bin/sh -c KEEP gary EXE node --sname gary --join=127.0.0.1:1 --no-faults=true --cookie=it's; --cluster=lots`,
		"< select-pane -t @7 -T gary",
		"< select-layout -t @7 even-vertical",
		"< select-pane -t %9",
		"< set-option -t @7 status-left-length 60",
		"< set-option -t @7 status-right-length 60",
		"< set-option -t @7 status-right  #{prefix} o: next pane   #{prefix} d: detach ",
		"-L parking-lots attach-session",
		"-L parking-lots has-session",
	})
}

// The environment goes to the panes by no command line: that is for all to see.
func TestLabWithinTmuxOpensAWindowOfIt(t *testing.T) {
	h := withFakeTmux(t, "TMUX=/tmp/socket,1,0", "PARKING_SPACES=7", "PARKING_COOKIE=limozeen;", "NO_COLOR=1")
	w := h.open(40, "lab", "a", "b", "c", "d")
	w.expect("^a b c d: in the window parking-parking$")
	const run = "source-file -"
	in := `-c WD -e HOME=HOME -e NO_COLOR=1 -e PARKING_COOKIE=limozeen; -e PARKING_RUNTIME_DIR=HOME/run -e PARKING_SPACES=7 `
	got := commandLines(t, w)
	want := []string{
		run,
		"< new-window -n parking-parking -P -F #{window_id} #{pane_id} " + in + "/bin/sh -c KEEP a EXE node --sname a",
		run,
		"< set-option -w -t @7 pane-border-status top",
		"< set-option -w -t @7 pane-border-format  #{pane_title} ",
		"< select-pane -t @7 -T a",
	}
	for _, name := range []string{"b", "c", "d"} {
		want = append(want,
			"< split-window -t @7 "+in+"/bin/sh -c KEEP "+name+" EXE node --sname "+name,
			"< select-pane -t @7 -T "+name,
			"< select-layout -t @7 tiled")
	}
	sameLines(t, got, append(want, "< select-pane -t %9"))
}

func TestALabThatDoesNotFitLeavesNothing(t *testing.T) {
	w := withFakeTmux(t).open(24, "lab", "larry", "no-room")
	w.expect("^parking: tmux: no space for new pane; enlarge the terminal, or start fewer nodes$")
	w.ended(1)
	b, _ := os.ReadFile(filepath.Join(w.dir, "tmux.log"))
	if !strings.HasSuffix(string(b), "-L parking-parking kill-window -t @7\n") {
		t.Errorf("the window is left:\n%s", b)
	}
}

func TestALabThatIsEndedBeforeItIsOpenLeavesNothing(t *testing.T) {
	h := withFakeTmux(t)
	h.env = append(h.env, "TEST_NO_NODE=") // so that it waits for one
	w := h.open(40, "lab", "larry", "gary")
	log := func() string {
		b, _ := os.ReadFile(filepath.Join(w.dir, "tmux.log"))
		return string(b)
	}
	for end := time.Now().Add(patience); !strings.Contains(log(), "new-session"); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no session is opened")
		}
	}
	pid, err := os.ReadFile(filepath.Join(w.dir, "lab.pid"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(number(t, string(pid)), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	w.ended(143)
	if got := log(); !strings.HasSuffix(got, "-L parking-parking kill-window -t @7\n") || strings.Contains(got, "split-window") {
		t.Errorf("the window is left:\n%s", got)
	}
}

func TestLabRefusesATakenName(t *testing.T) {
	h := withFakeTmux(t)
	gary := h.open(24, "--sname", "gary")
	gary.prompt("gary")
	w := h.open(24, "lab", "larry", "gary")
	w.expect("^parking: gary runs already in the cluster parking; parking attach gary is a prompt on it$")
	w.ended(1)
}

// inTmux is a host with the real tmux, which has no servers on it yet.
type inTmux struct {
	*host
	path string
}

func withTmux(t *testing.T, env ...string) inTmux {
	t.Helper()
	path, err := exec.LookPath("tmux")
	if err != nil {
		t.Skip("there is no tmux here: ", err)
	}
	h := inTmux{newHost(t, append([]string{"SHELL=/bin/sh", "LANG=C.UTF-8"}, env...)...), path}
	h.env = append(h.env, "TMUX_TMPDIR="+h.dir)
	t.Cleanup(func() { _, _ = h.tmux("kill-server") })
	return h
}

// tmux has the lab's own server run a command.
func (h inTmux) tmux(args ...string) (string, error) {
	cmd := exec.Command(h.path, append([]string{"-L", "parking-parking"}, args...)...)
	cmd.Env = h.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// shows waits until that pane does.
func (h inTmux) shows(pane, pattern string) {
	h.t.Helper()
	re, screen := regexp.MustCompile("(?m)"+pattern), ""
	for end := time.Now().Add(patience); !re.MatchString(screen); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("pane %s does not show %q, but\n%s", pane, pattern, screen)
		}
		screen, _ = h.tmux("capture-pane", "-p", "-t", pane)
	}
}

// What turns an xterm to the screen of a program, and back.
const otherScreen, firstScreen = "\x1b[?1049h", "\x1b[?1049l"

// However a terminal is taken from a lab, it is as it was, and the nodes go on.
func TestNodesOutliveTheirTerminal(t *testing.T) {
	for what, c := range map[string]struct {
		lab  bool // it is lab that is signalled, not the tmux that it has started
		sig  syscall.Signal
		code int
	}{
		"tmux ended":      {false, syscall.SIGTERM, 0},
		"tmux killed":     {false, syscall.SIGKILL, 0},
		"lab ended":       {true, syscall.SIGTERM, 143},
		"lab interrupted": {true, syscall.SIGINT, 130},
	} {
		t.Run(what, func(t *testing.T) {
			h := withTmux(t)
			w := h.open(40, "lab", "larry")
			w.expect("first node")
			pid := h.clientPID()
			if c.lab {
				out, err := exec.Command("ps", "-o", "ppid=", "-p", strconv.Itoa(pid)).Output()
				if err != nil {
					t.Fatal(err)
				}
				pid = number(t, string(out))
			}
			if err := syscall.Kill(pid, c.sig); err != nil {
				t.Fatal(err)
			}
			w.expect("the nodes go on; tmux -L parking-parking attach returns to them")
			w.ended(c.code)
			_, shown, _ := strings.Cut(w.raw.String(), otherScreen)
			if _, after, _ := strings.Cut(shown, firstScreen); !strings.Contains(after, "the nodes go on") {
				t.Errorf("that is not told on the screen of before: %q", shown)
			}
			if spaces := h.run("attach", "larry", "-c", "spaces"); spaces != "100 spaces: 0 taken, 100 free\n" {
				t.Errorf("larry has %q", spaces)
			}
		})
	}
}

// clientPID returns the process of the one terminal that shows the lab.
func (h inTmux) clientPID() int {
	h.t.Helper()
	out, err := h.tmux("list-clients", "-F", "#{client_pid}")
	if err != nil {
		h.t.Fatal(out, err)
	}
	return number(h.t, out)
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestALabThatCannotBeShownLeavesNothing(t *testing.T) {
	h := withTmux(t)
	h.env = append(h.env, "TERM=nonsense")
	w := h.open(40, "lab", "larry")
	w.expect("^parking: tmux: .*terminal: nonsense; set TERM ")
	w.ended(1)
	if out, err := h.tmux("list-sessions"); err == nil {
		t.Errorf("there is still %s", out)
	}
}

// What a node gets by way of tmux is what was given, whatever tmux makes of
// such characters elsewhere.
func TestLabWithinTmuxHandsOnTheCookie(t *testing.T) {
	const cookie = "~/it's \"$HOME\" #{pid}\\; é%"
	h := withTmux(t)
	socket, err := h.tmux("new-session", "-d", "-x", "100", "-y", "40", "-P", "-F", "#{socket_path},#{pid},0", "cat")
	if err != nil {
		t.Fatal(socket, err)
	}
	inside := *h.host
	inside.env = append(slices.Clip(h.env), "TMUX="+strings.TrimSpace(socket), "PARKING_COOKIE="+cookie)
	w := inside.open(40, "lab", "larry", "gary")
	w.expect("^larry gary: in the window parking-parking$")
	w.ended(0)
	h.shows("parking-parking.1", "^joined larry$")
	h.run("--sname", "moe", "--cookie", cookie, "-c", "await members 3")
}

// TestLabInTmux goes through a lab's life in the real tmux.
func TestLabInTmux(t *testing.T) {
	h := withTmux(t)
	w := h.open(40, "lab", "larry", "gary", "--spaces", "20")
	h.shows("lab.0", `^gates 1 2 3 4 run here \(first node\)$`)
	h.shows("lab.1", `^joined larry$`)
	panes, err := h.tmux("list-panes", "-F", "#{pane_title} #{pane_active} #{pane_height}")
	if want := "larry 1 18\ngary 0 19\n"; err != nil || panes != want {
		t.Errorf("the panes are %q, not %q (%v)", panes, want, err)
	}

	// A node that dies leaves what it said, and how to start it again.
	w.send("kill-node\r")
	h.shows("lab.0", `^larry ended with code 137; Enter starts it again, Ctrl-C closes this pane`)
	h.shows("lab.0", `^larry> kill-node$`)
	w.send("\r")
	h.shows("lab.0", `^joined gary$`)

	// Detached, the nodes go on.
	w.send("\x02d")
	w.expect(`^the nodes go on; tmux -L parking-parking attach returns to them, tmux -L parking-parking`)
	w.ended(0)
	if spaces := h.run("attach", "larry", "-c", "spaces"); spaces != "20 spaces: 0 taken, 20 free\n" {
		t.Errorf("larry has %q", spaces)
	}
	again := h.open(24, "lab", "moe")
	again.expect(`^parking: a lab of the cluster parking is open already; tmux -L parking-parking attach returns to it`)
	again.ended(1)

	// When the last node has left, so has tmux.
	for _, pane := range []string{"lab.1", "lab.0"} {
		if out, err := h.tmux("send-keys", "-t", pane, "quit", "Enter"); err != nil {
			t.Fatal(out, err)
		}
	}
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if _, err := h.tmux("has-session"); err != nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("tmux goes on without a node")
		}
	}
}

package main

import (
	"os/exec"
	"testing"
)

// A shell takes the terminal from a job that is stopped. A node that is let go on
// stays in its background, and has its prompt back with fg.
func TestAPausedNodeInAShell(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("a shell is needed that puts its terminal's modes back: ", err)
	}
	h := withTmux(t, "PS1=shell$ ")
	for _, command := range [][]string{
		{"new-session", "-d", "-x", "100", "-y", "30", bash + " --norc -i"},
		{"set-option", "-g", "remain-on-exit", "on"},
	} {
		if out, err := h.tmux(command...); err != nil {
			t.Fatal(out, err)
		}
	}
	typed := func(line string) {
		t.Helper()
		if out, err := h.tmux("send-keys", "-t", "0", line, "Enter"); err != nil {
			t.Fatal(out, err)
		}
	}
	h.shows("0", `^shell\$`)
	typed("parking --sname gary")
	h.shows("0", "^gary>")
	larry := h.open(24, "--sname", "larry")
	larry.prompt("larry")
	larry.send("pause gary\r")
	larry.expect("gary's process is stopped, until resume gary")
	h.shows("0", `Stopped[^$]*shell\$`)
	larry.send("resume gary\r")
	larry.expect("gary goes on, and the nodes see each other")
	typed("echo shell $((6*7))")
	h.shows("0", `^shell 42$`)
	typed("fg")
	h.shows("0", `fg\s*\nparking --sname gary\s*\ngary>`)
	typed("spaces")
	h.shows("0", `^gary> spaces\s*\n100 spaces`)
	larry.send("members\r")
	larry.expect("gary +127.0.0.1:[0-9]+ +alive")
	typed("quit")
	h.shows("0", `^gary> quit\s*\nshell\$`)
}

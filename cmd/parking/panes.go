package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"
)

// A lab is a window of tmux with a node in each pane: of the tmux that this
// process is in, or of a server of its own, which inherits the environment and
// has nothing to do with the user's other sessions.
type lab struct {
	tmux   string // the path of the program
	name   string // of the window; or of the server, if it is its own, and its session
	inside bool
	env    []string // NAME=VALUE of what the panes' processes do not inherit
}

// A pane is the name that stands above it and the command that runs in it.
type pane struct {
	title string
	argv  []string
}

// keep runs in each pane. A node that has left in good order closes its pane;
// any other end is one to be read, and to start again from.
const keep = `until "$@"; do
	code=$?
	stty sane 2>/dev/null
	printf '\n%s ended with code %s; Enter starts it again, Ctrl-C closes this pane ' "$0" "$code"
	read -r _ || exit
done`

// firstPane is how long the first pane's node may take before the others are
// started all the same. It is a variable for tests, where no node comes.
var firstPane = 3 * time.Second

// detachPatience is how long this terminal may take to be detached.
const detachPatience = 2 * time.Second

// open makes the window with its panes; the others follow the first once that
// has begun, for which it waits a moment. It leaves nothing behind if it fails
// or ctx ends.
func (l *lab) open(ctx context.Context, panes []pane, begun func() bool) error {
	first := []string{"new-window", "-n", l.name}
	if !l.inside {
		width, height, err := term.GetSize(int(os.Stdout.Fd()))
		if err != nil {
			return err
		}
		first = []string{"new-session", "-d", "-s", l.name, "-n", "lab", "-x", strconv.Itoa(width), "-y", strconv.Itoa(height)}
	}
	first = append(first, "-P", "-F", "#{window_id} #{pane_id}")
	where, err := l.run(l.in(first, panes[0]))
	window, pane, ok := strings.Cut(strings.TrimSpace(where), " ")
	if err == nil && !ok {
		err = fmt.Errorf("tmux answered %.40q; %s", where, needed)
	}
	if err != nil {
		return err
	}
	for late := time.Now().Add(firstPane); !begun() && time.Now().Before(late) && ctx.Err() == nil; {
		time.Sleep(10 * time.Millisecond)
	}
	layout := "even-vertical"
	if len(panes) > 3 {
		layout = "tiled"
	}
	rest := [][]string{
		{"set-option", "-w", "-t", window, "pane-border-status", "top"},
		{"set-option", "-w", "-t", window, "pane-border-format", " #{pane_title} "},
		{"select-pane", "-t", window, "-T", panes[0].title},
	}
	for _, p := range panes[1:] {
		rest = append(rest,
			l.in([]string{"split-window", "-t", window}, p),
			[]string{"select-pane", "-t", window, "-T", p.title}, // the new one is the window's active pane
			[]string{"select-layout", "-t", window, layout},      // now, to make room for the next
		)
	}
	rest = append(rest, []string{"select-pane", "-t", pane})
	if !l.inside {
		rest = append(rest,
			[]string{"set-option", "-t", window, "status-left-length", "60"},
			[]string{"set-option", "-t", window, "status-right-length", "60"},
			[]string{"set-option", "-t", window, "status-right", " #{prefix} o: next pane   #{prefix} d: detach "})
	}
	if err = ctx.Err(); err == nil {
		_, err = l.run(rest...)
	}
	if err != nil {
		_, _ = l.ask("kill-window", "-t", window)
	}
	return err
}

// in completes a command of tmux that makes a pane.
func (l *lab) in(command []string, p pane) []string {
	if dir, err := os.Getwd(); err == nil {
		command = append(command, "-c", strings.ReplaceAll(dir, "#", "##")) // it is a format
	}
	for _, assignment := range l.env {
		command = append(command, "-e", assignment)
	}
	return append(append(command, "/bin/sh", "-c", keep, p.title), p.argv...)
}

// show attaches this terminal until it is detached or the last pane is gone;
// the end of ctx detaches it. The nodes go on in every case but one: a terminal
// that could not be attached at all leaves nothing behind.
func (l *lab) show(ctx context.Context, sig *signals) error {
	cmd := exec.CommandContext(ctx, l.tmux, "-L", l.name, "attach-session")
	cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
	var errs bytes.Buffer
	cmd.Stderr = &errs
	// Told to end, it has the terminal put back. No other terminal that shows
	// this lab is detached by that.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = detachPatience
	modes, err := term.GetState(int(os.Stdin.Fd()))
	if err != nil {
		return err
	}
	switch err := cmd.Start(); {
	case ctx.Err() != nil && cmd.Process == nil:
		return nil
	case err != nil:
		return err
	}
	restore := func() {
		_ = cmd.Process.Kill()
		_ = term.Restore(int(os.Stdin.Fd()), modes)
	}
	sig.restore.Store(&restore)
	err = cmd.Wait()
	sig.restore.Store(nil)
	if err == nil {
		return nil
	}
	restore() // tmux may have been killed, or stand still
	if ctx.Err() == nil && l.neverShown() {
		_, _ = l.ask("kill-server")
		return tmuxError(err, errs.String())
	}
	return nil
}

// neverShown reports whether the lab's own server runs and no terminal has
// been attached to it yet.
func (l *lab) neverShown() bool {
	last, err := l.ask("display-message", "-p", "-t", l.name, "#{session_last_attached}")
	return err == nil && strings.TrimSpace(last) == ""
}

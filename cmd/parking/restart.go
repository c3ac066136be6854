package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"parking/lot"
)

// restartPatience is how long a node may take to leave before it is restarted.
const restartPatience = 8 * time.Second

// restarter starts nodes again in their panes. Only a lab's node can: it knows the
// command that each pane was opened with.
type restarter struct {
	name string // this node's
	dir  *neighbours
}

// restart makes a node of this lab leave, if it runs, and starts it again with its
// flags, in its pane.
func (r restarter) restart(ctx context.Context, name string) error {
	if name == r.name {
		return lot.Refuse(lot.Refused, "%s does not restart itself; type restart %s at another node, or kill-node and Enter here", name, name)
	}
	nowhere := lot.Refuse(lot.Refused, "%s was not started by the lab of %s; start it where it was: by restart %s in a session, or parking --sname %s in a terminal", name, r.name, name, name)
	own, inside := os.Getenv("TMUX_PANE"), os.Getenv("TMUX") != ""
	path, err := exec.LookPath("tmux")
	if own == "" || !inside || err != nil {
		return nowhere
	}
	l := &lab{tmux: path, inside: true, env: labEnvironment(r.dir.dir)}
	// A node that inherited these variables, as a session's does, is in no pane.
	panes, err := l.ask("list-panes", "-t", own, "-F", "#{pane_id} #{pane_pid} #{pane_title}")
	if err != nil {
		return err
	}
	pane, ours := "", false
	for line := range strings.Lines(panes) {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		ours = ours || f[0] == own && f[1] == strconv.Itoa(os.Getppid()) && f[2] == r.name
		if f[2] == name {
			pane = f[0]
		}
	}
	if !ours || pane == "" {
		return nowhere
	}
	if err := r.end(ctx, name); err != nil {
		return err
	}
	again := []string{"respawn-pane", "-k", "-t", pane}
	for _, assignment := range l.env {
		again = append(again, "-e", assignment)
	}
	_, err = l.run(again)
	return err
}

// end makes a node of this host leave, and waits until it is gone.
func (r restarter) end(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, restartPatience)
	defer cancel()
	told := 0
	for {
		pid := 0
		all, err := r.dir.Neighbours()
		for _, o := range all {
			if o.Name == name {
				pid = o.PID
			}
		}
		switch {
		case err != nil:
			return err
		case pid == 0:
			return nil
		case pid != told: // it may be paused
			told = pid
			if err := syscall.Kill(pid, syscall.SIGTERM); err == nil {
				_ = syscall.Kill(pid, syscall.SIGCONT)
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s was told to leave and still runs; kill-node %s ends it at once", name, name)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

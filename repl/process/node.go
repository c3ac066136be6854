package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"parking/node/discover"
	"parking/repl"
	"parking/repl/attach"
)

// A Node is a node's process. It belongs to one goroutine at a time, but for
// Wait and Gone, which anybody may call.
type Node struct {
	Name   string
	Client *attach.Client // nil until the node is ready

	dir   string
	cmd   *exec.Cmd
	input io.Closer     // its standard input: the node leaves when it ends
	log   string        // path of the file with its standard error
	done  chan struct{} // closed when the process is gone
}

// launch starts a node, which is not ready yet.
func (g *Group) launch(name string, flags []string) (*Node, error) {
	log, err := os.Create(filepath.Join(g.dir, name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	args := append([]string{"node", "--sname", name, "--cookie-file", CookieFile(g.dir), "--cluster", Cluster}, flags...)
	n := &Node{Name: name, dir: g.dir, cmd: exec.Command(g.cfg.Exe, args...), log: log.Name(), done: make(chan struct{})}
	n.cmd.Env = environment(g.cfg.Env, g.dir)
	n.cmd.Stderr = log // a file, so that a node outlives its reader
	// An interrupt at the terminal is the group's owner's, who then ends the
	// nodes.
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if n.input, err = n.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := n.cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	go func() {
		defer close(n.done)
		_ = n.cmd.Wait() // ProcessState tells
	}()
	return n, nil
}

// PID is the number of the process.
func (n *Node) PID() int { return n.cmd.Process.Pid }

const lookEvery = 5 * time.Millisecond

// Connect blocks until the node is ready, and has a Client then.
func (n *Node) Connect(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for !n.dial(ctx) {
		select {
		case <-n.done:
			return n.Ended("did not start")
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w%s", n.Name, context.Cause(ctx), n.lastWords())
		case <-tick.C:
		}
	}
	return nil
}

// dial reports whether the node is ready. An empty line is answered once it
// is.
func (n *Node) dial(ctx context.Context) bool {
	entries, _ := discover.List(n.dir)
	for _, e := range entries {
		if e.PID != n.PID() {
			continue
		}
		client, err := attach.Dial(ctx, e.Socket)
		if err != nil {
			return false
		}
		if err := client.Exec(ctx, "", repl.Options{Format: repl.Table}, io.Discard, io.Discard); err != nil {
			client.Close()
			return false
		}
		n.Client = client
		return true
	}
	return false
}

// Wait blocks until the process is gone.
func (n *Node) Wait(ctx context.Context) error {
	select {
	case <-n.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s still runs: %w", n.Name, context.Cause(ctx))
	}
}

// Gone reports whether the process is gone.
func (n *Node) Gone() bool {
	select {
	case <-n.done:
		return true
	default:
		return false
	}
}

// Left returns an error if the process, which is gone, has ended otherwise
// than by leaving in good order with one of these exit codes.
func (n *Node) Left(codes ...int) error {
	for _, c := range codes {
		if n.cmd.ProcessState.ExitCode() == c {
			return nil
		}
	}
	return n.Ended("did not leave in good order")
}

// Ended returns the error of a process that is gone and should not be.
func (n *Node) Ended(how string) error {
	return fmt.Errorf("%s %s: %v%s", n.Name, how, n.cmd.ProcessState, n.lastWords())
}

const (
	lastLines = 20
	lastBytes = 8 << 10
)

// lastWords returns the end of what the node wrote to its standard error, to
// be put behind an error.
func (n *Node) lastWords() string {
	f, err := os.Open(n.log)
	if err != nil {
		return ""
	}
	defer f.Close()
	if _, err := f.Seek(-lastBytes, io.SeekEnd); err != nil {
		_, _ = f.Seek(0, io.SeekStart) // it is shorter
	}
	text, _ := io.ReadAll(io.LimitReader(f, lastBytes))
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return "; it said nothing"
	}
	lines := strings.Split(string(text), "\n")
	lines = lines[max(0, len(lines)-lastLines):]
	return "; the last it said:\n  " + strings.Join(lines, "\n  ")
}

// HangUp closes the Client: a node that leaves waits for its terminals.
func (n *Node) HangUp() {
	if n.Client != nil {
		n.Client.Close()
	}
}

// CloseInput ends the node's standard input, at which it leaves.
func (n *Node) CloseInput() error {
	n.HangUp()
	return n.input.Close()
}

// Signal sends a signal, and hangs up before one that ends the node; a process
// that is stopped goes on after that, or it would never see it. A process that is
// gone has no use for it.
func (n *Node) Signal(s syscall.Signal) error {
	ends := s != syscall.SIGSTOP && s != syscall.SIGCONT
	if ends {
		n.HangUp()
	}
	err := n.cmd.Process.Signal(s)
	if ends && err == nil {
		err = n.cmd.Process.Signal(syscall.SIGCONT)
	}
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%s: %w", n.Name, err)
	}
	return nil
}

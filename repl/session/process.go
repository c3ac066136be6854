package session

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

// A process is a node that was started.
type process struct {
	name   string
	cmd    *exec.Cmd
	input  io.Closer     // its standard input: the node leaves when it ends
	log    string        // path of the file with its standard error
	done   chan struct{} // closed when the process is gone
	client *attach.Client
	shell  *repl.Shell // what is typed at its prompt; nil until it is ready
	hush   func()      // ends what tell began; nil: nothing did
}

// launch starts a node, which is not ready yet, in the runtime directory dir.
func launch(cfg Config, dir, name string, flags []string) (*process, error) {
	log, err := os.Create(filepath.Join(dir, name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	args := append([]string{"node", "--sname", name, "--cookie-file", cookieFile(dir), "--cluster", "parking"}, flags...)
	p := &process{name: name, cmd: exec.Command(cfg.Exe, args...), log: log.Name(), done: make(chan struct{})}
	p.cmd.Env = environment(cfg.Env, dir)
	p.cmd.Stderr = log // a file, so that a node outlives its reader
	// An interrupt at the terminal is the player's, who then ends the nodes.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if p.input, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // ProcessState tells
	}()
	return p, nil
}

// environment returns env for the nodes in dir. Settings of a node in it would
// make the session another, so they are left out.
func environment(env []string, dir string) []string {
	var out []string
	for _, v := range env {
		if !strings.HasPrefix(v, "PARKING_") {
			out = append(out, v)
		}
	}
	return append(out, "PARKING_RUNTIME_DIR="+dir)
}

const lookEvery = 5 * time.Millisecond

// connect blocks until the node is ready and its prompt can be typed at.
func (p *process) connect(ctx context.Context, dir string) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for !p.dial(ctx, dir) {
		select {
		case <-p.done:
			return p.ended("did not start")
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w%s", p.name, context.Cause(ctx), p.lastWords())
		case <-tick.C:
		}
	}
	p.shell = &repl.Shell{Session: p.client}
	return nil
}

// dial reports whether the node is ready. An empty line is answered once it
// is.
func (p *process) dial(ctx context.Context, dir string) bool {
	entries, _ := discover.List(dir)
	for _, e := range entries {
		if e.PID != p.cmd.Process.Pid {
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
		p.client = client
		return true
	}
	return false
}

// wait blocks until the process is gone.
func (p *process) wait(ctx context.Context) error {
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s still runs: %w", p.name, context.Cause(ctx))
	}
}

// isGone reports whether the process is gone.
func (p *process) isGone() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// left returns an error if the process, which is gone, has ended otherwise
// than by leaving in good order with one of these exit codes.
func (p *process) left(codes ...int) error {
	for _, c := range codes {
		if p.cmd.ProcessState.ExitCode() == c {
			return nil
		}
	}
	return p.ended("did not leave in good order")
}

// ended returns the error of a process that is gone and should not be.
func (p *process) ended(how string) error {
	return fmt.Errorf("%s %s: %v%s", p.name, how, p.cmd.ProcessState, p.lastWords())
}

const (
	lastLines = 20
	lastBytes = 8 << 10
)

// lastWords returns the end of what the node wrote to its standard error, to
// be put behind an error.
func (p *process) lastWords() string {
	f, err := os.Open(p.log)
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

// tell shows the node's events from now on, until hangUp: behind its name, in a
// column of that width. It blocks until none is missed, or opening ends.
func (p *process) tell(opening context.Context, out *transcript, width int) {
	paint := out.painter()
	name := paint.node(p.name, fmt.Sprintf("%-*s", width, p.name))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	stop := context.AfterFunc(opening, cancel)
	tell := p.client.Watch(ctx, repl.Options{Format: repl.Table, Color: paint.on})
	stop()
	go func() {
		defer close(ended)
		_ = tell(func(line string) {
			out.event(name + "  " + line)
		})
	}()
	p.hush = func() { cancel(); <-ended }
}

// hangUp closes the terminal that is attached to the node: one that leaves
// waits for its terminals.
func (p *process) hangUp() {
	if p.hush != nil {
		p.hush()
	}
	if p.client != nil {
		p.client.Close()
	}
}

// signal hangs up and sends a signal. A process that is gone has no use for it.
func (p *process) signal(s os.Signal) error {
	p.hangUp()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}

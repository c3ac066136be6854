package process

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Cluster is the name of a group's cluster.
const Cluster = "parking"

// Config says how the nodes of a group are run.
type Config struct {
	Exe  string   // the program that runs a node when its first argument is node
	Env  []string // of the nodes; variables that begin with PARKING_ are left out
	Temp string   // existing directory for the group's own; short, since sockets' paths are
}

// A Group is a runtime directory and the nodes that were started in it. It
// belongs to one goroutine. If the process that has it is killed outright, the
// nodes' input ends with it, at which they leave; the directory stays.
type Group struct {
	cfg   Config
	dir   string
	nodes []*Node
}

// Open returns a group without nodes. Close it.
func Open(cfg Config) (*Group, error) {
	dir, err := os.MkdirTemp(cfg.Temp, "parking-")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(CookieFile(dir), []byte(rand.Text()+"\n"), 0o600); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &Group{cfg: cfg, dir: dir}, nil
}

// CookieFile is the path of the cookie in a group's directory.
func CookieFile(dir string) string { return filepath.Join(dir, "cookie") }

// Start starts nodes at the same moment. None of them is ready yet. After an
// error, those that were started are the group's all the same.
func (g *Group) Start(names, flags []string) ([]*Node, error) {
	var started []*Node
	for _, name := range names {
		n, err := g.launch(name, flags)
		if err != nil {
			return started, err
		}
		g.nodes, started = append(g.nodes, n), append(started, n)
	}
	return started, nil
}

// Close ends the nodes that still run, all at once, and removes the directory.
// They have the grace to leave, unless hurry ends before; those that do not are
// killed, and named by the error, unless there was a hurry.
func (g *Group) Close(hurry context.Context, grace time.Duration) error {
	for _, n := range g.nodes {
		_ = n.Signal(syscall.SIGTERM) // else it is killed below
	}
	ctx, cancel := context.WithTimeout(hurry, grace)
	defer cancel()
	var hung []string
	for _, n := range g.nodes {
		if n.Wait(ctx) != nil {
			hung = append(hung, n.Name)
			_ = n.Signal(syscall.SIGKILL)
			<-n.done
		}
	}
	err := os.RemoveAll(g.dir)
	if len(hung) > 0 && hurry.Err() == nil {
		err = errors.Join(fmt.Errorf("within %v of SIGTERM these did not leave and were killed: %s", grace, strings.Join(hung, " ")), err)
	}
	return err
}

// CheckFlags refuses a name among flags of nodes: they have the one that they
// are started by.
func CheckFlags(flags []string) error {
	for _, f := range flags {
		if name, _, _ := strings.Cut(f, "="); name == "--sname" {
			return errors.New("--sname is no flag here: nodes have the names that they are started by")
		}
	}
	return nil
}

// environment returns env for the nodes in dir. Settings of a node in it would
// make the group another, so they are left out.
func environment(env []string, dir string) []string {
	var out []string
	for _, v := range env {
		if !strings.HasPrefix(v, "PARKING_") {
			out = append(out, v)
		}
	}
	return append(out, "PARKING_RUNTIME_DIR="+dir)
}

// Limit bounds what may take so long, and names it in the cause. It sets no
// deadline: that would travel along with a command, and the node would refuse
// it just before we gave up.
func Limit(ctx context.Context, what string, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(d, func() { cancel(fmt.Errorf("%s may take %v", what, d)) })
	return ctx, func() { timer.Stop(); cancel(nil) }
}

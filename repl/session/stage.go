package session

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A stage is where one run takes place: a runtime directory and the nodes in
// it. It belongs to one goroutine.
type stage struct {
	cfg    Config
	out    *transcript
	source []string // the script's lines
	width  int      // of its nodes' names
	dir    string
	nodes  []*process // that run, in the order of their start
	checks int        // that held so far
	edits  edits      // for those that did not, where that is no failure
}

// open returns a stage without nodes. close it.
func open(cfg Config, script *Script) (*stage, error) {
	dir, err := os.MkdirTemp(cfg.Temp, "parking-")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(cookieFile(dir), []byte(rand.Text()+"\n"), 0o600); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &stage{
		cfg:    cfg,
		out:    &transcript{out: cfg.Out, color: cfg.Color, pace: cfg.Pace, rec: cfg.Record},
		source: strings.SplitAfter(script.source, "\n"),
		width:  script.width,
		dir:    dir,
		edits:  make(edits),
	}, nil
}

func cookieFile(dir string) string { return filepath.Join(dir, "cookie") }

// close ends the nodes, all at once, and removes the directory. The error says
// which nodes had to be killed.
func (s *stage) close() error {
	for _, p := range s.nodes {
		_ = p.signal(syscall.SIGTERM) // else it is killed below
	}
	hurry := s.cfg.Hurry
	if hurry == nil {
		hurry = context.Background()
	}
	grace, cancel := context.WithTimeout(hurry, s.cfg.Grace)
	defer cancel()
	var hung []string
	for _, p := range s.nodes {
		if p.wait(grace) != nil {
			hung = append(hung, p.name)
			_ = p.signal(syscall.SIGKILL)
			<-p.done
		}
	}
	err := os.RemoveAll(s.dir)
	if len(hung) > 0 && hurry.Err() == nil {
		err = errors.Join(fmt.Errorf("within %v of SIGTERM these did not leave and were killed: %s", s.cfg.Grace, strings.Join(hung, " ")), err)
	}
	return err
}

// limit bounds what may take so long. It sets no deadline: that would travel
// along with a command, and the node would refuse it just before we gave up.
func limit(ctx context.Context, what string, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(d, func() { cancel(fmt.Errorf("%s may take %v", what, d)) })
	return ctx, func() { timer.Stop(); cancel(nil) }
}

// start starts nodes at the same moment and blocks until all are ready.
func (s *stage) start(ctx context.Context, names, flags []string) error {
	ctx, cancel := limit(ctx, "a start", s.cfg.Start)
	defer cancel()
	var launched []*process
	for _, name := range names {
		p, err := launch(s.cfg, s.dir, name, flags)
		if err != nil {
			return err
		}
		s.nodes, launched = append(s.nodes, p), append(launched, p)
	}
	for _, p := range launched {
		if err := p.connect(ctx, s.dir); err != nil {
			return err
		}
		if s.cfg.Verbose {
			p.tell(ctx, s.out, s.width)
		}
	}
	return nil
}

// find returns a node that runs.
func (s *stage) find(name string) (*process, error) {
	for _, p := range s.nodes {
		if p.name == name {
			return p, nil
		}
	}
	return nil, fmt.Errorf("%s has ended; start it first", name)
}

// release waits for the end of a node that was told to end.
func (s *stage) release(ctx context.Context, name string) error {
	p, err := s.find(name)
	if err == nil {
		err = p.wait(ctx)
	}
	if err != nil {
		return err
	}
	p.hangUp()
	s.nodes = slices.DeleteFunc(s.nodes, func(o *process) bool { return o == p })
	return nil
}

// lost returns an error if a node that was ready has ended and was not meant
// to.
func (s *stage) lost() error {
	for _, p := range s.nodes {
		if p.shell != nil && p.isGone() {
			return p.ended("ended by itself")
		}
	}
	return nil
}

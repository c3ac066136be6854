package session

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"parking/repl/process"
)

// A stage is where one run takes place: a group of nodes, with a terminal on
// each. It belongs to one goroutine.
type stage struct {
	cfg    Config
	out    *transcript
	source []string // the script's lines
	width  int      // of its nodes' names
	group  *process.Group
	nodes  []*terminal // that run, in the order of their start
	checks int         // that held so far
	edits  edits       // for those that did not, where that is no failure
}

// open returns a stage without nodes. close it.
func open(cfg Config, script *Script) (*stage, error) {
	group, err := process.Open(process.Config{Exe: cfg.Exe, Env: cfg.Env, Temp: cfg.Temp})
	if err != nil {
		return nil, err
	}
	return &stage{
		cfg:    cfg,
		out:    &transcript{out: cfg.Out, color: cfg.Color, pace: cfg.Pace, rec: cfg.Record},
		source: strings.SplitAfter(script.source, "\n"),
		width:  script.width,
		group:  group,
		edits:  make(edits),
	}, nil
}

// close ends the nodes, all at once, and removes their directory. The error
// says which nodes had to be killed.
func (s *stage) close() error {
	for _, t := range s.nodes {
		t.hangUp()
	}
	hurry := s.cfg.Hurry
	if hurry == nil {
		hurry = context.Background()
	}
	return s.group.Close(hurry, s.cfg.Grace)
}

// start starts nodes at the same moment and blocks until all are ready.
func (s *stage) start(ctx context.Context, names, flags []string) error {
	ctx, cancel := process.Limit(ctx, "a start", s.cfg.Start)
	defer cancel()
	started, err := s.group.Start(names, flags)
	var terminals []*terminal
	for _, n := range started {
		terminals = append(terminals, &terminal{Node: n})
	}
	s.nodes = append(s.nodes, terminals...)
	if err != nil {
		return err
	}
	for _, t := range terminals {
		if err := t.connect(ctx); err != nil {
			return err
		}
		if s.cfg.Verbose {
			t.tell(ctx, s.out, s.width)
		}
	}
	return nil
}

// find returns a node that runs.
func (s *stage) find(name string) (*terminal, error) {
	for _, t := range s.nodes {
		if t.Name == name {
			return t, nil
		}
	}
	return nil, fmt.Errorf("%s has ended; start it first", name)
}

// release waits for the end of a node that was told to end.
func (s *stage) release(ctx context.Context, name string) error {
	t, err := s.find(name)
	if err == nil {
		err = t.Wait(ctx)
	}
	if err != nil {
		return err
	}
	t.hangUp()
	s.nodes = slices.DeleteFunc(s.nodes, func(o *terminal) bool { return o == t })
	return nil
}

// lost returns an error if a node that was ready has ended and was not meant
// to.
func (s *stage) lost() error {
	for _, t := range s.nodes {
		if t.shell != nil && t.Gone() {
			return t.Ended("ended by itself")
		}
	}
	return nil
}

package session

import (
	"context"
	"strings"
)

// A Script is a session that can be played any number of times.
type Script struct {
	Name  string // its file's, without directory and extension
	Title string // its first line of prose, or the name if it has none

	file  string // as errors name it
	lines []line
}

// line is one line that is shown: a step, or prose.
type line struct {
	number int
	prose  string
	step   step // nil: prose
}

// A step is what a line of a script has done.
type step interface {
	// show returns how the step looks when it is played.
	show(painter) string
	// play does it and blocks until it is done, for a bounded time. When ctx
	// ends it ends early, with any error.
	play(ctx context.Context, on *stage) error
}

// start starts nodes.
type start struct{ names, flags []string }

// end ends a node from outside: by kill or by stop.
type end struct{ verb, node string }

// command is what is typed at a node's prompt.
type command struct {
	node     string
	line     string
	refused  bool   // the node must refuse
	ends     string // the node that ends by it, or none
	expected []expectation
}

func (s *start) show(p painter) string {
	words := []string{"start"}
	for _, name := range s.names {
		words = append(words, p.node(name, name))
	}
	return strings.Join(append(words, s.flags...), " ")
}

func (e *end) show(p painter) string { return e.verb + " " + p.node(e.node, e.node) }

func (c *command) show(p painter) string { return p.node(c.node, c.node+"> ") + c.line }

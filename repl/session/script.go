package session

import (
	"context"
	"strings"
)

// A Script is a session that can be played any number of times.
type Script struct {
	Name  string // its file's, without directory and extension
	Title string // its first line of prose, or the name if it has none

	file   string // as errors name it
	source string // all of the file
	lines  []line
	width  int // of the longest name of a node
}

// line is one line that is shown: a step, or prose.
type line struct {
	number int
	prose  string
	step   step // nil: prose
}

// A step is what a line of a script has done.
type step interface {
	// show returns how the step looks when it is played: what is typed, and the
	// prompt before it, if there is one.
	show(painter) (prompt, typed string)
	// play does it and blocks until it is done, for a bounded time. When ctx
	// ends it ends early, with any error.
	play(ctx context.Context, on *stage) error
}

// start starts nodes: those of each group together, when those of the group
// before are ready.
type start struct {
	names [][]string
	flags []string
}

// restart starts a node again, which is stopped first if it runs.
type restart struct {
	node  string
	flags []string
	given bool // the flags, in this step
}

// end ends a node from outside: by kill or by stop.
type end struct{ verb, node string }

// command is what is typed at a node's prompt.
type command struct {
	node     string
	line     string
	refused  bool   // the node must refuse
	ends     string // the node that ends by it, or none
	expected []expectation
	fields   []field // expected of the answer as JSON; one of both is empty
}

func (s *start) show(p painter) (prompt, typed string) {
	words := []string{"start"}
	for _, together := range s.names {
		shown := make([]string, 0, len(together))
		for _, name := range together {
			shown = append(shown, p.node(name, name))
		}
		words = append(words, strings.Join(shown, "+"))
	}
	return "", strings.Join(append(words, s.flags...), " ")
}

func (r *restart) show(p painter) (prompt, typed string) {
	words := []string{"restart", p.node(r.node, r.node)}
	if r.given {
		words = append(words, r.flags...)
	}
	return "", strings.Join(words, " ")
}

func (e *end) show(p painter) (prompt, typed string) {
	return "", e.verb + " " + p.node(e.node, e.node)
}

func (c *command) show(p painter) (prompt, typed string) {
	return p.node(c.node, c.node+"> "), c.line
}

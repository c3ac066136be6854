package repl

import (
	"context"
	"errors"
	"io"
	"regexp"
	"strings"

	"parking/lot"
)

// A Format is how answers are rendered.
type Format string

// The formats.
const (
	Table Format = "table" // for people
	JSON  Format = "json"  // one document per command
)

// ParseFormat refuses what is no format.
func ParseFormat(s string) (Format, error) {
	switch f := Format(s); f {
	case Table, JSON:
		return f, nil
	}
	return "", lot.Refuse(lot.Usage, "the format %.40q is not table or json", s)
}

// Options say how a terminal wants its answers.
type Options struct {
	Format Format
	Color  bool
	Width  int  // columns; 0: not a screen
	Ack    *int // how many other nodes writes wait for; nil: as many as the node says
}

// A Session runs one terminal's commands on one node.
type Session interface {
	// Exec runs one line and writes the answer to out, remarks to remarks. It
	// blocks until the command has ended; when ctx ends it ends early. The
	// error is a *lot.Refusal, fit for people, or one of the sentinels.
	Exec(ctx context.Context, line string, opt Options, out, remarks io.Writer) error
	// Watch returns once no event is missed any more. What it returns is to be
	// called once: it calls show with each event since that is worth telling, as
	// one rendered line, until ctx ends or the node does. Events that come faster
	// than show takes them are dropped, with a remark of how many.
	Watch(ctx context.Context, opt Options) (tell func(show func(line string)) error)
	// Complete suggests how the line before the cursor can go on. It answers
	// from what the node holds in memory and never waits for other nodes; it
	// is for each key, and rather suggests nothing than to block for long.
	Complete(ctx context.Context, before string) []Suggestion
}

// ErrDie is the error of a kill-node for the very node that runs it: the
// answer is written, and whoever called Exec ends the process.
var ErrDie = errors.New("repl: the node is to die now")

// ErrGone is the error of a session whose node has ended.
var ErrGone = errors.New("repl: the node is gone")

// ErrLeaving is the cause with which a node that leaves ends the commands that
// run.
var ErrLeaving = errors.New("repl: the node is leaving")

// packageName is a package's name where it begins an error's text.
var packageName = regexp.MustCompile(`(^|: )(?:(?:attach|bench|connect|cookie|crdt|discover|fault|gates|lot|member|node|peer|prompt|repl|replicate): )+`)

// afterColon is a break of the line for what is to be shown below it.
var afterColon = regexp.MustCompile(`:\n *`)

// Plain returns an error's text as one line for people, without the names of
// the packages that it came through.
func Plain(err error) string { return plain(err.Error()) }

func plain(text string) string {
	text = afterColon.ReplaceAllString(text, ": ")
	return printable(packageName.ReplaceAllString(strings.ReplaceAll(text, "\n", "; "), "$1"))
}

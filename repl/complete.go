package repl

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"parking/node"
	"parking/node/member"
)

// A Suggestion is one way in which a line can go on: Text takes the place of
// the word at its end or, inside a quote that is still open, of what follows
// that quote.
type Suggestion struct{ Text, Description string }

// maxSuggestions bounds what one completion answers.
const maxSuggestions = 100

// completion is one look at how a line can go on. It reads what the node
// holds in memory: other nodes are not asked.
type completion struct {
	node *node.Node
	args []string // of the command, before the word
	word string   // the one being typed, unquoted; may be empty
}

// A candidate is a word that may stand where one is being typed.
type candidate struct {
	word, about string
	more        bool // it goes on: a directory
}

// Complete implements Session.
func (e *Engine) Complete(_ context.Context, before string) []Suggestion {
	done, word, quote, ok := unfinished(before)
	if !ok {
		return nil
	}
	all := following(&completion{node: e.node, args: done, word: word})
	return suggestions(all, word, quote)
}

// suggestions returns the candidates that begin with word, whatever the case,
// as they are typed inside that quote, or outside of any if it is 0.
func suggestions(all []candidate, word string, quote byte) (out []Suggestion) {
	for _, c := range all {
		if !strings.HasPrefix(canonical(c.word), canonical(word)) || len(out) == maxSuggestions {
			continue
		}
		if text, ok := c.typed(quote); ok {
			out = append(out, Suggestion{text, c.about})
		}
	}
	return out
}

// following returns what can come after the words of a line.
func following(c *completion) []candidate {
	if len(c.args) == 0 {
		return commandNames(c)
	}
	cmd, err := find(c.args[0])
	if err != nil || cmd.next == nil {
		return nil
	}
	rest := *c
	rest.args = c.args[1:]
	return cmd.next(&rest)
}

// Completion of the arguments of single commands. A completer answers for the
// arguments that are there.
type completer func(*completion) []candidate

// arguments completes each argument in its turn; nil: nothing is known of it.
func arguments(each ...completer) completer {
	return func(c *completion) []candidate {
		if n := len(c.args); n < len(each) && each[n] != nil {
			return each[n](c)
		}
		return nil
	}
}

// options suggests fixed words, each followed by what it means.
func options(wordsAndMeanings ...string) completer {
	var all []candidate
	for i := 0; i < len(wordsAndMeanings); i += 2 {
		all = append(all, candidate{word: wordsAndMeanings[i], about: wordsAndMeanings[i+1]})
	}
	return func(*completion) []candidate { return all }
}

func commandNames(*completion) (out []candidate) {
	for _, cmd := range Commands() {
		out = append(out, candidate{word: cmd.Name, about: cmd.Help})
	}
	return out
}

// vehicles suggests the plates in the lot.
func vehicles(c *completion) (out []candidate) {
	now := time.Now()
	for _, v := range c.node.Search(c.word, maxSuggestions) {
		out = append(out, candidate{word: string(v.Plate), about: fmt.Sprintf("gate %d, %s, %s", v.Gate, v.Node, clockTime(v.Since, now))})
	}
	return out
}

// nodes suggests the members that are alive.
func nodes(c *completion) (out []candidate) {
	for _, m := range c.node.Members() {
		about := string(m.Status)
		if m.Self {
			about = "this node"
		}
		if m.Status == member.Alive {
			out = append(out, candidate{word: m.Name, about: about})
		}
	}
	return out
}

// otherNodes suggests the other members, those that cannot be seen, too.
func otherNodes(c *completion) (out []candidate) {
	for _, m := range c.node.Members() {
		if !m.Self && m.Status != member.Left {
			out = append(out, candidate{word: m.Name, about: string(m.Status)})
		}
	}
	return out
}

// present suggests the members that a fault can be put on or taken from: those
// that cannot be seen, too.
func present(c *completion) (out []candidate) {
	for _, m := range c.node.Members() {
		about := string(m.Status)
		if m.Self {
			about = "this node"
		}
		if m.Status != member.Left {
			out = append(out, candidate{word: m.Name, about: about})
		}
	}
	return out
}

// gateNumbers suggests the lot's gates, with where they run.
func gateNumbers(c *completion) (out []candidate) {
	for _, g := range c.node.GateStates() {
		about := g.State()
		if len(g.Owners) > 0 {
			about += " on " + strings.Join(g.Owners, " ")
		}
		out = append(out, candidate{word: strconv.Itoa(int(g.Gate)), about: about})
	}
	return out
}

// settingNames suggests the replicated settings, with their values.
func settingNames(c *completion) []candidate {
	return []candidate{
		{word: "spaces", about: fmt.Sprintf("%d now", c.node.Spaces().Total)},
		{word: "gates", about: fmt.Sprintf("%d now", c.node.Gates())},
		{word: "ack", about: "other nodes that this terminal's writes wait for"},
	}
}

var limit = options("--limit", "show that many vehicles")

// afterRead completes read [PLATE | PREFIX*] [--limit N].
func afterRead(c *completion) []candidate {
	switch {
	case len(c.args) == 0:
		return append(limit(c), vehicles(c)...)
	case len(c.args) == 1 && c.args[0] != "--limit":
		return limit(c)
	}
	return nil
}

var gateVerbs = options(
	"enter", "let a vehicle in, if there is room",
	"exit", "let a vehicle out",
	"crash", "make the gate's process panic",
	"move", "hand the gate over to a node")

// afterGate completes gate N VERB ...
func afterGate(c *completion) []candidate {
	last := map[string]completer{"exit": vehicles, "move": nodes}
	if len(c.args) == 2 {
		if next := last[c.args[1]]; next != nil {
			return next(c)
		}
		return nil
	}
	return arguments(gateNumbers, gateVerbs)(c)
}

var conditionNames = options(
	"converged", "all living nodes have the same digest",
	"members", "that many nodes are alive",
	"gates", "each gate has one owner, on that many nodes",
	"vehicle", "a plate is in the lot here",
	"no", "no vehicle PLATE: it is not")

func afterAwait(c *completion) []candidate {
	alive := func() []candidate {
		n := len(nodes(c))
		return []candidate{{word: strconv.Itoa(n), about: Count(n, "node") + " alive now"}}
	}
	switch n := len(c.args); {
	case n == 0:
		return conditionNames(c)
	case n == 1 && (c.args[0] == "members" || c.args[0] == "gates"):
		return alive()
	case n == 1 && c.args[0] == "no":
		return []candidate{{word: "vehicle", about: "a plate is not in the lot here"}}
	case n == 2 && c.args[0] == "gates":
		return []candidate{{word: "nodes", about: "together run all gates"}}
	case n == 1 && c.args[0] == "vehicle", n == 2 && c.args[0] == "no":
		return vehicles(c)
	}
	return nil
}

func afterWatch(c *completion) []candidate {
	rest := *c
	if len(rest.args) > 0 {
		if _, err := time.ParseDuration(rest.args[0]); err == nil {
			rest.args = rest.args[1:]
		}
	}
	return following(&rest)
}

// Complete suggests how the line before the cursor can go on. It blocks for
// no longer than the session's Complete does, but for the reading of a
// directory when the name of a file is to be completed.
func (s *Shell) Complete(ctx context.Context, before string) []Suggestion {
	done, word, quote, ok := unfinished(before)
	if !ok {
		return nil
	}
	if len(done) == 1 {
		if cmd, err := find(done[0]); err == nil && cmd.files {
			return suggestions(s.files(word, quote != 0), word, quote)
		}
	}
	return s.Session.Complete(ctx, before)
}

// files suggests the files that word can go on to; in quotes ~ is itself.
func (s *Shell) files(word string, quoted bool) (out []candidate) {
	expand := s.Expand
	if quoted {
		expand = nil
	}
	for _, f := range Files(word, expand) {
		about := ""
		if f.Dir {
			about = "directory"
		}
		out = append(out, candidate{f.Path, about, f.Dir})
	}
	return out
}

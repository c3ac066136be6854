package session

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"parking/lot"
	"parking/repl"
	"parking/repl/process"
)

// verbs are the words that steps begin with, beside a node's prompt.
var verbs = []string{"start", "restart", "kill", "stop"}

// unknown says what would be right instead of a line that begins no step.
func (p *parser) unknown(words []string) error {
	word := words[0]
	switch {
	case word == "sleep" || word == "wait":
		return errors.New("a session never sleeps; write what it waits for: NAME> await CONDITION")
	case p.running[word] && len(words) > 1:
		return fmt.Errorf("%q begins no step; did you mean %[1]s> %.40s?", word, strings.Join(words[1:], " "))
	}
	return fmt.Errorf("%.40q begins no step; %s", word, repl.DidYouMean(word, verbs,
		"NAME> COMMAND, ! NAME> COMMAND, start NAME..., restart NAME, kill NAME and stop NAME do, and # begins prose"))
}

func (p *parser) start(args []string) (step, error) {
	names, flags := args, []string(nil)
	if i := slices.IndexFunc(args, isFlag); i >= 0 {
		names, flags = args[:i], args[i:]
	}
	if len(names) == 0 {
		return nil, errors.New("start takes names, then flags: start larry gary --spaces 3")
	}
	if err := process.CheckFlags(flags); err != nil {
		return nil, err
	}
	s := &start{flags: flags}
	for _, word := range names {
		together := strings.Split(word, "+")
		for _, name := range together {
			if err := lot.CheckName("name", name); err != nil {
				return nil, err
			}
			if p.running[name] {
				return nil, fmt.Errorf("%s runs already; start another, or restart it", name)
			}
			p.running[name], p.flags[name] = true, flags
			p.script.width = max(p.script.width, len(name))
		}
		s.names = append(s.names, together)
	}
	return s, nil
}

func (p *parser) restart(args []string) (step, error) {
	if len(args) == 0 || len(args) > 1 && !isFlag(args[1]) {
		return nil, errors.New("restart takes the name of one node, then flags: restart larry")
	}
	r := &restart{node: args[0], flags: args[1:], given: len(args) > 1}
	if err := process.CheckFlags(r.flags); err != nil {
		return nil, err
	}
	last, started := p.flags[r.node]
	if !started {
		return nil, fmt.Errorf("%.40q was never started here; start it first: start %[1]s", r.node)
	}
	if !r.given {
		r.flags = last
	}
	p.running[r.node], p.flags[r.node] = true, r.flags
	return r, nil
}

func isFlag(word string) bool { return strings.HasPrefix(word, "-") }

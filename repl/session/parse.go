package session

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"parking/lot"
	"parking/repl"
)

// maxScript bounds a script, in bytes.
const maxScript = 1 << 20

// Parse reads a script; file is its name, in errors too. Beyond the grammar it
// checks that each node runs where it is used. The error is a *repl.LineError
// that says what would be right, unless r cannot be read.
func Parse(file string, r io.Reader) (*Script, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxScript+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxScript {
		return nil, fmt.Errorf("%s has more than %d bytes; split it into several sessions", file, maxScript)
	}
	name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	p := &parser{script: &Script{Name: name, file: file}, running: make(map[string]bool)}
	n := 0
	for text := range strings.Lines(string(text)) {
		n++
		if err := p.line(n, strings.TrimRightFunc(text, unicode.IsSpace)); err != nil {
			return nil, &repl.LineError{Source: file, Line: n, Err: err}
		}
	}
	if p.script.Title == "" {
		p.script.Title = name
	}
	return p.script, nil
}

// parser reads a script line by line.
type parser struct {
	script  *Script
	running map[string]bool // the nodes, as far as the script goes
	asked   *command        // whose answer indented lines are about; nil: none's
}

// line reads one line, without blanks at its end.
func (p *parser) line(n int, text string) error {
	indented := strings.TrimLeftFunc(text, unicode.IsSpace) != text
	switch words := fields(text); {
	case text == "":
		p.add(line{number: n})
	case text[0] == '#':
		p.prose(n, strings.TrimSpace(strings.TrimLeft(text, "#")))
	case indented && len(words) == 0: // a comment
	case indented:
		return p.expect(n, words)
	default:
		step, err := p.step(text, words)
		if err != nil {
			return err
		}
		p.asked, _ = step.(*command)
		p.add(line{number: n, step: step})
	}
	return nil
}

func (p *parser) add(l line) { p.script.lines = append(p.script.lines, l) }

func (p *parser) prose(n int, text string) {
	if p.script.Title == "" {
		p.script.Title = text
	}
	p.asked = nil
	p.add(line{number: n, prose: text})
}

func (p *parser) expect(n int, words []string) error {
	if p.asked == nil {
		return fmt.Errorf("no answer is above this indented line; put it below NAME> COMMAND, or begin it at the margin")
	}
	e, err := newExpectation(n, words)
	if err == nil {
		p.asked.expected = append(p.asked.expected, e)
	}
	return err
}

// prompt takes apart what is typed at a prompt: the ! that wants a refusal,
// the node, the command.
var prompt = regexp.MustCompile(`^(!?)[ \t]*([^ \t>]*)>[ \t]*(.*)$`)

func (p *parser) step(text string, words []string) (step, error) {
	if m := prompt.FindStringSubmatch(text); m != nil {
		return p.command(m[1] == "!", m[2], m[3])
	}
	switch verb, args := words[0], words[1:]; verb {
	case "start":
		return p.start(args)
	case "kill", "stop":
		if len(args) != 1 {
			return nil, fmt.Errorf("%s takes the name of one node: %[1]s larry", verb)
		}
		return &end{verb, args[0]}, p.leaves(args[0])
	}
	return nil, fmt.Errorf("%.40q begins no step; NAME> COMMAND, ! NAME> COMMAND, start NAME..., kill NAME and stop NAME do, and # begins prose", words[0])
}

func (p *parser) start(args []string) (step, error) {
	s := &start{names: args}
	if i := slices.IndexFunc(args, isFlag); i >= 0 {
		s.names, s.flags = args[:i], args[i:]
	}
	if len(s.names) == 0 {
		return nil, fmt.Errorf("start takes names, then flags: start larry gary --spaces 3")
	}
	for _, name := range s.names {
		switch {
		case !lot.ValidName(name):
			return nil, fmt.Errorf("the name %.40q is not 1 to %d of a-z, 0-9 and -", name, lot.MaxName)
		case p.running[name]:
			return nil, fmt.Errorf("%s runs already; start another, or kill or stop it first", name)
		}
		p.running[name] = true
	}
	return s, nil
}

func isFlag(word string) bool { return strings.HasPrefix(word, "-") }

func (p *parser) command(refused bool, node, typed string) (step, error) {
	if err := p.runs(node); err != nil {
		return nil, err
	}
	words := fields(typed)
	if len(words) == 0 {
		return nil, fmt.Errorf("nothing is typed at %s's prompt; write a command behind it, for example %[1]s> read", node)
	}
	c := &command{node: node, line: typed, refused: refused}
	if ends := mortal(node, words); p.running[ends] && !refused {
		c.ends = ends
		delete(p.running, ends)
	}
	return c, nil
}

// mortal returns the node that a command ends, if it ends one. In names of
// commands case does not matter, and - and _ are the same.
func mortal(node string, words []string) string {
	switch strings.ReplaceAll(strings.ToLower(words[0]), "-", "_") {
	case "quit":
		return node
	case "kill_node":
		if len(words) > 1 {
			return strings.Trim(words[1], `"'`)
		}
		return node
	}
	return ""
}

// leaves takes a node that runs off the list.
func (p *parser) leaves(node string) error {
	err := p.runs(node)
	delete(p.running, node)
	return err
}

func (p *parser) runs(node string) error {
	switch {
	case p.running[node]:
		return nil
	case len(p.running) == 0:
		return fmt.Errorf("%.40q does not run here, nor does another node; start it above", node)
	}
	names := strings.Join(slices.Sorted(maps.Keys(p.running)), " ")
	return fmt.Errorf("%.40q does not run here; start it above, or use one that does: %s", node, names)
}

// fields returns the words of a line, without the comment at its end.
func fields(text string) []string {
	words := strings.Fields(text)
	if i := slices.IndexFunc(words, func(w string) bool { return w[0] == '#' }); i >= 0 {
		return words[:i]
	}
	return words
}

package session

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"

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
	p := &parser{script: &Script{Name: name, file: file, source: string(text)}, running: make(map[string]bool), flags: make(map[string][]string)}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if isPage(file) {
		err = p.page(text)
	} else {
		err = p.all(text)
	}
	if err != nil {
		return nil, err
	}
	if p.script.Title == "" {
		p.script.Title = name
	}
	return p.script, nil
}

// all reads a file that is nothing but a session.
func (p *parser) all(text []byte) error {
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		if err := p.line(n, strings.TrimRightFunc(line, unicode.IsSpace)); err != nil {
			return &repl.LineError{Source: p.script.file, Line: n, Err: err}
		}
	}
	return nil
}

// parser reads a script line by line.
type parser struct {
	script  *Script
	running map[string]bool     // the nodes, as far as the script goes
	flags   map[string][]string // of each node's last start
	asked   *command            // whose answer indented lines are about; nil: none's
}

// line reads one line, without blanks at its end.
func (p *parser) line(n int, text string) error {
	if i := strings.IndexFunc(text, isControl); i >= 0 {
		return fmt.Errorf("a control character (%U) stands here; a session is plain text", []rune(text[i:])[0])
	}
	indented := strings.TrimLeftFunc(text, unicode.IsSpace) != text
	switch words := fields(text); {
	case text == "":
		p.add(line{number: n})
	case text[0] == '#':
		p.prose(n, strings.TrimSpace(strings.TrimLeft(text, "#")))
	case indented && len(words) == 0: // a comment
	case indented:
		return p.expect(n, strings.TrimLeftFunc(text, unicode.IsSpace), words)
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

func isControl(r rune) bool { return unicode.IsControl(r) && r != '\t' }

func (p *parser) add(l line) { p.script.lines = append(p.script.lines, l) }

func (p *parser) prose(n int, text string) {
	if p.script.Title == "" {
		p.script.Title = text
	}
	p.asked = nil
	p.add(line{number: n, prose: text})
}

func (p *parser) expect(n int, text string, words []string) error {
	c := p.asked
	switch {
	case c == nil:
		return errors.New("no answer is above this indented line; put it below NAME> COMMAND, or begin it at the margin")
	case isField(text) && len(c.expected) > 0, !isField(text) && len(c.fields) > 0:
		return errors.New("words and fields are expected of one answer; ask twice, or keep to one: fields begin with a dot")
	case isField(text):
		f, err := newField(n, text)
		if err == nil {
			c.fields = append(c.fields, f)
		}
		return err
	}
	e, err := newExpectation(n, text, words)
	if err == nil {
		c.expected = append(c.expected, e)
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
	case "restart":
		return p.restart(args)
	case "kill", "stop":
		if len(args) != 1 {
			return nil, fmt.Errorf("%s takes the name of one node: %[1]s larry", verb)
		}
		return &end{verb, args[0]}, p.leaves(args[0])
	}
	return nil, p.unknown(words)
}

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

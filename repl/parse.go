package repl

import (
	"errors"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/kballard/go-shellquote"

	"parking/lot"
)

// maxLine bounds a command line, in bytes.
const maxLine = 1 << 16

// words is a command line in parts.
type words struct {
	name       string   // of the command, as typed
	args       []string // unquoted
	lastQuoted bool     // the last argument was quoted
}

// parse splits a line as a shell does: quotes and backslashes keep blanks, and
// an unquoted # begins a comment. An empty line has no name.
func parse(line string) (w words, err error) {
	if len(line) > maxLine {
		return w, lot.Refuse(lot.Usage, "the line has %d characters; %d is the most", len(line), maxLine)
	}
	line = strings.TrimSpace(uncomment(line))
	parts, err := shellquote.Split(line)
	switch {
	case errors.Is(err, shellquote.UnterminatedSingleQuoteError):
		return w, lot.Refuse(lot.Usage, "the quote ' is not closed")
	case errors.Is(err, shellquote.UnterminatedDoubleQuoteError):
		return w, lot.Refuse(lot.Usage, `the quote " is not closed`)
	case err != nil:
		return w, lot.Refuse(lot.Usage, `the line ends in a backslash; double it, or quote the word`)
	case len(parts) == 0:
		return w, nil
	}
	return words{parts[0], parts[1:], strings.HasSuffix(line, `"`) || strings.HasSuffix(line, `'`)}, nil
}

// uncomment cuts a comment off: from a # outside of quotes, at the start of a
// word, to the end of the line.
func uncomment(line string) string {
	var quote rune
	start, escaped := true, false
	for i, c := range line {
		switch {
		case escaped:
			escaped = false
		case c == '\\' && quote != '\'':
			escaped = true
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '#' && start:
			return line[:i]
		}
		start = quote == 0 && (c == ' ' || c == '\t')
	}
	return line
}

// canonical is a command's name as the table has it: - and _ are the same.
func canonical(name string) string { return strings.ReplaceAll(strings.ToLower(name), "-", "_") }

// find returns the command of that name, or an error that suggests one.
func find(name string) (*Command, error) {
	best, distance := "", 3
	for _, c := range Commands() {
		if canonical(c.Name) == canonical(name) {
			return c, nil
		}
		if d := levenshtein.ComputeDistance(canonical(name), canonical(c.Name)); d < distance {
			best, distance = c.Name, d
		}
	}
	if best != "" {
		return nil, lot.Refuse(lot.Usage, "unknown command %.40s; did you mean %s?", name, best)
	}
	return nil, lot.Refuse(lot.Usage, "unknown command %.40s; help lists the commands", name)
}

package repl

import (
	"strings"

	"parking/lot"
)

// maxLine bounds a command line, in bytes.
const maxLine = 1 << 16

// words is a command line in parts.
type words struct {
	name   string   // of the command, as typed
	args   []string // unquoted
	quoted bool     // the last argument was quoted, at least in part
	line   string   // all of it, as typed
	starts []int    // where in line each argument begins
}

// from returns the line from its i-th argument on, as typed.
func (w words) from(i int) string {
	if i >= len(w.starts) {
		return ""
	}
	return w.line[w.starts[i]:]
}

// parse splits a line as a shell does: quotes and backslashes keep blanks, and
// a word that begins with # begins a comment. An empty line has no name.
func parse(line string) (w words, err error) {
	if len(line) > maxLine {
		return w, lot.Refuse(lot.Usage, "the line has %d bytes; %d is the most", len(line), maxLine)
	}
	w.line = line
	for at := 0; ; {
		at += len(line[at:]) - len(strings.TrimLeft(line[at:], blanks))
		if at == len(line) || line[at] == '#' {
			return w, nil
		}
		text, quoted, n, err := nextWord(line[at:])
		switch {
		case err != nil:
			return words{}, err
		case w.name != "":
			w.args, w.starts, w.quoted = append(w.args, text), append(w.starts, at), quoted
		case text == "":
			return words{}, lot.Refuse(lot.Usage, "unknown command %s; help lists the commands", line[at:at+n])
		default:
			w.name = text
		}
		at += n
	}
}

const blanks = " \t\r\n"

// nextWord reads the word that s begins with, in n bytes.
func nextWord(s string) (text string, quoted bool, n int, err error) {
	var b strings.Builder
	quote := byte(0)
	for ; n < len(s); n++ {
		switch c := s[n]; {
		case quote == 0 && strings.IndexByte(blanks, c) >= 0:
			return b.String(), quoted, n, nil
		case quote == 0 && (c == '"' || c == '\''):
			quote, quoted = c, true
		case quote != 0 && c == quote:
			quote = 0
		case c != '\\' || quote == '\'' || quote == '"' && !escapable(s[n+1:]):
			b.WriteByte(c)
		case n+1 == len(s):
			return "", false, 0, lot.Refuse(lot.Usage, `the line ends in a backslash; double it, or quote the word`)
		default:
			n++
			b.WriteByte(s[n])
		}
	}
	if quote != 0 {
		return "", false, 0, lot.Refuse(lot.Usage, `unclosed quote %c; close it, as in "ABC 123"`, quote)
	}
	return b.String(), quoted, n, nil
}

// escapable reports whether a backslash before rest, between double quotes,
// escapes what follows: a quote or another backslash.
func escapable(rest string) bool {
	return rest != "" && (rest[0] == '"' || rest[0] == '\\')
}

package repl

import (
	"strings"
	"time"
)

// unfinished takes apart a line that is being typed: the words before the one
// at its end, that word, and the quote it stands in, or 0. It is not ok where
// nothing can be suggested: in a comment, or behind quotes or backslashes
// within a word.
func unfinished(line string) (done []string, word string, quote byte, ok bool) {
	for at := 0; len(line) <= maxLine; {
		at += len(line[at:]) - len(strings.TrimLeft(line[at:], blanks))
		rest := line[at:]
		if rest == "" {
			return done, "", 0, true
		}
		text, _, n, err := nextWord(rest)
		switch {
		case rest[0] == '#':
			return nil, "", 0, false
		case err == nil && n < len(rest):
			done = append(done, text)
			at += n
			continue
		case err == nil:
			return done, text, 0, text == rest
		}
		word = rest[1:]
		return done, word, rest[0], strings.IndexByte(`"'`, rest[0]) >= 0 && !strings.ContainsAny(word, `"'\`)
	}
	return nil, "", 0, false
}

// typed returns the candidate's word as it is typed inside that quote, which
// is closed behind it unless more is to come, or outside of any, where it is
// quoted if it has to be. It is not ok where that cannot be typed.
func (c candidate) typed(quote byte) (text string, ok bool) {
	opening := ""
	if quote == 0 {
		if !needsQuotes(c.word) {
			return c.word, true
		}
		quote, opening = '"', `"`
	}
	text = c.word
	if quote == '"' {
		text = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text)
	} else if strings.IndexByte(text, quote) >= 0 {
		return "", false
	}
	if !c.more {
		text += string(quote)
	}
	return opening + text, true
}

// needsQuotes reports whether a word would be read as something else without.
func needsQuotes(word string) bool {
	_, err := time.ParseDuration(word)
	return word == "" || word[0] == '#' || strings.ContainsAny(word, blanks+`"'\`) || err == nil
}

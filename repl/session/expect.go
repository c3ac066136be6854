package session

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// An expectation is what a line of an answer must hold; see the package's
// comment for what that means.
type expectation struct {
	line        int    // of the script
	text        string // of that line, as it is written there
	words       []string
	first, last int // of the range that words begin with; 0: none
}

const (
	anything    = "..."
	punctuation = `.,;:()"'`
)

var numbers = regexp.MustCompile(`^([1-9][0-9]{0,2})-([1-9][0-9]{0,2})$`)

func newExpectation(line int, text string, words []string) (expectation, error) {
	e := expectation{line: line, text: text, words: words}
	if m := numbers.FindStringSubmatch(words[0]); m != nil {
		e.first, _ = strconv.Atoi(m[1])
		e.last, _ = strconv.Atoi(m[2])
		if e.first > e.last {
			return e, fmt.Errorf("the range %s runs backwards; write %s-%s, or quote it if it is none", words[0], m[2], m[1])
		}
	}
	return e, nil
}

// each returns the expectations that e stands for, one per number of a range.
func (e expectation) each() []string {
	if e.first == 0 {
		return []string{strings.Join(e.words, " ")}
	}
	var out []string
	for n := e.first; n <= e.last; n++ {
		out = append(out, strings.Join(append([]string{strconv.Itoa(n)}, e.words[1:]...), " "))
	}
	return out
}

// A match is where an expectation holds in the rows of an answer.
type match struct {
	first, next int    // the first of its rows, and the one behind its last
	held        int    // of what e stands for
	missing     string // of it, that which holds nowhere; "" if all does
}

// find looks for an expectation in the rows of an answer from one of them on.
func (e expectation) find(rows []string, from int) match {
	m := match{first: from, next: from}
	for _, want := range e.each() {
		i := slices.IndexFunc(rows[m.next:], func(row string) bool { return holds(bare(row), bare(want)) })
		if i < 0 {
			m.missing = want
			return m
		}
		if m.held == 0 {
			m.first += i
		}
		m.next += i + 1
		m.held++
	}
	return m
}

// check holds an answer against what is expected of it and returns how many
// expectations held: all, or those before the one that the error is about.
func check(expected []expectation, answer string) (held int, err error) {
	rows, at := strings.Split(answer, "\n"), 0
	for _, e := range expected {
		m := e.find(rows, at)
		held += m.held
		if m.missing != "" {
			return held, &difference{e.line, "the answer is another", m.missing, answer}
		}
		at = m.next
	}
	return held, nil
}

// holds reports whether the words of want stand in those of line.
func holds(line, want []string) bool {
	part, rest, more := want, []string(nil), false
	if i := slices.Index(want, anything); i >= 0 {
		part, rest, more = want[:i], want[i+1:], true
	}
	at := index(line, part)
	return at >= 0 && (!more || holds(line[at+len(part):], rest))
}

// bare returns the words of a line without the punctuation around them.
func bare(line string) []string {
	words := strings.Fields(line)
	for i, w := range words {
		if b := strings.Trim(w, punctuation); b != "" {
			words[i] = b
		}
	}
	return words
}

// index returns where part begins in words, or -1.
func index(words, part []string) int {
	for i := 0; i+len(part) <= len(words); i++ {
		if slices.Equal(words[i:i+len(part)], part) {
			return i
		}
	}
	return -1
}

// A difference is what was expected of a command beside what it did.
type difference struct {
	line                 int // of the expectation; 0: that of the command
	what, expected, seen string
}

func (d *difference) Error() string {
	seen := strings.TrimRight(d.seen, "\n")
	if seen == "" {
		seen = "nothing"
	}
	return fmt.Sprintf("%s\n  expected   %s\n  seen       %s", d.what, d.expected, strings.ReplaceAll(seen, "\n", "\n             "))
}

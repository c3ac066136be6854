package prompt

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxHistory is how many lines can be called back.
const MaxHistory = 1000

// A History is the lines entered so far, each once and at most MaxHistory: a
// line that is entered again is the latest. It holds no line of more than 4096
// bytes. It belongs to one goroutine: while
// Run runs, to that.
type History struct{ lines []string }

// NewHistory returns a history of these lines, the oldest first.
func NewHistory(lines ...string) *History {
	h := &History{}
	seen := make(map[string]bool)
	for _, line := range slices.Backward(lines) {
		if !seen[line] && worthKeeping(line) && len(h.lines) < MaxHistory {
			seen[line] = true
			h.lines = append(h.lines, line)
		}
	}
	slices.Reverse(h.lines)
	return h
}

// maxLine is how many bytes a line may have to be called back.
const maxLine = 4096

// worthKeeping leaves out blank lines, very long ones and, from a file that was
// tampered with, those that would steer the terminal.
func worthKeeping(line string) bool {
	return strings.TrimSpace(line) != "" && len(line) <= maxLine && harmless(line)
}

// harmless reports whether s can be shown as it is: nothing in it steers a
// terminal, or turns the direction of text.
func harmless(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) && r != '\u3000' })
}

// Add makes line the latest one, if it is worth calling back.
func (h *History) Add(line string) {
	if !worthKeeping(line) {
		return
	}
	if i := slices.Index(h.lines, line); i >= 0 {
		h.lines = slices.Delete(h.lines, i, i+1)
	}
	h.lines = append(h.lines, line)
	if n := len(h.lines); n > MaxHistory {
		h.lines = slices.Delete(h.lines, 0, n-MaxHistory)
	}
}

// Lines returns a copy of the lines, the oldest first.
func (h *History) Lines() []string { return slices.Clone(h.lines) }

// search returns the lines that contain part, whatever the case, newest first.
func (h *History) search(part string) []string {
	var found []string
	part = strings.ToLower(part)
	for _, line := range slices.Backward(h.lines) {
		if strings.Contains(strings.ToLower(line), part) {
			found = append(found, line)
		}
	}
	return found
}

package prompt

import (
	"slices"
	"strings"
	"unicode"
)

// MaxHistory is how many lines can be called back.
const MaxHistory = 1000

// A History is the lines entered so far, each once and at most MaxHistory: a
// line that is entered again is the latest. It belongs to one goroutine: while
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

// worthKeeping leaves out blank lines and, from a file that was tampered with,
// those that would put control characters on the screen.
func worthKeeping(line string) bool {
	return strings.TrimSpace(line) != "" && !strings.ContainsFunc(line, unicode.IsControl)
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

package prompt

import (
	"slices"
	"strings"
	"unicode"
)

// maxHistory is how many lines can be called back.
const maxHistory = 1000

// A history is the lines entered so far, oldest first, without blank ones and
// without repetitions in a row.
type history []string

func newHistory(lines []string) history {
	var h history
	for _, line := range lines {
		h.add(line)
	}
	return h
}

// add appends line, unless it is not worth calling back or, from a file that
// was tampered with, would put control characters on the screen.
func (h *history) add(line string) {
	if strings.TrimSpace(line) == "" || strings.ContainsFunc(line, unicode.IsControl) {
		return
	}
	if n := len(*h); n > 0 && (*h)[n-1] == line {
		return
	}
	*h = append(*h, line)
	if n := len(*h); n > maxHistory {
		*h = slices.Delete(*h, 0, n-maxHistory)
	}
}

// search returns the lines that contain part, newest first, each once.
func (h history) search(part string) []string {
	var found []string
	seen := make(map[string]bool)
	for _, line := range slices.Backward(h) {
		if !seen[line] && strings.Contains(line, part) {
			seen[line] = true
			found = append(found, line)
		}
	}
	return found
}

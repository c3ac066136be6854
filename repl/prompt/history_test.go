package prompt

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestHistoryKeepsEachLineOnce(t *testing.T) {
	h := NewHistory("read", " ", "", "read", "gates", "a\x1b[2Jb", "read", "Spaces", "\x9b2Jx", "\u202eesrever", strings.Repeat("x", 5000), "gates")
	if want := []string{"read", "Spaces", "gates"}; !slices.Equal(h.Lines(), want) {
		t.Errorf("%q, want %q", h.Lines(), want)
	}
	for _, line := range []string{"read", "", "a\tb", "read"} {
		h.Add(line)
	}
	if want := []string{"Spaces", "gates", "read"}; !slices.Equal(h.Lines(), want) {
		t.Errorf("%q, want %q", h.Lines(), want)
	}
	if got, want := h.search("SPA"), []string{"Spaces"}; !slices.Equal(got, want) {
		t.Errorf("search: %q, want %q", got, want)
	}
	if got, want := h.search("a"), []string{"read", "gates", "Spaces"}; !slices.Equal(got, want) {
		t.Errorf("search: %q, want %q", got, want)
	}
	for i := range MaxHistory {
		h.Add(fmt.Sprint("say ", i))
	}
	if lines := h.Lines(); len(lines) != MaxHistory || lines[0] != "say 0" {
		t.Errorf("%d lines from %q on", len(lines), lines[0])
	}
	if again := NewHistory(append([]string{"older"}, h.Lines()...)...); !slices.Equal(again.Lines(), h.Lines()) {
		t.Errorf("%d lines from %q on", len(again.lines), again.lines[0])
	}
}

func TestOpenQuote(t *testing.T) {
	for in, want := range map[string]string{
		``:             "",
		`enter A`:      "",
		`enter "A`:     `"`,
		`enter "A B"`:  "",
		`enter "A" '1`: "'",
		`enter "A'`:    `"`,
		`enter \"A`:    "",
		`enter "A\"`:   `"`,
		`enter '\'`:    "",
	} {
		if got := openQuote(in); got != want {
			t.Errorf("openQuote(%q) = %q, want %q", in, got, want)
		}
	}
}

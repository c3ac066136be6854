package prompt

import (
	"fmt"
	"slices"
	"testing"
)

func TestHistoryAdd(t *testing.T) {
	h := newHistory([]string{"read", " ", "", "read", "gates", "a\x1b[2Jb", "read"})
	if want := (history{"read", "gates", "read"}); !slices.Equal(h, want) {
		t.Errorf("%q, want %q", h, want)
	}
	if got, want := h.search("a"), []string{"read", "gates"}; !slices.Equal(got, want) {
		t.Errorf("search: %q, want %q", got, want)
	}
	for i := range maxHistory {
		h.add(fmt.Sprint("say ", i))
	}
	if len(h) != maxHistory || h[0] != "say 0" {
		t.Errorf("%d lines from %q on", len(h), h[0])
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

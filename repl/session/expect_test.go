package session

import (
	"strings"
	"testing"
)

func TestWhatHolds(t *testing.T) {
	const row = ` ABC 123   1     larry  12:02:01  9s  also gate 2 on gary, 12:02:01`
	for _, c := range []struct {
		want, line string
		holds      bool
	}{
		{"ABC 123 1 larry", row, true},
		{"  ABC   123\t1 larry ", row, true},
		{`"ABC 123" 1 larry`, row, true},
		{"ABC 123 2 gary", row, false},        // not side by side
		{"1 larry 2 gary", row, false},        // nor so
		{"ABC ... gate 2 on gary", row, true}, // unless it is said
		{"larry ... ABC", row, false},         // in this order
		{"... larry ...", row, true},
		{"... ... ABC", row, true},
		{"larr", row, false}, // whole words
		{"Larry", row, false},
		{"larry larry", row, false},
		{"larry ... larry", row, false},
		{"already in the lot", "error: ABC 123 is already in the lot (gate 1 on larry, since 12:02:01)", true},
		{"gate 1 on larry", "error: ABC 123 is already in the lot (gate 1 on larry, since 12:02:01)", true},
		{"spaces 3 taken 97 free", "100 spaces: 3 taken, 97 free", true},
		{"()", "a ()", true}, // nothing but punctuation is a word
		{"()", "a", false},
		{"...", "", true},
		{"1", "", false},
	} {
		if got := holds(bare(c.line), bare(c.want)); got != c.holds {
			t.Errorf("%q holds in %q: %v", c.want, c.line, got)
		}
	}
}

func TestCheck(t *testing.T) {
	const answer = "1 larry\n2 gary\n3 larry\n12-14 x\n"
	for _, c := range []struct {
		expected []string
		held     int
		missing  string // "" if all hold
	}{
		{nil, 0, ""},
		{[]string{"1 larry", "3 larry"}, 2, ""},
		{[]string{"larry", "larry"}, 2, ""},
		{[]string{"larry", "larry", "larry"}, 2, "larry"},
		{[]string{"3 larry", "1 larry"}, 1, "1 larry"},
		{[]string{"1-3"}, 3, ""},
		{[]string{"1-3 larry"}, 1, "2 larry"},
		{[]string{"2-2 gary"}, 1, ""},
		{[]string{"12-14 x"}, 0, "12 x"},
		{[]string{`"12-14" x`}, 1, ""},
		{[]string{"0-1"}, 0, "0-1"}, // counting begins at one
	} {
		var expected []expectation
		for i, text := range c.expected {
			e, err := newExpectation(i+1, text, fields(text))
			if err != nil {
				t.Fatal(err)
			}
			expected = append(expected, e)
		}
		held, err := check(expected, answer)
		if held != c.held {
			t.Errorf("%q: %d held, want %d", c.expected, held, c.held)
		}
		if (err == nil) != (c.missing == "") || err != nil && !strings.Contains(err.Error(), "expected   "+c.missing+"\n") {
			t.Errorf("%q: %v", c.expected, err)
		}
	}
}

func TestADifferenceToNothing(t *testing.T) {
	d := &difference{0, "the answer is another", "1 larry", ""}
	if got, want := d.Error(), "the answer is another\n  expected   1 larry\n  seen       nothing"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

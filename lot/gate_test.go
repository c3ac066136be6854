package lot

import (
	"strings"
	"testing"
)

func TestNumbersOutOfRangeAreRefused(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want string // or "" where it is taken
	}{
		{"gate 1 of 4", CheckGate(1, 4), ""},
		{"gate 4 of 4", CheckGate(4, 4), ""},
		{"gate 5 of 4", CheckGate(5, 4), "gate 5: this lot has gates 1-4"},
		{"gate 0 of 4", CheckGate(0, 4), "gate 0: this lot has gates 1-4"},
		{"gate -1 of 4", CheckGate(-1, 4), "gate -1: this lot has gates 1-4"},
		{"gate 1 of 1", CheckGate(1, 1), ""},
		{"gate 2 of 1", CheckGate(2, 1), "gate 2: this lot has gate 1 only"},
		{"1 gate", CheckGates(1), ""},
		{"256 gates", CheckGates(256), ""},
		{"0 gates", CheckGates(0), "gates 0: a lot has 1 to 256 gates"},
		{"257 gates", CheckGates(257), "gates 257: a lot has 1 to 256 gates"},
		{"1 space", CheckSpaces(1), ""},
		{"100000000 spaces", CheckSpaces(100_000_000), ""},
		{"0 spaces", CheckSpaces(0), "spaces 0: a lot has 1 to 100000000 spaces"},
		{"-1 spaces", CheckSpaces(-1), "spaces -1: a lot has 1 to 100000000 spaces"},
		{"100000001 spaces", CheckSpaces(100_000_001), "spaces 100000001: a lot has 1 to 100000000 spaces"},
	} {
		switch {
		case tc.want == "" && tc.err != nil:
			t.Errorf("%s: %v", tc.name, tc.err)
		case tc.want != "" && (tc.err == nil || tc.err.Error() != tc.want || CodeOf(tc.err) != Range):
			t.Errorf("%s: %v (%v), not %q", tc.name, tc.err, CodeOf(tc.err), tc.want)
		}
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]bool{
		"curly": true, "node-1": true, "7": true, "-": true, strings.Repeat("a", 32): true,
		"": false, strings.Repeat("a", 33): false, "Curly": false, "cur ly": false, "curly.": false, "cürly": false, "a\n": false, "a_b": false,
	} {
		if ValidName(name) != want {
			t.Errorf("ValidName(%q) = %v", name, !want)
		}
	}
}

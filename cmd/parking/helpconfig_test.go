package main

import (
	"strings"
	"testing"

	"github.com/jedib0t/go-pretty/v6/text"

	"parking/repl"
)

func TestHelpConfigFitsTheTerminal(t *testing.T) {
	path := "/a/path/that/is/longer/than/any/column/of/a/terminal/should/be/lot.yaml"
	rows := []described{
		{"spaces", 3, "flag --spaces", "PARKING_SPACES", "N spaces, if this node founds the cluster"},
		{"cookie-file", path, "env PARKING_COOKIE_FILE", "PARKING_COOKIE_FILE", "FILE with the cookie"},
		{"config", "lot.yaml", "file " + path, "PARKING_CONFIG", "FILE with settings"},
	}
	for _, width := range []int{0, 60, 100, 250} {
		var out strings.Builder
		if err := writeSettings(&out, rows, repl.Options{Format: repl.Table, Width: width, Color: true}); err != nil {
			t.Fatal(err)
		}
		if n := text.LongestLineLen(out.String()); width > 0 && n > width {
			t.Errorf("a line has %d columns, not %d:\n%s", n, width, &out)
		}
		if wide := width == 0 || width == 250; strings.Contains(out.String(), "MEANING") != wide {
			t.Errorf("at width %d, the meaning is told or not:\n%s", width, &out)
		}
		// Nothing of a value is lost where it is broken.
		if joined := strings.Join(strings.Fields(out.String()), ""); !strings.Contains(joined, "lot.yaml") || strings.Contains(joined, "~") || strings.Contains(joined, "…") {
			t.Errorf("at width %d, something is cut:\n%s", width, &out)
		}
	}
}

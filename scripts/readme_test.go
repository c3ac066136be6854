package scripts_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"parking/repl/session"
)

// typed is a line that the README shows at a prompt.
var typed = regexp.MustCompile(`^([a-z0-9-]+)> (.*)$`)

// volatile is what differs from run to run in the answers it shows.
var volatile = regexp.MustCompile(`digest [0-9a-f]{4} [0-9a-f]{4}|\d\d:\d\d:\d\d +\d+s`)

// fenced returns the README's console sessions.
func fenced(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	inside := false
	for line := range strings.Lines(string(b)) {
		switch line = strings.TrimRight(line, "\n"); {
		case line == "```console":
			inside = true
		case strings.HasPrefix(line, "```"):
			inside = false
		case inside:
			fmt.Fprintln(&text, line)
		}
	}
	return text.String()
}

// scripted makes a session of what the README shows: what is typed is typed,
// once the nodes agree, and what is answered is expected, but for digests and
// times.
func scripted(console string) string {
	var s strings.Builder
	fmt.Fprintln(&s, "# The README's session.\nstart larry gary harry\nharry> await members 3")
	killed := false
	for line := range strings.Lines(console) {
		line = strings.TrimRight(line, "\n")
		m := typed.FindStringSubmatch(line)
		switch {
		case line == "":
		case m == nil:
			fmt.Fprintf(&s, "   %s\n", volatile.ReplaceAllString(line, "..."))
		default:
			if killed {
				fmt.Fprintf(&s, "%s> await members 2\n%s> await gates 2 nodes\n", m[1], m[1])
			}
			fmt.Fprintf(&s, "%s> await converged\n%s\n", m[1], line)
			killed = m[2] == "kill-node"
		}
	}
	return s.String()
}

func TestTheReadmesSessionIsTrue(t *testing.T) {
	console := fenced(t)
	if n := strings.Count(console, "> "); n < 8 {
		t.Fatalf("the README shows %d commands:\n%s", n, console)
	}
	text := scripted(console)
	script, err := session.Parse("README.park", strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	var out strings.Builder
	cfg := session.DefaultConfig()
	cfg.Exe, cfg.Env, cfg.Temp, cfg.Out = parking, os.Environ(), "/tmp", &out
	if report := session.Run(t.Context(), cfg, script); report.Err != nil {
		t.Errorf("%v\n%s\n%s", report.Err, report, out.String())
	}
}

package scripts_test

import (
	"bufio"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A typed is a command of a page's console, and what the page says it answers.
type typed struct {
	line     int
	command  string
	expected string
}

// console returns what a page has in its blocks of the kind console: lines that
// begin with $, each with what follows until the next.
func console(t *testing.T, page string) (all []typed) {
	t.Helper()
	inside := false
	for i, line := range strings.Split(content(t, page), "\n") {
		if m := aFence.FindStringSubmatch(line); m != nil {
			inside = !inside && m[3] == "console"
			continue
		}
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case !inside:
		case isCommand:
			all = append(all, typed{line: i + 1, command: command})
		case len(all) == 0:
			t.Fatalf("%s:%d: a console begins with $", page, i+1)
		default:
			all[len(all)-1].expected += line + "\n"
		}
	}
	if len(all) == 0 {
		t.Fatalf("%s has no console", page)
	}
	return all
}

// answers reports whether an answer is the expected one: blanks do not count, and
// ... stands for anything in a line, or, alone in one, for any lines.
func (c typed) answers(answer string) bool {
	want, gap := `^\s*`, ``
	for line := range strings.Lines(c.expected) {
		words := strings.Fields(line)
		if len(words) == 1 && words[0] == "..." {
			want, gap = want+`(?s:.*?)`, `\s*`
			continue
		}
		for _, w := range words {
			want, gap = want+gap+strings.ReplaceAll(regexp.QuoteMeta(w), `\.\.\.`, `.*`), `\s+`
		}
	}
	return regexp.MustCompile(want + `\s*$`).MatchString(answer)
}

// play types a page's commands at a shell. Each must succeed and answer as the page
// says.
func play(t *testing.T, page string, shell *exec.Cmd, patience time.Duration) {
	t.Helper()
	in, err := shell.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := shell.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	shell.WaitDelay = time.Second
	defer func() {
		_ = in.Close()
		_ = shell.Wait()
	}()
	answers := bufio.NewReader(out)
	const mark = "\x1e"
	for _, c := range console(t, page) {
		hurry := time.AfterFunc(patience, func() { _ = shell.Process.Kill() })
		begin := time.Now()
		fmt.Fprintf(in, "{ %s\n} </dev/null 2>&1; printf '"+mark+"%%d"+mark+"' $?\n", c.command)
		answer, err := answers.ReadString(mark[0])
		status, end := answers.ReadString(mark[0])
		if err != nil || end != nil {
			t.Fatalf("%s:%d: after %v the shell is gone, with %q, %v", page, c.line, time.Since(begin), answer, err)
		}
		hurry.Stop()
		answer = strings.TrimSuffix(answer, mark)
		t.Logf("%6.2f s  $ %s", time.Since(begin).Seconds(), c.command)
		if status != "0"+mark || !c.answers(answer) {
			t.Fatalf("%s:%d: %s\nexpected\n%s\nanswered, with status %s\n%s", page, c.line, c.command, c.expected, strings.Trim(status, mark), answer)
		}
	}
}

func TestConsolesExpectWhatTheySay(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		expected, answer string
		same             bool
	}{
		{"", "", true}, {"", "x\n", false}, {"a  b\n", " a b\n", true}, {"a b\n", "a c\n", false},
		{"a ... c\n", "a b b c\n", true}, {"a ...\n", "a b\nc\n", false}, {"a\n...\nd\n", "a\nb\nc\nd\n", true},
		{"...\nd\n", "a\nd\n", true}, {"a.c\n", "abc\n", false}, {"a b\n", "ab\n", false},
	} {
		if got := (typed{expected: x.expected}).answers(x.answer); got != x.same {
			t.Errorf("%q for %q: %v", x.answer, x.expected, got)
		}
	}
}

package scripts_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"parking/repl/session"
)

var update = flag.Bool("update", false, "rewrite what the sessions and pages expect and is not answered")

// atOnce bounds how many sessions are played at the same time.
var atOnce = make(chan struct{}, 3)

// eachFile runs a test for every file of the project that has a session:
// scripts and pages.
func eachFile(t *testing.T, test func(t *testing.T, path string)) {
	t.Helper()
	found := 0
	for _, pattern := range []string{"*.park", "../README.md", "../docs/*.md"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			s, err := parse(path)
			if errors.Is(err, session.ErrNoSession) {
				continue
			}
			if found++; err != nil {
				t.Error(err)
				continue
			}
			if s.Title == s.Name {
				t.Errorf("%s has no title", path)
			}
			t.Run(filepath.Base(path), func(t *testing.T) {
				t.Parallel()
				atOnce <- struct{}{}
				defer func() { <-atOnce }()
				test(t, path)
			})
		}
	}
	if found < 9 {
		t.Errorf("only %d files have a session", found)
	}
}

func parse(path string) (*session.Script, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return session.Parse(path, f)
}

// passes plays a session, which must succeed.
func passes(t *testing.T, path string, flags ...string) {
	t.Helper()
	d := start(t, append(flags, path)...)
	got := d.ends(t, 0)
	name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	if !regexp.MustCompile(`\n` + name + `: [0-9]+ steps, [0-9]+ checks, [0-9]+\.[0-9] s, ok\n`).MatchString(got) {
		t.Errorf("the transcript is\n%s", got)
	}
	if d.stderr.Len() > 0 {
		t.Errorf("stderr has %s", d.stderr.String())
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	eachFile(t, func(t *testing.T, path string) {
		if *update {
			passes(t, path, "--update")
		} else {
			passes(t, path)
		}
	})
}

// An expectation is a line of a file, without its end.
type expectation struct {
	at   int // its index in the file's lines
	text string
}

var (
	aFence  = regexp.MustCompile("^(\\s*)(```+|~~~+)\\s*(.*?)\\s*$")
	aField  = regexp.MustCompile(`^(\s+\.[^.].* = ).*$`)
	comment = regexp.MustCompile(`\s+#.*$`)
)

// falsified returns what no answer holds.
func (e expectation) falsified() string {
	if aField.MatchString(e.text) {
		return aField.ReplaceAllString(e.text, `$1"falsified"`)
	}
	return comment.ReplaceAllString(e.text, "") + " falsified"
}

// expectations returns those of a file, and its lines.
func expectations(t *testing.T, path string) (all []expectation, lines []string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines = strings.Split(string(b), "\n")
	page := filepath.Ext(path) == ".md"
	fence, margin, info := "", "", ""
	for i, line := range lines {
		words := strings.TrimSpace(line)
		if m := aFence.FindStringSubmatch(line); page && m != nil {
			switch {
			case fence == "":
				margin, fence, info = m[1], m[2], m[3]
				continue
			case strings.HasPrefix(m[2], fence) && m[3] == "":
				fence = ""
				continue
			}
		}
		if page && (fence == "" || info != "parking") || words == "" || words[0] == '#' {
			continue
		}
		if strings.TrimLeft(strings.TrimPrefix(line, margin), " \t") != strings.TrimPrefix(line, margin) {
			all = append(all, expectation{i, line})
		}
	}
	if len(all) == 0 {
		t.Fatalf("%s expects nothing", path)
	}
	return all, lines
}

// falsify returns a copy of a session whose first expectation is falsified,
// and the lines of it before and after that.
func falsify(t *testing.T, path string) (file, before, after string, line int) {
	t.Helper()
	all, lines := expectations(t, path)
	wrong := all[0] // fails early
	before, after = strings.Join(lines[:wrong.at], "\n"), strings.Join(lines[wrong.at+1:], "\n")
	lines[wrong.at] = wrong.falsified()
	file = filepath.Join(t.TempDir(), filepath.Base(path))
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o640); err != nil {
		t.Fatal(err)
	}
	return file, before, after, wrong.at + 1
}

// Of words, of fields, and of a page.
func TestAFalsifiedSessionFailsInWordsAndIsUpdated(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"crash.park", "full.park", "../docs/scripting.md"} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			file, before, after, line := falsify(t, path)
			d := start(t, file)
			if got := d.ends(t, 1); !strings.Contains(got, ", failed\n") {
				t.Errorf("the transcript is\n%s", got)
			}
			want := fmt.Sprintf("%s:%d: the answer is another\n  expected   ", file, line)
			if got := d.stderr.String(); !strings.HasPrefix(got, want) || !strings.Contains(got, "falsified\n  seen     ") && !strings.Contains(got, "\"falsified\"\n  seen     ") {
				t.Errorf("stderr has\n%s\nwant\n%s...", got, want)
			}

			passes(t, file, "--update")
			now, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(now); !strings.HasPrefix(got, before) || !strings.HasSuffix(got, after) || strings.Contains(got, "falsified") {
				t.Errorf("the updated file is\n%s", got)
			}
			if info, err := os.Stat(file); err != nil || info.Mode() != 0o640 {
				t.Errorf("the file's mode is now %v, %v", info.Mode(), err)
			}
			passes(t, file)
		})
	}
}

func TestWhatCannotBeUpdated(t *testing.T) {
	t.Parallel()
	d := start(t, "--update", "failover")
	if got := d.ends(t, 1); got != "" || d.stderr.String() != "parking: failover comes along with the program and has no file to update; give the path of one\n" {
		t.Errorf("it says\n%s%s", got, d.stderr.String())
	}
	for name, text := range map[string]string{
		"a refusal":     "start larry\nlarry> spaces\n   7 spaces\nlarry> track_exit A\n",
		"no such field": "start larry\nlarry> spaces\n   7 spaces\nlarry> spaces\n   .space = 1\n",
	} {
		file := write(t, text)
		start(t, "--update", file).ends(t, 1)
		if now, err := os.ReadFile(file); err != nil || string(now) != text {
			t.Errorf("%s: the file is now, %v\n%s", name, err, now)
		}
	}
}

package session

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// updated returns a script with its first command's expectations brought up to
// that answer.
func updated(t *testing.T, script, answer string) string {
	t.Helper()
	s, err := Parse("x.park", strings.NewReader(script))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range s.lines {
		c, ok := l.step.(*command)
		if !ok {
			continue
		}
		e, source := make(edits), strings.SplitAfter(s.source, "\n")
		if _, err := check(c.expected, answer); err != nil {
			e.words(source, c.expected, answer)
		}
		if err := e.fields(source, c.fields, answer); err != nil {
			t.Fatal(err)
		}
		return e.apply(s.source)
	}
	t.Fatal("no command")
	return ""
}

func TestUpdate(t *testing.T) {
	const gates = " GATE   NODE\n 1      larry\n 2      gary\n 3      larry\n"
	for name, c := range map[string]struct{ script, answer, want string }{
		"what holds stays": {
			"   1   larry # so\n\n  3 ... # too\n", gates,
			"   1   larry # so\n\n  3 ... # too\n"},
		"the rows between replace what does not hold": {
			"   1 larry\n   2 harry  # why\n   3 larry\n", gates,
			"   1 larry\n    2      gary  # why\n   3 larry\n"},
		"nothing between": {
			"   1 larry\n   # so\n   5 larry\n   2 gary\n   3 larry\n", gates,
			"   1 larry\n   # so\n   2 gary\n   3 larry\n"},
		"several in a row, and a range": {
			"\t1-2 moe\n\t3 moe\n", gates,
			"\t GATE   NODE\n\t 1      larry\n\t 2      gary\n\t 3      larry\n"},
		"line ends stay": {
			"   5 larry\r\n   3 larry\r\n", " 2   gary\n 3   larry\n",
			"    2   gary\r\n   3 larry\r\n"},
		"no end at all": {
			"   5 larry", " 2   gary\n 3   larry\n",
			"    2   gary\n    3   larry"},
		"what differs each time": {
			"   x\n", "crdt on larry   digest b557 0b10   same on gary   1 of 100 taken\n A   1   larry   01:44:15  1m00s\n version   larry/76f12f65817d9674=7 gary/76f12f65817d9674=8\n process   3593\n gary   127.0.0.1:39255   alive\nerror: not within 200ms: (since 2026-11-25 01:44:15)\nok   after 4ms\n",
			"   crdt on larry   digest ...   same on gary   1 of 100 taken\n    A   1   larry   ...\n    version   ...\n    process   ...\n    gary   ...   alive\n   error: not within ... (since ...\n   ok   after ...\n"},
		"what means something else in a script": {
			"   nope\n", "1-4 larry #1\n.x = 1\n12:00:00.000  # gate 1\n",
			"   \"1-4\" larry \"#1\"\n   \".x\" = 1\n   ...  \"#\" gate 1\n"},
		"fields": {
			"   .a  =  [1,  2]\n   .b=\"x\"  # why\n   .c.#.d = 3\n", `{"a":[1,2],"b":{"x": 1},"c":[{"d":1},{"d":2}]}`,
			"   .a  =  [1,  2]\n   .b={\"x\":1}  # why\n   .c.#.d = [1,2]\n"},
	} {
		const before = "start a\na> read\n"
		got := updated(t, before+c.script, c.answer)
		if want := before + c.want; got != want {
			t.Errorf("%s: the script is now\n%q\nwant\n%q", name, got, want)
		}
	}
}

func TestAPageIsUpdatedInPlace(t *testing.T) {
	for what, page := range map[string]string{
		"in a list":      "\ufeff# Page\r\n\r\n   prose\r\n\r\n- list\r\n\r\n  ```parking\r\n  start a\r\n  a> read\r\n     x\r\n  ```\r\n\r\n   x\r\n",
		"in a quotation": "# Page\n\n> ```parking\n> start a\n> a> read\n>    x\n> ```\n\n   x\n",
		"in both":        "# Page\n\n1.\t>```parking\n\t>start a\n\t> a> read\n\t>\tx\n\t>```\n\n   x\n",
	} {
		s, err := Parse("x.md", strings.NewReader(page))
		if err != nil {
			t.Fatal(err)
		}
		e, c := make(edits), s.lines[3].step.(*command)
		e.words(strings.SplitAfter(s.source, "\n"), c.expected, "y\nz\n")
		before, after, _ := strings.Cut(page, "x")
		line := before[strings.LastIndex(before, "\n")+1:]
		end, _, _ := strings.Cut(after, "\n")
		if got, want := e.apply(s.source), before+"y"+end+"\n"+line+"z"+after; got != want {
			t.Errorf("%s: the page is\n%q, want\n%q", what, got, want)
		}
	}
}

func TestSave(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "x.park"), filepath.Join(dir, "link.park")
	const text = "start larry\nlarry> gates\n   9 larry\nlarry> gates\n   .gates.0.gate = 7\n   .gates.1.gate = 2\n"
	if err := os.WriteFile(file, []byte(text), 0o604); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	cfg := config(t, new(strings.Builder))
	cfg.Update = true
	r := run(t.Context(), t, cfg, text)
	if r.Err != nil || r.Updated() != 2 {
		t.Fatal(r, r.Updated(), r.Err)
	}
	if err := r.Save(link); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	want := "start larry\nlarry> gates\n    1   larry   running\n    2   larry   running\n    3   larry   running\n    4   larry   running\nlarry> gates\n   .gates.0.gate = 1\n   .gates.1.gate = 2\n"
	if err != nil || string(got) != want {
		t.Errorf("the file is, %v\n%s", err, got)
	}
	if info, err := os.Lstat(file); err != nil || info.Mode() != 0o604 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode().Type() != os.ModeSymlink {
		t.Errorf("the link is %v, %v", info.Mode(), err)
	}
	if err := r.Save(file); err == nil || !strings.HasSuffix(err.Error(), "has changed while it was played; nothing is written") {
		t.Errorf("a file that has changed: %v", err)
	}
	if err := r.Save(dir); err == nil || strings.Contains(err.Error(), "changed") {
		t.Errorf("what cannot be read: %v", err)
	}
	if r = run(t.Context(), t, cfg, want); r.Updated() != 0 || r.Save(filepath.Join(dir, "none")) != nil {
		t.Error("what holds is written")
	}
}

func FuzzUpdate(f *testing.F) {
	f.Add("1-4 larry # x\n.\n a ... b", " 1   larry 12:00:00\n#\n.x\n ...\n2-3\n\"#\" (1s)\n")
	f.Fuzz(func(t *testing.T, expected, answer string) {
		var script strings.Builder
		script.WriteString("start a\na> read\n")
		for line := range strings.Lines(expected) {
			script.WriteString("  " + strings.TrimSpace(line) + "\n")
		}
		s, err := Parse("x.park", strings.NewReader(script.String()))
		if err != nil {
			return
		}
		c, ok := s.lines[1].step.(*command)
		if !ok || len(c.fields) > 0 || len(c.expected) == 0 || strings.ContainsFunc(strings.ReplaceAll(answer, "\n", ""), isControl) {
			return
		}
		e := make(edits)
		e.words(strings.SplitAfter(s.source, "\n"), c.expected, answer)
		text := e.apply(s.source)
		now, err := Parse("x.park", strings.NewReader(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if _, err := check(now.lines[1].step.(*command).expected, answer); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	})
}

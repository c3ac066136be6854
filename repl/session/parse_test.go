package session

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"parking/repl"
)

func TestParse(t *testing.T) {
	s, err := Parse("dir/two gates.park", strings.NewReader(`# Two gates.
#
#indented less
start larry gary-2 --gates 2   # both
  # a comment
larry>gates	# which
    1-2   larry

	... running # so
! gary-2 > track_exit "# 1"
kill larry
start larry
stop gary-2
larry> kill-node "larry"
`))
	if s != nil || err == nil { // a blank before > is not a prompt
		t.Fatalf("got %v, %v", s, err)
	}
	s, err = Parse("dir/two gates.park", strings.NewReader("# Two gates.\r\n\r\nstart larry gary --gates 2\t# both\r\n  # a comment\nlarry>gates\t# which\n    1-2   larry\n\n\t... running # so\n!gary> track_exit \"# 1\"\nkill larry\nstart larry\nstop gary\nlarry> kill-node 'larry'"))
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "two gates" || s.Title != "Two gates." {
		t.Errorf("name %q, title %q", s.Name, s.Title)
	}
	var got []string
	for _, l := range s.lines {
		text := l.prose
		if l.step != nil {
			text = shown(l.step)
		}
		got = append(got, text)
	}
	want := []string{"Two gates.", "", "start larry gary --gates 2", "larry> gates\t# which", "", `gary> track_exit "# 1"`, "kill larry", "start larry", "stop gary", "larry> kill-node 'larry'"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("lines\n%q, want\n%q", got, want)
	}
	asked := s.lines[3].step.(*command)
	if len(asked.expected) != 2 || asked.expected[0].line != 6 || asked.expected[1].line != 8 {
		t.Errorf("expectations %+v", asked.expected)
	}
	if c := s.lines[5].step.(*command); !c.refused || asked.refused {
		t.Errorf("refusals are not told apart: %+v, %+v", c, asked)
	}
	if c := s.lines[9].step.(*command); c.ends != "larry" {
		t.Errorf("kill-node ends %q", c.ends)
	}
}

func TestParseErrors(t *testing.T) {
	for script, want := range map[string]string{
		"larry runs":                             `1: "larry" begins no step; NAME> COMMAND, ! NAME> COMMAND, start NAME..., restart NAME, kill NAME and stop NAME do, and # begins prose`,
		"stert larry":                            `1: "stert" begins no step; did you mean start?`,
		"start a\nRestart a":                     `2: "Restart" begins no step; did you mean restart?`,
		"start a\na read":                        `2: "a" begins no step; did you mean a> read?`,
		"sleep 1s":                               `1: a session never sleeps; write what it waits for: NAME> await CONDITION`,
		"start larry+":                           `1: the name "" is not 1 to 32 of a-z, 0-9 and -`,
		"start larry+gary gary":                  `1: gary runs already; start another, or restart it`,
		"restart":                                `1: restart takes the name of one node, then flags: restart larry`,
		"start a b\nrestart a b":                 `2: restart takes the name of one node, then flags: restart larry`,
		"start larry\nrestart gary":              `2: "gary" was never started here; start it first: start gary`,
		"start a\na> read\n  .x = 1\n  1":        `4: words and fields are expected of one answer; ask twice, or keep to one: fields begin with a dot`,
		"start a\na> read\n  1\n  .x = 1":        `4: words and fields are expected of one answer`,
		"start a\na> read\n  .x 1":               `3: a field is given by its path, = and what it must be, as JSON: .spaces.free = 99 or .code = "full"`,
		"start a\na> read\n  .x =":               `3: a field is given by its path`,
		"start a\na> read\n  .= 1":               `3: a field is given by its path`,
		"start a\na> read\n  .x = full":          `3: full is no JSON (invalid character 'u' in literal false (expecting 'a')); strings are quoted: .code = "full"`,
		"start a\na> read\n  .x = [1":            `3: [1 is no JSON (it ends too early)`,
		"start a\na> read\n  .x = 1 2":           `3: "2" stands behind the value; a line holds one field`,
		"! start larry":                          `1: "!" begins no step`,
		"\n\nstart":                              `3: start takes names, then flags`,
		"start --spaces 3 larry":                 `1: start takes names, then flags`,
		"start Larry":                            `1: the name "Larry" is not 1 to 32 of a-z, 0-9 and -`,
		"start larry gary larry":                 `1: larry runs already`,
		"start larry\nkill larry\nlarry> read":   `3: "larry" does not run here, nor does another node; start it above`,
		"start larry gary\nlary> read":           `2: "lary" does not run here; start it above, or use one that does: gary larry`,
		"start larry\nlarry>":                    `2: nothing is typed at larry's prompt`,
		"start larry\nlarry> # read":             `2: nothing is typed at larry's prompt`,
		"start larry\nlarry> quit\nstop larry":   `3: "larry" does not run here`,
		"start a b\na> kill-node b\nb> read":     `3: "b" does not run here; start it above, or use one that does: a`,
		"start larry\nkill":                      `2: kill takes the name of one node: kill larry`,
		"start a b\nstop a b":                    `2: stop takes the name of one node: stop larry`,
		"start larry\n   larry":                  `2: no answer is above this indented line`,
		"start a\na> read\n# so\n  1":            `4: no answer is above this indented line`,
		"start a\na> gates\n  4-1 a":             `3: the range 4-1 runs backwards; write 1-4, or quote it if it is none`,
		"start a\n! a> quit\n! a> read\nb> read": `4: "b" does not run here; start it above, or use one that does: a`,
	} {
		_, err := Parse("x.park", strings.NewReader(script))
		if err == nil || !strings.HasPrefix(err.Error(), "x.park:"+want) {
			t.Errorf("%q\n gives %v\n want  x.park:%s", script, err, want)
		}
	}
	if _, err := Parse("x.park", strings.NewReader(strings.Repeat("\n", maxScript+1))); err == nil {
		t.Error("a script that is too long is accepted")
	}
}

const aPage = "The `lot`, briefly\n===\n\nProse.\n\n```console\nlarry> not this\n```\n\n## Skipped\n\n## First *look*\n\n```parking\n# Both.\nstart larry+gary moe\n```\n" +
	"- a list\n\n  ~~~~parking\n  larry> read\n    .spaces.free = 99\n  ~~~~\n\n## Then\n\n````markdown\n```parking\nkill larry\n```\n````\n\n```parking\nstop larry\n```\n"

func TestParsePage(t *testing.T) {
	s, err := Parse("docs/lot.md", strings.NewReader("\ufeff"+aPage))
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "lot" || s.Title != "The lot, briefly" {
		t.Errorf("name %q, title %q", s.Name, s.Title)
	}
	var got []string
	for _, l := range s.lines {
		text := l.prose
		if l.step != nil {
			text = fmt.Sprint(l.number, " ", shown(l.step))
		}
		got = append(got, text)
	}
	want := []string{"The lot, briefly", "", "First look", "Both.", "16 start larry+gary moe", "", "21 larry> read", "", "Then", "34 stop larry"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("lines\n%q, want\n%q", got, want)
	}
	if asked := s.lines[6].step.(*command); len(asked.fields) != 1 || asked.fields[0].line != 22 {
		t.Errorf("fields %+v", asked.fields)
	}
	for page, want := range map[string]string{
		"# A\n\n```\nstart larry\n```\n":                               "x.MD: the page has no session; it would stand in fenced blocks that begin with ```parking",
		"# A\n\n```parking\nstart larry\nstert gary\n```\n":            `x.MD:5: "stert" begins no step`,
		"```parking\nstart a\na> read\n```\n\n```parking\n   1\n```\n": "x.MD:7: no answer is above this indented line",
	} {
		if _, err := Parse("x.MD", strings.NewReader(page)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q\n gives %v\n want  %s", page, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(false, "# T\nstart larry+moe gary --gates 2\nlarry> gates\n  1-4 larry\n! gary> quit # x\nkill larry\nstop gary\nrestart larry")
	f.Add(false, "start a\na> kill-node \"a\"\n\t0-0 ... ()\n")
	f.Add(false, "start a\na> read\n .a.#(b==\"=\")#.c|@reverse = [{\"a\":1e3}] # x\n .b = 1\n")
	f.Add(false, "!>\n> \n#\n \x00\n#\r\n\f")
	f.Add(true, aPage)
	f.Fuzz(func(t *testing.T, page bool, text string) {
		file := "x.park"
		if page {
			file = "x.md"
		}
		s, err := Parse(file, strings.NewReader(text))
		if err != nil {
			line, ok := errors.AsType[*repl.LineError](err)
			if !errors.Is(err, ErrNoSession) && (!ok || line.Line < 1 || line.Line > 1+strings.Count(text, "\n") || strings.Contains(err.Error(), "\n")) {
				t.Fatalf("the error %q has no line of the script", err)
			}
			return
		}
		for _, l := range s.lines {
			if l.step == nil {
				continue
			}
			l.step.show(painter{true})
			if c, ok := l.step.(*command); ok {
				_, _ = check(c.expected, text)
				_, _ = checkFields(c.fields, text)
			}
		}
	})
}

func shown(s step) string {
	prompt, typed := s.show(painter{})
	return prompt + typed
}

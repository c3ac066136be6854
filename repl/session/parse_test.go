package session

import (
	"errors"
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
			text = l.step.show(painter{})
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
		"larry runs":                             `1: "larry" begins no step; NAME> COMMAND, ! NAME> COMMAND, start NAME..., kill NAME and stop NAME do, and # begins prose`,
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

func FuzzParse(f *testing.F) {
	f.Add("# T\nstart larry gary --gates 2\nlarry> gates\n  1-4 larry\n! gary> quit # x\nkill larry\nstop gary")
	f.Add("start a\na> kill-node \"a\"\n\t0-0 ... ()\n")
	f.Add("!>\n> \n#\n \x00\n#\r\n\f")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse("x.park", strings.NewReader(text))
		if err != nil {
			var line *repl.LineError
			if !errors.As(err, &line) || line.Line < 1 || line.Line > 1+strings.Count(text, "\n") || strings.Contains(err.Error(), "\n") {
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
			}
		}
	})
}

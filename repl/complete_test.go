package repl

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func texts(all []Suggestion) (out []string) {
	for _, s := range all {
		out = append(out, s.Text)
	}
	return out
}

func TestComplete(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry, gary := l.start("larry"), l.start("gary")
		untilMinute()
		for _, line := range []string{`track_entry "ABC 123" 1`, `track_entry abd 2`, `track_entry "3s" 3`, `track_entry 'say "hi"' 1`, `track_entry "it's" 1`} {
			gary.do(line)
		}
		time.Sleep(time.Second)
		for before, want := range map[string]string{
			"ga":                        "gate|gates",
			"track-en":                  "track_entry",
			"KILL":                      "kill-node",
			"frob":                      "",
			"frob ":                     "",
			"# ga":                      "",
			"read # ":                   "",
			"set ":                      "spaces|gates|ack",
			"set s":                     "spaces",
			"set spaces ":               "",
			"gate ":                     "1|2|3|4",
			"gate 1 ":                   "enter|exit|crash|move",
			"gate 1 e":                  "enter|exit",
			"gate 1 enter ":             "",
			"gate 1 crash ":             "",
			"gate 1 exit a":             `"ABC 123"|abd`,
			"gate 1 move ":              "gary|larry",
			"gate 1 move g":             "gary",
			"gate 1 move gary ":         "",
			"kill-node ":                "gary|larry",
			"diff ":                     "gary",
			"diff gary ":                "",
			"why AB":                    `"ABC 123"|abd`,
			"track_entry ":              "",
			"track_entry X ":            "1|2|3|4",
			`track_entry "X Y" `:        "1|2|3|4",
			`track_entry "X Y`:          "",
			`track_exit `:               `"3s"|"ABC 123"|abd|"it's"|"say \"hi\""`,
			`track_exit AB`:             `"ABC 123"|abd`,
			`track_exit "ab`:            `ABC 123"|abd"`,
			`track_exit 'ABC 1`:         `ABC 123'`,
			`track_exit "`:              `3s"|ABC 123"|abd"|it's"|say \"hi\""`,
			`track_exit '`:              `3s'|ABC 123'|abd'|say "hi"'`,
			`track_exit "ABC 123"`:      "",
			`track_exit A\`:             "",
			`track_exit abd `:           "1|2|3|4",
			"await ":                    "converged|members|gates|vehicle|no",
			"await members ":            "2",
			"await gates ":              "2",
			"await no ":                 "vehicle",
			"await gates 2 ":            "nodes",
			"await vehicle ab":          `"ABC 123"|abd`,
			"await no vehicle AB":       `"ABC 123"|abd`,
			"await converged ":          "",
			"help ga":                   "gate|gates",
			"help gate ":                "",
			"watch ga":                  "gate|gates",
			"watch 500ms set ":          "spaces|gates|ack",
			"watch 500ms watch 1s set ": "spaces|gates|ack",
			"partition ":                "gary|larry",
			"partition larry ":          "gary||",
			"partition larry | ":        "gary",
			"partition larry | gary ":   "|",
			"isolate l":                 "larry",
			"isolate larry ":            "",
			"link ":                     "gary>|gary<>|larry>|larry<>",
			"link l":                    "larry>|larry<>",
			"link larry>":               "larry>gary",
			"link larry<>g":             "larry<>gary",
			"link bob>":                 "",
			"link larry>gary ":          "drop|delay|jitter|dup|cut",
			"link larry>gary d":         "drop|delay|dup",
			"link larry>gary drop ":     "",
			"link larry>gary drop 5% ":  "delay|jitter|dup|cut",
			"link larry>gary cut ":      "drop|delay|jitter|dup",
			"heal ":                     "gary|larry",
			"heal gary>":                "gary>larry",
			"heal gary larry>":          "larry>gary",
			"clock l":                   "larry",
			"clock larry ":              "",
			"watch fau":                 "faults",
			"time o":                    "on|off",
			"read --l":                  "--limit",
			"read AB":                   `"ABC 123"|abd`,
			"read AB* ":                 "--limit",
			"read --limit ":             "",
			"read AB* --limit ":         "",
			strings.Repeat("x ", 1<<16): "",
		} {
			if got := strings.Join(texts(larry.Complete(t.Context(), before)), "|"); got != want {
				t.Errorf("%.60q: %s, want %s", before, got, want)
			}
		}
		if got := texts(larry.Complete(t.Context(), "")); len(got) != len(Commands()) {
			t.Errorf("an empty line can go on with %q", got)
		}
		for before, want := range map[string]string{
			"quit":            Commands()[len(Commands())-1].Help,
			"track_exit abd":  "gate 2, gary, 00:0",
			"gate 1":          "running on larry",
			"kill-node larry": "this node",
			"kill-node gary":  "alive",
			"set spaces":      "100 now",
			"await members":   "that many nodes are alive",
			"await members 2": "2 nodes alive now",
		} {
			if got := larry.Complete(t.Context(), before); len(got) == 0 || !strings.HasPrefix(got[0].Description, want) {
				t.Errorf("%q: %q, want %q", before, got, want)
			}
		}
		gary.crash()
		time.Sleep(15 * time.Second)
		if got := texts(larry.Complete(t.Context(), "kill-node ")); !slices.Equal(got, []string{"larry"}) {
			t.Errorf("after the crash of gary: %q", got)
		}
	})
}

// What is suggested for a large lot is bounded, and so is the time it takes.
func TestCompleteInALargeLot(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry := l.start("larry")
		larry.do("set spaces 1000000")
		for i := range 3 * maxSuggestions {
			larry.do("track_entry CAR" + strings.Repeat("I", i%10) + string(rune('a'+i/10)) + " 1")
		}
		if n := len(larry.Complete(t.Context(), "track_exit C")); n != maxSuggestions {
			t.Errorf("%d suggestions", n)
		}
	})
}

func TestCompleteFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"one.txt", "two words.txt", ".hidden", "sub/inner"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	s := newSeat(Options{})
	s.Expand = home(dir)
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for before, want := range map[string]string{
		"source ":              `one.txt|pipe|sub/|"two words.txt"`,
		"source o":             "one.txt",
		"source .":             ".hidden",
		"source sub/":          "sub/inner",
		"source ./t":           `"./two words.txt"`,
		`source "t`:            `two words.txt"`,
		`source "s`:            `sub/`,
		"source ~/o":           "~/one.txt",
		"source " + dir + "/o": dir + "/one.txt",
		"source pipe/":         "", // nobody waits for a writer
		"source nowhere/":      "",
		"source one.txt ":      "echo:source one.txt ", // it takes one file
		"spaces ":              "echo:spaces ",
	} {
		if got := strings.Join(texts(s.Complete(t.Context(), before)), "|"); got != want {
			t.Errorf("%q: %s, want %s", before, got, want)
		}
	}
}

func TestSourceRefusesWhatItWouldWaitFor(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	s := newSeat(Options{})
	if err := s.Exec(t.Context(), "source "+pipe); err == nil || !strings.HasSuffix(err.Error(), ": it is no regular file") {
		t.Error(err)
	}
}

// Before a node is ready it suggests what it knows: the commands.
func TestCompleteBeforeReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := NewEngine(unstarted(t))
		for before, want := range map[string]string{"qu": "quit", "gate ": "", "kill-node ": "", "track_exit ": ""} {
			if got := strings.Join(texts(e.Complete(t.Context(), before)), "|"); got != want {
				t.Errorf("%q: %s, want %s", before, got, want)
			}
		}
	})
}

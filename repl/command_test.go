package repl

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"parking/lot"
)

func TestFind(t *testing.T) {
	for name, want := range map[string]string{
		"track_entry": "track_entry", "track-entry": "track_entry", "TRACK_ENTRY": "track_entry",
		"kill-node": "kill-node", "kill_node": "kill-node", "Read": "read",
	} {
		if c, err := find(name); err != nil || c.Name != want {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
	for name, want := range map[string]string{
		"trak_entry":               "unknown command trak_entry; did you mean track_entry?",
		"track_entyr":              "unknown command track_entyr; did you mean track_entry?",
		"kilnode":                  "unknown command kilnode; did you mean kill-node?",
		"exit":                     "unknown command exit; did you mean quit?",
		"gatess":                   "unknown command gatess; did you mean gates?",
		"reed":                     "unknown command reed; did you mean read?",
		"x":                        "unknown command x; help lists the commands",
		"frobnicate":               "unknown command frobnicate; help lists the commands",
		"\x1b[2J":                  "unknown command ?[2J; help lists the commands",
		strings.Repeat("long", 20): "unknown command " + strings.Repeat("long", 10) + "; help lists the commands",
	} {
		if _, err := find(name); err == nil || err.Error() != want || !errors.Is(err, lot.Usage) {
			t.Errorf("%q: %v, want %s", name, err, want)
		}
	}
}

// Every command refuses one argument too few and one too many, and takes its
// own example.
func TestArgumentCounts(t *testing.T) {
	for _, c := range Commands() {
		if c.min > 0 {
			err := c.check(words{name: c.Name, args: make([]string, c.min-1)})
			if err == nil || !strings.HasPrefix(err.Error(), "missing argument: "+c.Usage()+"; for example ") {
				t.Errorf("%s, too few: %v", c.Name, err)
			}
		}
		if c.max >= 0 {
			err := c.check(words{name: c.Name, args: make([]string, c.max+1)})
			if err == nil || !strings.HasPrefix(err.Error(), "too many arguments: "+c.Name) {
				t.Errorf("%s, too many: %v", c.Name, err)
			}
		}
		w, err := parse(c.Example)
		if err == nil {
			err = c.check(w)
		}
		if err != nil || w.name != c.Name {
			t.Errorf("the example %q of %s: %v", c.Example, c.Name, err)
		}
		if c.run == nil && c.local == nil {
			t.Errorf("%s runs nowhere", c.Name)
		}
	}
}

// The table has what the users were promised.
func TestTable(t *testing.T) {
	var names []string
	for _, c := range Commands() {
		names = append(names, c.Name)
	}
	for _, name := range []string{
		"track_entry", "track_exit", "read", "spaces", "gate", "gates", "members", "status", "diff", "why", "set", "rebalance", "kill-node", "partition", "isolate", "link", "heal", "faults", "clock",
		"await", "watch", "source", "time", "events", "history", "clear", "help", "quit",
	} {
		if !slices.Contains(names, name) {
			t.Errorf("there is no %s", name)
		}
	}
}

func TestPages(t *testing.T) {
	for line, want := range map[string]bool{
		"read": true, " READ --limit 5": true, "readx": false, "gates": false, `read "`: false, "": false, "# read": false,
	} {
		if Pages(line) != want {
			t.Errorf("%q pages: %v", line, !want)
		}
	}
}

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"node: refused: the node at 10.0.0.1:1 has another cookie; give --cookie as it has it": "refused: the node at 10.0.0.1:1 has another cookie; give --cookie as it has it",
		"discover: name taken: larry: process 1 runs it":                                       "name taken: larry: process 1 runs it",
		"cannot start: node: peer: no answer":                                                  "cannot start: no answer",
		"one\ntwo":                                                                             "one; two",
		"the node: is here":                                                                    "the node: is here",
		"lot":                                                                                  "lot",
	} {
		if got := Plain(errors.New(in)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

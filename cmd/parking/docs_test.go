package main

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// documented returns the cells of the table below a heading of
// docs/configuration.md, row by row under their first cell.
func documented(t *testing.T, heading string) map[string][]string {
	t.Helper()
	b, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(b), "\n## "+heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	rows := make(map[string][]string)
	for line := range strings.Lines(section) {
		if cells := strings.Split(strings.TrimSpace(line), "|"); strings.HasPrefix(line, "| `--") && len(cells) == 6 {
			for i, c := range cells {
				cells[i] = strings.Trim(strings.TrimSpace(c), "`")
			}
			rows[cells[1]] = cells[1:5]
		}
	}
	return rows
}

func TestTheTablesOfSettingsAreComplete(t *testing.T) {
	ofNode := nodeCommand().Flags()
	for heading, flags := range map[string]*pflag.FlagSet{
		"The settings of a node": ofNode,
		"The settings of serve":  serveCommand().Flags(),
		"The settings of attach": attachCommand().Flags(),
	} {
		rows := documented(t, heading)
		for _, name := range settingNames(flags) {
			same := ofNode.Lookup(name)
			if strings.HasSuffix(heading, "serve") && same != nil && same.DefValue == flags.Lookup(name).DefValue {
				continue // it stands in the node's table
			}
			row := rows["--"+name]
			if row == nil {
				t.Errorf("%s: --%s is missing", heading, name)
				continue
			}
			delete(rows, "--"+name)
			preset := strings.Trim(flags.Lookup(name).DefValue, "[]")
			if row[1] != preset || row[2] != variable(name) || row[3] == "" {
				t.Errorf("%s: --%s stands there as %q; its default is %q, its variable %s", heading, name, row, preset, variable(name))
			}
		}
		for flag := range rows {
			t.Errorf("%s: there is no %s", heading, flag)
		}
	}
}

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"parking/repl"
)

// addHelp adds the help command, and help config below it.
func addHelp(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	help, _, _ := root.Find([]string{"help"})
	help.Short = "help on a sub-command; help config tells the settings"
	help.Args = func(_ *cobra.Command, args []string) error {
		c, rest, err := root.Find(args)
		if err != nil {
			return &usageError{err}
		}
		if len(rest) > 0 && c.HasParent() && !c.HasSubCommands() {
			return &usageError{fmt.Errorf("help takes the name of a sub-command; %s --help tells about %s", c.CommandPath(), c.Name())}
		}
		return noArgs(c, rest)
	}
	help.AddCommand(configCommand())
}

// configCommand returns the command that tells the settings of a node, and below it
// the one for those of a node without a prompt.
func configCommand() *cobra.Command {
	c := configOf("config [FLAG...]", "each setting, its value and where it comes from", addNodeFlags)
	c.Long = "config tells each setting of a node, its value now, and where it comes from: a flag\n" +
		"given here as to a node, the environment, the file given by --config, or the default.\n" +
		"config serve tells those of parking serve, some of which have another default."
	c.AddCommand(configOf("serve [FLAG...]", "the same for parking serve", addServeFlags))
	return c
}

// configOf returns a command that tells the settings that there are flags for.
func configOf(use, short string, add func(*pflag.FlagSet)) *cobra.Command {
	c := &cobra.Command{
		Use:                   use,
		Short:                 short,
		Args:                  noArgs,
		DisableFlagsInUseLine: true,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := load(c.Flags())
			if err != nil {
				return err
			}
			if err := s.checkGiven(); err != nil {
				return err
			}
			opt, err := s.options(term.IsTerminal(int(os.Stdout.Fd())))
			if err != nil {
				return err
			}
			opt.Width, _, _ = term.GetSize(int(os.Stdout.Fd())) // none: as wide as need be
			rows, err := describe(s, c.Flags())
			if err != nil {
				return err
			}
			return writeSettings(c.OutOrStdout(), rows, opt)
		},
	}
	add(c.Flags())
	return c
}

// described is a setting as help config shows it.
type described struct {
	Name   string `json:"name"`
	Value  any    `json:"value"`
	Source string `json:"source"`
	Env    string `json:"env"`
	Help   string `json:"help"`
}

// describe returns the settings in the order of the flags, and at last the one
// that has no flag.
func describe(s settings, flags *pflag.FlagSet) ([]described, error) {
	var out []described
	for _, name := range settingNames(flags) {
		_, help := pflag.UnquoteUsage(flags.Lookup(name))
		f := s.found[name]
		d := described{name, f.value, f.from.String(), variable(name), help}
		if name == "cookie" {
			d.Value, d.Source = describeCookie(s)
		}
		out = append(out, d)
	}
	dir, from, err := runtimeDir()
	if err != nil {
		return nil, err
	}
	out = append(out, described{"runtime-dir", dir, from.String(), envPrefix + "RUNTIME_DIR",
		"where the nodes of this host find each other; it has no flag"})
	if dir, from, err = stateDir(); err != nil {
		dir = "(no home directory)"
	}
	return append(out, described{"state-dir", dir, from.String(), "XDG_STATE_HOME", "where what was typed at prompts is kept; it has no flag"}), nil
}

// describeCookie tells where the cookie is, and never what it is.
func describeCookie(s settings) (value, source string) {
	if s.ownCookie() {
		return "(given)", s.found["cookie"].from.String()
	}
	value = "(in the file)"
	path, err := expand(s.CookieFile)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		value = "(not made yet)"
	}
	return value, "cookie-file " + s.CookieFile
}

// writeSettings answers with a table, or with a document. A table that is too
// wide goes without the settings' meaning, and breaks lines if need be.
func writeSettings(out io.Writer, rows []described, opt repl.Options) error {
	if opt.Format == repl.JSON {
		return json.NewEncoder(out).Encode(map[string][]described{"settings": rows})
	}
	lines := settingsTable(rows, opt.Color, true, 0)
	if opt.Width > 0 && text.LongestLineLen(lines) > opt.Width {
		lines = settingsTable(rows, opt.Color, false, opt.Width)
	}
	for line := range strings.Lines(lines) {
		if _, err := fmt.Fprintln(out, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// settingsTable renders settings in as many columns as width has; 0 has any.
func settingsTable(rows []described, color, meaning bool, width int) string {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = " ", "  "
	style.Format.Header = text.FormatDefault
	if color {
		style.Color.Header = text.Colors{text.Faint}
	}
	t.SetStyle(style)
	t.AppendHeader(table.Row{"SETTING", "VALUE", "SOURCE", "MEANING"})
	longest := 0
	for _, r := range rows {
		longest = max(longest, len(r.Name))
		value := fmt.Sprint(r.Value)
		if list, ok := r.Value.([]string); ok {
			value = strings.Join(list, ", ")
		}
		t.AppendRow(table.Row{r.Name, value, r.Source, r.Help})
	}
	columns := []table.ColumnConfig{{Name: "MEANING", Hidden: !meaning}}
	if width > 0 {
		const padding = 3 // of a column
		half := max(1, (width-longest-3*padding)/2)
		for _, name := range []string{"VALUE", "SOURCE"} {
			columns = append(columns, table.ColumnConfig{Name: name, WidthMax: half, WidthMaxEnforcer: text.WrapSoft})
		}
	}
	t.SetColumnConfigs(columns)
	return t.Render()
}

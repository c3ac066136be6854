package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/kballard/go-shellquote"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"parking/lot"
	"parking/node/discover"
)

// labMax is how many nodes a lab has at most: as many panes are still legible.
const labMax = 12

func labCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "lab NAME...",
		Short: "several nodes, each in a pane of tmux",
		Long: "lab starts a node for each NAME, each in a pane of tmux, with the flags given.\n" +
			"Within tmux it opens a window of that tmux.",
		Example: "  parking lab larry gary harry --spaces 20",
		RunE: func(c *cobra.Command, names []string) error {
			s, err := load(c.Flags())
			if err != nil {
				return err
			}
			if err := checkLab(s, names); err != nil {
				return err
			}
			return runLab(c.Context(), s, names, typedFlags(c.Flags()))
		},
	}
	addNodeFlags(c.Flags())
	for _, name := range []string{"sname", "command", "file"} { // they are refused, in words
		c.Flags().Lookup(name).Hidden = true
	}
	return c
}

// checkLab refuses what no lab can be started with.
func checkLab(s settings, names []string) error {
	wrong := func(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }
	switch {
	case s.typed("sname"):
		return wrong("lab takes its nodes' names without --sname: parking lab larry gary")
	case len(names) == 0:
		return wrong("a lab needs names of nodes: parking lab larry gary harry")
	case len(names) > labMax:
		return wrong("a lab has %d nodes at most, not %d", labMax, len(names))
	case s.scripted():
		from := s.found["command"].from
		if len(s.Files) > 0 {
			from = s.found["file"].from
		}
		return wrong("lab's nodes are typed at, and take no commands (%s)", from)
	}
	s.Name = "" // each pane has its own
	if err := s.checkGiven(); err != nil {
		return err
	}
	if s.port != 0 && len(names) > 1 {
		return wrong("--bind %s is one port for %d nodes; leave the port out", s.Bind, len(names))
	}
	if s.Metrics != webOff && s.web.Port() != 0 && len(names) > 1 {
		return wrong("--metrics %s is one port for %d nodes; give port 0, or none", s.Metrics, len(names))
	}
	for i, name := range names {
		if err := lot.CheckName("name", name); err != nil {
			return &usageError{err}
		}
		if slices.Contains(names[:i], name) {
			return wrong("the name %s stands there twice", name)
		}
	}
	return nil
}

// typedFlags returns the flags that were given, as one types them.
func typedFlags(flags *pflag.FlagSet) (args []string) {
	flags.Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, v := range values {
			args = append(args, "--"+f.Name+"="+v)
		}
	})
	return args
}

// runLab opens the panes and, unless it is in tmux already, shows them until
// they are detached or gone, or ctx ends. The nodes belong to tmux.
func runLab(ctx context.Context, s settings, names, flags []string) (err error) {
	ctx, sig := catch(ctx)
	defer sig.stop()
	defer func() { err = sig.exit(err) }()
	path, err := exec.LookPath("tmux")
	if err != nil {
		return noTmux(names, flags)
	}
	if !term.IsTerminal(int(os.Stdin.Fd())) || !term.IsTerminal(int(os.Stdout.Fd())) {
		return errors.New("lab needs a terminal; without one, start each node by itself: parking node --sname " + names[0])
	}
	l := &lab{tmux: path, name: "parking-" + s.Cluster, inside: os.Getenv("TMUX") != ""}
	if l.there() {
		return fmt.Errorf("a lab of the cluster %s is open already; %s returns to it, %s ends it", s.Cluster, l.command("attach"), l.command("kill-server"))
	}
	keys, err := loadKeys(s, func(text string) { fmt.Fprintln(os.Stderr, text) })
	if err != nil {
		return err
	}
	dir, _, err := runtimeDir()
	if err != nil {
		return err
	}
	near := &neighbours{dir: dir, id: discover.ID{Cluster: s.Cluster, Fingerprint: keys.Fingerprint()}, remark: func(string) {}}
	switch name, err := firstOf(near, names); {
	case err != nil:
		return err
	case name != "":
		return fmt.Errorf("%s runs already in the cluster %s; parking attach %s is a prompt on it", name, s.Cluster, name)
	}
	if l.inside {
		l.env = labEnvironment(dir)
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	panes := make([]pane, 0, len(names))
	for _, name := range names {
		panes = append(panes, pane{name, append([]string{exe, "node", "--sname", name}, flags...)})
	}
	founded := func() bool {
		name, err := firstOf(near, names[:1])
		return err != nil || name != ""
	}
	if err := l.open(ctx, panes, founded); err != nil {
		return err
	}
	if l.inside {
		fmt.Fprintf(os.Stderr, "%s: in the window %s\n", strings.Join(names, " "), l.name)
		return nil
	}
	if err := l.show(ctx, sig); err != nil {
		return err
	}
	if l.there() {
		fmt.Fprintf(os.Stderr, "the nodes go on; %s returns to them, %s ends them\n", l.command("attach"), l.command("kill-server"))
	}
	return nil
}

// noTmux says how to do without.
func noTmux(names, flags []string) error {
	lines := make([]string, 0, len(names))
	for _, name := range names {
		lines = append(lines, shellquote.Join(append([]string{"parking", "--sname", name}, flags...)...))
	}
	return fmt.Errorf("lab needs tmux, which is not installed: apt-get install tmux, or brew install tmux; "+
		"or type in terminals of their own: %s", strings.Join(lines, "; "))
}

// firstOf returns one of the names that a running node has, or nothing.
func firstOf(near *neighbours, names []string) (string, error) {
	found, err := near.Neighbours()
	for _, n := range found {
		if slices.Contains(names, n.Name) {
			return n.Name, err
		}
	}
	return "", err
}

// labEnvironment is what nodes are to have of this process's environment where
// they do not inherit it.
func labEnvironment(runtimeDir string) []string {
	own := envPrefix + "RUNTIME_DIR"
	env := []string{own + "=" + runtimeDir}
	for _, assignment := range os.Environ() {
		name, _, _ := strings.Cut(assignment, "=")
		if name != own && strings.HasPrefix(name, envPrefix) || slices.Contains([]string{"HOME", "XDG_STATE_HOME", "NO_COLOR"}, name) {
			env = append(env, assignment)
		}
	}
	slices.Sort(env)
	return env
}

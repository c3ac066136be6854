package main

import (
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"parking/node/discover"
	"parking/repl"
	"parking/repl/bench"
	"parking/scripts"
)

// addCompletion adds what the shell needs to complete command lines. It
// completes no file names but where a file is wanted.
func addCompletion(root *cobra.Command) {
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "attach":
			c.ValidArgsFunction = completeNode
		case "demo":
			c.ValidArgsFunction = completeSession
		case "bench":
			c.ValidArgsFunction = completeWorkload
		case "completion":
			c.Short = "a script by which the shell completes command lines"
			c.Run = func(c *cobra.Command, _ []string) { _ = c.Help() } // with Args, one that does not run would not check them
			for _, shell := range append(c.Commands(), c) {
				shell.Args = noArgs
			}
		}
	}
	completeFlags(root, map[string]cobra.CompletionFunc{
		"format":      oneOf(string(repl.Table), string(repl.JSON)),
		"log-level":   oneOf("debug", "info", "warn", "error"),
		"discover":    oneOf(byHost, byNobody, dnsPrefix),
		"cluster":     completeCluster,
		"cookie-file": anyFile,
		"file":        anyFile,
		"record":      anyFile,
		"attach":      completeNode,
		"plots":       cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs),
		"config":      cobra.FixedCompletions([]string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt),
	})
}

// completeFlags gives the flags of c, and of its sub-commands, the functions for
// their names.
func completeFlags(c *cobra.Command, values map[string]cobra.CompletionFunc) {
	for name, f := range values {
		if c.Flags().Lookup(name) != nil {
			_ = c.RegisterFlagCompletionFunc(name, f) // there is such a flag, and it has none yet
		}
	}
	for _, sub := range c.Commands() {
		completeFlags(sub, values)
	}
}

func oneOf(words ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
}

func anyFile(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

// completeNode completes the name of a node that runs here.
func completeNode(c *cobra.Command, args []string, word string) (names []string, _ cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	cluster := c.Flag("cluster").Value.String()
	for _, e := range runningHere() {
		if strings.HasPrefix(e.Name, word) && (cluster == "" || e.Cluster == cluster) {
			names = append(names, cobra.CompletionWithDesc(e.Name, e.Addr+", cluster "+e.Cluster))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeCluster completes the name of a cluster that has a node here.
func completeCluster(_ *cobra.Command, _ []string, word string) (names []string, _ cobra.ShellCompDirective) {
	for _, e := range runningHere() {
		if strings.HasPrefix(e.Cluster, word) {
			names = append(names, e.Cluster)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), cobra.ShellCompDirectiveNoFileComp
}

// completeWorkload completes the name of what can be measured.
func completeWorkload(_ *cobra.Command, args []string, word string) (names []string, _ cobra.ShellCompDirective) {
	for _, name := range bench.Names() {
		if strings.HasPrefix(name, word) && !slices.Contains(args, name) {
			names = append(names, cobra.CompletionWithDesc(name, bench.Summary(name)))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completionWait is how long somebody who presses the tabulator is kept
// waiting for the nodes that run here.
const completionWait = time.Second

// runningHere returns the nodes of this host, or nothing where that cannot be
// known soon.
func runningHere() []discover.Entry {
	found := make(chan []discover.Entry, 1)
	go func() {
		dir, _, err := runtimeDir()
		if err != nil {
			found <- nil
			return
		}
		all, _ := discover.List(dir)
		found <- all
	}()
	select {
	case all := <-found:
		return all
	case <-time.After(completionWait):
		return nil // the look stays behind; the process ends at once
	}
}

// completeSession completes the name of a session that comes along, or of a
// file with one.
func completeSession(_ *cobra.Command, _ []string, word string) (names []string, d cobra.ShellCompDirective) {
	d = cobra.ShellCompDirectiveNoFileComp
	for _, name := range scripts.Names() {
		if s, err := readSession(name); err == nil && strings.HasPrefix(name, word) {
			names = append(names, cobra.CompletionWithDesc(name, s.Title))
		}
	}
	for _, f := range repl.Files(word, expand) {
		switch {
		case f.Dir:
			d |= cobra.ShellCompDirectiveNoSpace // more may follow
			fallthrough
		case slices.Contains([]string{scripts.Ext, ".md"}, filepath.Ext(f.Path)):
			names = append(names, f.Path)
		}
	}
	return names, d
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"parking/repl/session"
	"parking/scripts"
)

func demoCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "demo [FILE...]",
		Short: "play scripted sessions with real nodes",
		Long: "demo plays scripted sessions: it starts real nodes, types at their prompts and checks\n" +
			"what they answer. Without a FILE it plays the walkthrough. FILE is a path, or one of\n" +
			"the sessions that come along:\n" + sessions(),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := load(c.Flags())
			if err != nil {
				return err
			}
			opt, err := s.options(term.IsTerminal(int(os.Stdout.Fd())))
			if err != nil {
				return err
			}
			if len(args) == 0 {
				args = []string{"walkthrough"}
			}
			return runDemo(c.Context(), args, opt.Color)
		},
	}
	c.Flags().Bool("no-color", false, "no colours (NO_COLOR does the same)")
	return c
}

// sessions lists the sessions that come along, with their titles.
func sessions() string {
	var list strings.Builder
	for _, name := range scripts.Names() {
		if s, err := readSession(name); err == nil {
			fmt.Fprintf(&list, "  %-12s %s\n", name, s.Title)
		}
	}
	return list.String()
}

// runDemo plays the sessions one after another, all of them unless it is
// interrupted.
func runDemo(ctx context.Context, names []string, color bool) error {
	ctx, sig := catch(ctx)
	defer sig.stop()
	sig.patient.Store(true)
	all := make([]*session.Script, 0, len(names))
	for _, name := range names {
		s, err := readSession(name)
		if err != nil {
			return err
		}
		all = append(all, s)
	}
	cfg := session.DefaultConfig()
	cfg.Hurry = sig.Hurry
	var err error
	if cfg.Exe, err = os.Executable(); err != nil {
		return err
	}
	cfg.Env, cfg.Temp, cfg.Out, cfg.Color = os.Environ(), os.TempDir(), os.Stdout, color
	var failed error
	for _, s := range all {
		r := session.Run(ctx, cfg, s)
		if r.Err != nil {
			failed = exitError(exitFailed)
		}
		if r.Err != nil && !r.Interrupted() {
			fmt.Fprintln(os.Stderr, r.Err)
		}
		fmt.Println(r)
		if ctx.Err() != nil {
			break
		}
	}
	return sig.exit(failed)
}

// readSession parses the session of that name, or the file at that path.
func readSession(name string) (*session.Script, error) {
	var f io.ReadCloser
	var err error
	file := name
	if slices.Contains(scripts.Names(), name) {
		file = name + scripts.Ext
		f, err = scripts.Open(name)
	} else {
		f, err = os.Open(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no file %q, nor is it one of the sessions that come along: %s", name, strings.Join(scripts.Names(), ", "))
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return session.Parse(file, f)
}

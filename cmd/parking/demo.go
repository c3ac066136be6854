package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"parking/repl"
	"parking/repl/prompt"
	"parking/repl/session"
	"parking/scripts"
)

// playing is the part of the settings that demo has.
type playing struct {
	Pace    time.Duration `koanf:"pace"`
	Step    bool          `koanf:"step"`
	Verbose bool          `koanf:"verbose"`
	Record  string        `koanf:"record"`
	Update  bool          `koanf:"update"`
}

func demoCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "demo [FILE...]",
		Short: "play scripted sessions with real nodes",
		Long: "demo plays scripted sessions: it starts real nodes, types at their prompts and checks\n" +
			"what they answer. Without a FILE it plays the walkthrough. FILE is a path, of a session or\n" +
			"of a Markdown page that has one in its ```parking blocks, or the name of one that comes\n" +
			"along:\n" + sessions(),
		Example: "  parking demo --pace 700ms                         typed before an audience\n" +
			"  parking demo failover --step                      each step when you say so\n" +
			"  parking demo failover --verbose                   what each node sees meanwhile\n" +
			"  parking demo failover --record failover.cast      for asciinema play failover.cast\n" +
			"  parking demo failover --record failover.svg       a picture for a page\n" +
			"  parking demo README.md                            is the page true?\n" +
			"  parking demo scripts/full.park --update           it is to be what it answers now",
		RunE: func(c *cobra.Command, args []string) error {
			s, err := load(c.Flags())
			if err != nil {
				return err
			}
			if s.Pace < 0 {
				return &usageError{fmt.Errorf("--pace %v is negative; 0 is no pause", s.Pace)}
			}
			if s.Record != "" {
				if err := session.CheckRecording(s.Record); err != nil {
					return s.wrong("record", err)
				}
			}
			if len(args) == 0 {
				args = []string{"walkthrough"}
			}
			return runDemo(c.Context(), args, s)
		},
	}
	f := c.Flags()
	f.Duration("pace", 0, "a pause of this `DURATION` before each step, which is then typed key by key")
	f.Bool("step", false, "show each step and wait for Enter before it is played")
	f.Bool("verbose", false, "show each node's events as they happen, and how long steps took that were not done at once")
	f.String("record", "", "record to a `FILE`: .cast for asciinema, .svg for a picture; at 700ms if no pace is given")
	f.Bool("update", false, "rewrite the expectations in FILE that are not what was answered")
	f.Bool("verdict", false, "judge each session at its end; fail if a promise was broken")
	f.Bool("no-color", false, "no colours (NO_COLOR does the same)")
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
func runDemo(ctx context.Context, names []string, s settings) (err error) {
	ctx, sig := catch(ctx)
	defer sig.stop()
	sig.patient.Store(true)
	opt, err := s.options(term.IsTerminal(int(os.Stdout.Fd())))
	if err != nil {
		return err
	}
	all := make([]*session.Script, 0, len(names))
	for _, name := range names {
		script, err := readSession(name)
		if err != nil {
			return err
		}
		if s.Update && comesAlong(name) {
			return fmt.Errorf("%s comes along with the program and has no file to update; give the path of one", name)
		}
		all = append(all, script)
	}
	cfg := session.DefaultConfig()
	cfg.Hurry = sig.Hurry
	if cfg.Exe, err = os.Executable(); err != nil {
		return err
	}
	cfg.Env, cfg.Temp, cfg.Out, cfg.Color = os.Environ(), os.TempDir(), os.Stdout, opt.Color
	cfg.Pace, cfg.Verbose, cfg.Update, cfg.Verdict = s.Pace, s.Verbose, s.Update, s.Verdict
	if s.Step {
		if term.IsTerminal(int(os.Stderr.Fd())) {
			fmt.Fprintln(os.Stderr, "Enter plays the step that is shown; Ctrl-C ends the session")
		}
		restore := prompt.Quiet(os.Stdin) // Enter is not to break the transcript's lines
		defer restore()
		sig.restore.Store(&restore)
		cfg.Next = enterKey(os.Stdin)
	}
	told, failures := io.Writer(os.Stdout), io.Writer(os.Stderr)
	if s.Record != "" {
		if cfg.Record, err = record(s, all[0].Title); err != nil {
			return fmt.Errorf("cannot record: %w", err)
		}
		defer func() {
			if closed := cfg.Record.Close(err == nil); closed != nil {
				fmt.Fprintf(os.Stderr, "parking: %s: %s\n", s.Record, repl.Plain(closed))
				err = cmp.Or(err, error(exitError(exitFailed)))
			}
		}()
		told, failures = io.MultiWriter(told, cfg.Record), io.MultiWriter(failures, cfg.Record)
	}
	var failed error
	for i, script := range all {
		r := session.Run(ctx, cfg, script)
		if r.Err != nil {
			failed = exitError(exitFailed)
		}
		if errors.Is(r.Err, syscall.EPIPE) {
			break // nobody reads
		}
		if r.Err != nil && !r.Interrupted() {
			fmt.Fprintln(failures, r.Err)
		}
		fmt.Fprintln(told, r)
		if ctx.Err() != nil {
			break
		}
		if r.Updated() > 0 {
			if err := r.Save(names[i]); err != nil {
				return err
			}
			fmt.Fprintf(told, "%s: updated lines: %d\n", names[i], r.Updated())
		}
	}
	return sig.exit(failed)
}

// recordPace is that of a recording if none is given.
const recordPace = 700 * time.Millisecond

// record begins the recording that the settings ask for.
func record(s settings, title string) (*session.Recording, error) {
	cfg := session.RecordConfig{
		Path: s.Record, Title: title, Width: 100, Height: 30,
		Term: os.Getenv("TERM"), Shell: os.Getenv("SHELL"),
		Color: !s.NoColor && os.Getenv("NO_COLOR") == "", Pace: recordPace,
	}
	if s.given("pace") {
		cfg.Pace = s.Pace
	}
	if w, h, err := term.GetSize(int(os.Stdout.Fd())); err == nil && w > 0 && h > 0 {
		cfg.Width, cfg.Height = w, h
	}
	return session.Record(cfg)
}

// comesAlong reports whether a session of that name is in the program.
func comesAlong(name string) bool { return slices.Contains(scripts.Names(), name) }

// readSession parses the session of that name, or the file at that path.
func readSession(name string) (*session.Script, error) {
	var f io.ReadCloser
	var err error
	file := name
	if comesAlong(name) {
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

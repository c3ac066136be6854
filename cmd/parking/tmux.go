package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// tmuxPatience bounds a command of tmux; they take milliseconds.
const tmuxPatience = 10 * time.Second

// there reports whether the lab's own server runs.
func (l *lab) there() bool {
	if l.inside {
		return false
	}
	_, err := l.ask("has-session")
	return err == nil
}

// command is how one types a command to the lab's own server.
func (l *lab) command(name string) string { return "tmux -L " + l.name + " " + name }

// run has tmux run commands, one after another until one fails, and returns
// what they print. They are handed over by standard input: everybody on the
// host can see a process's arguments, and the panes' environment has secrets.
func (l *lab) run(commands ...[]string) (string, error) {
	var line strings.Builder
	for i, c := range commands {
		if i > 0 {
			line.WriteString(";")
		}
		for _, word := range c {
			line.WriteString(" " + tmuxQuote(word))
		}
	}
	args := []string{"source-file", "-"}
	if !l.inside {
		args = append([]string{"start-server", ";"}, args...)
	}
	return l.tell(line.String(), args...)
}

// tmuxQuote returns the word as tmux reads it from a file.
func tmuxQuote(word string) string {
	var b strings.Builder
	for _, c := range []byte(word) {
		if c < ' ' || c > '}' || strings.IndexByte(`"\$`, c) >= 0 {
			fmt.Fprintf(&b, `\%03o`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return `"` + b.String() + `"`
}

// ask has tmux run one command without secrets and returns what it prints.
func (l *lab) ask(command ...string) (string, error) { return l.tell("", command...) }

// tell runs tmux with that standard input and returns what it prints. It is not
// interrupted half-way, and ends soon.
func (l *lab) tell(input string, args ...string) (string, error) {
	if !l.inside {
		args = append([]string{"-L", l.name}, args...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), tmuxPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, l.tmux, args...)
	cmd.Stdin = strings.NewReader(input)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = time.Second // for what a server that it has started may hold open
	err := cmd.Run()
	switch {
	case err == nil:
		return out.String(), nil
	case ctx.Err() != nil:
		return "", errors.New("tmux does not answer; end it, or try again")
	case errs.Len() == 0: // where a file's faults are not told
		return "", tmuxError(err, out.String())
	}
	return "", tmuxError(err, errs.String())
}

// needed is what to do about a tmux that does not understand.
const needed = "lab needs tmux 3.1 or later"

// tmuxError says in a line what tmux has said and, where that is known, what to
// do.
func tmuxError(err error, said string) error {
	first, _, _ := strings.Cut(strings.TrimSpace(said), "\n")
	first = strings.TrimPrefix(first, "-:1: ") // of standard input, which nobody has typed
	hint := ""
	switch {
	case first == "":
		return fmt.Errorf("tmux: %w", err)
	case strings.Contains(first, "no space"):
		hint = "; enlarge the terminal, or start fewer nodes"
	case strings.Contains(first, "unsuitable terminal"):
		hint = "; set TERM to a terminal that this host knows"
	case strings.Contains(first, "usage"), strings.Contains(first, "unknown"), strings.Contains(first, "invalid"),
		strings.HasPrefix(first, "-: "): // no file of that name
		hint = "; " + needed
	}
	return fmt.Errorf("tmux: %.200s%s", first, hint)
}

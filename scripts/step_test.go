package scripts_test

import (
	"io"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"
)

func TestEnterGoesOn(t *testing.T) {
	t.Parallel()
	const text = "start larry\nlarry> status\nlarry> spaces\n"
	for name, c := range map[string]struct {
		input string
		code  int
		says  string
	}{
		"to the end": {"\nyes\n\n", 0, ""},
		"not at all": {"", 1, ":1: standard input has ended before this step; --step wants Enter for each\n"},
		"part way":   {"\n\nlast", 1, ":3: standard input has ended before this step; --step wants Enter for each\n"},
	} {
		t.Run(name, func(t *testing.T) {
			file := write(t, text)
			d := prepare(t, file, "--step")
			d.Stdin = strings.NewReader(c.input)
			d.begin(t)
			got := d.ends(t, c.code)
			if !strings.HasSuffix(d.stderr.String(), c.says) || strings.Count(d.stderr.String(), "\n") != strings.Count(c.says, "\n") {
				t.Errorf("it says %q", d.stderr.String())
			}
			if c.code == 0 && !strings.HasPrefix(got, "start larry\nlarry> status\n node ") {
				t.Errorf("the transcript is\n%s", got)
			}
		})
	}
}

func TestAnInterruptInsteadOfEnter(t *testing.T) {
	t.Parallel()
	d := prepare(t, write(t, "start larry\nlarry> status\nlarry> spaces\n"), "--step")
	keys, err := d.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	d.begin(t)
	if _, err := io.WriteString(keys, "\n\n"); err != nil {
		t.Fatal(err)
	}
	before := d.read(t, "0s") // the end of the status
	if err := d.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if got := before + d.ends(t, 130); !strings.HasSuffix(strings.TrimRight(got, "\n"), "s, interrupted") {
		t.Errorf("the transcript is\n%s", got)
	}
}

// A terminal echoes no Enter into the transcript, and does so again afterwards.
func TestStepsAtATerminal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		keys string
		code int
		want string
		left int // directories of the run
	}{
		"to the end":   {"\n\n", 0, "start larry\nlarry> spaces\n100 spaces: 0 taken, 100 free\ntest: 2 steps, 0 checks, ", 0},
		"end of input": {"\x04", 1, "start larry\n", 0},
		"an interrupt": {"\x03", 130, "start larry", 0},
		"no stop":      {"\x1a\n\n", 0, "start larry\nlarry> spaces\n", 0},
		"a dump":       {"\x1c", 2, "start larry", 1},
	} {
		t.Run(name, func(t *testing.T) {
			keyboard, tty, err := pty.Open()
			if err != nil {
				t.Skip(err)
			}
			defer keyboard.Close()
			defer tty.Close()
			before, err := term.GetState(int(tty.Fd()))
			if err != nil {
				t.Fatal(err)
			}
			d := prepare(t, write(t, "start larry\nlarry> spaces\n"), "--step", "--no-color")
			d.Stdin, d.Stdout = tty, tty
			// Only what a shell that controls jobs has started can be stopped.
			d.Path, d.Args = "/bin/sh", append([]string{"sh", "-mc", `"$@"; exit $?`, "sh"}, d.Args...)
			d.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			if err := d.Start(); err != nil {
				t.Fatal(err)
			}
			slow := time.AfterFunc(30*time.Second, func() { _ = d.Process.Kill(); tty.Close() })
			defer slow.Stop()
			first := make([]byte, len("start larry"))
			if _, err := io.ReadFull(keyboard, first); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(keyboard, c.keys); err != nil {
				t.Fatal(err)
			}
			_ = d.Wait()
			if got := d.ProcessState.ExitCode(); got != c.code {
				t.Errorf("exit code %d, want %d; it says %s", got, c.code, d.stderr.String())
			}
			awaitState(t, tty, before)
			if left, err := os.ReadDir(d.temp); err != nil || len(left) != c.left {
				t.Errorf("the demo left %v, %v", left, err)
			}
			tty.Close()
			shown, _ := io.ReadAll(keyboard) // its error is the terminal's end
			if got := strings.ReplaceAll(string(first)+string(shown), "\r\n", "\n"); !strings.HasPrefix(got, c.want) {
				t.Errorf("the terminal shows\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// awaitState waits until the terminal is as it was before.
func awaitState(t *testing.T, tty *os.File, before *term.State) {
	t.Helper()
	until := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		now, err := term.GetState(int(tty.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		if reflect.DeepEqual(now, before) {
			return
		}
		select {
		case <-tick.C:
		case <-until:
			t.Fatal("the terminal is not as it was before")
		}
	}
}

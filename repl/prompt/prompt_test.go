package prompt

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestExec(t *testing.T) {
	s := start(t, 16, 60, "")
	s.send("say hello\r")
	s.prompt()
	s.rows("larry> say hello", "said hello", "larry>")
	s.reported("remember say hello")
	s.send("\r")
	s.rows("larry> say hello", "said hello", "larry>", "larry>")
	s.send("quit\r")
	s.returned(nil)
	s.executed("say hello", "quit")
}

func TestCtrlCClearsLine(t *testing.T) {
	s := start(t, 16, 60, "")
	s.send("say nothing")
	s.row("larry> say nothing", 18)
	s.send(left + "\x03")
	s.prompt()
	s.rows("larry> say nothing^C", "larry>")
	s.send("\x03")
	s.rows("larry> say nothing^C", "larry> ^C", "larry>")
	s.send("say on\r")
	s.reported("exec say on")
	s.notReported("exec say nothing")
}

func TestCtrlCCancelsCommand(t *testing.T) {
	s := start(t, 16, 60, "")
	s.send("wait\r")
	s.bottom("larry> wait", "waiting")
	s.send("say lost\r") // typed ahead, as in the rest of a paste
	s.send("\x03")
	s.rows("larry> wait", "waiting", "cancelled", "larry>")
	s.prompt()
	s.send("say on\r")
	s.reported("exec say on")
	s.notReported("exec say lost")
}

// A Ctrl-C as a command begins ends it, whether it was typed as a key, as a
// signal or in between. Which it is, time decides.
func TestCtrlCAsCommandBegins(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	s := start(t, 16, 60, "")
	for range 50 {
		s.send("wait\r")
		s.wait("the line's end", func() bool { return s.vt.cursorRow() == "" || s.vt.cursorRow() == "waiting" })
		for until := time.Now().Add(time.Duration(random.IntN(200)) * time.Microsecond); time.Now().Before(until); {
			runtime.Gosched()
		}
		s.send("\x03")
		s.prompt()
		s.send("say on\r")
		s.bottom("said on", "larry>")
		s.prompt()
	}
}

func TestTypeAhead(t *testing.T) {
	s := start(t, 16, 60, "")
	s.send("wait\r")
	s.bottom("waiting")
	s.send("\x1a\x1c") // Ctrl-Z and Ctrl-\ do nothing
	s.send("say kept\rhalf")
	s.order("event meanwhile")
	s.reported("sent meanwhile")
	s.order("release")
	s.rows("larry> wait", "waiting", "meanwhile", "larry> say kept", "said kept", "larry> half")
	s.row("larry> half", 11)
}

func TestCommandReadsTerminal(t *testing.T) {
	s := start(t, 16, 60, "")
	s.send("ask\r")
	s.bottom("name?")
	s.send("larry\r")
	s.rows("larry> ask", "name?", `hello "larry\r"`, "larry>")
	s.send("say on\r")
	s.reported("exec say on")
}

func TestPanicInExec(t *testing.T) {
	s := start(t, 16, 60, "")
	s.send("panic\r")
	s.reported("panic as ordered")
	s.returned(nil)
}

func TestPanicInComplete(t *testing.T) {
	s := start(t, 16, 60, "")
	s.send("bang")
	s.reported("panic no suggestions")
	s.returned(nil)
}

func TestContext(t *testing.T) {
	t.Run("idle", func(t *testing.T) {
		s := start(t, 16, 60, "")
		s.send("ga\t")
		s.row("larry> gate", 11)
		s.order("cancel")
		s.returned(context.Canceled)
		s.rows("larry> gate")
	})
	t.Run("command", func(t *testing.T) {
		s := start(t, 16, 60, "")
		s.send("wait\r")
		s.bottom("waiting")
		s.order("cancel")
		s.returned(context.Canceled)
		s.rows("larry> wait", "waiting", "cancelled")
	})
}

func TestTerminalGone(t *testing.T) {
	t.Run("idle", func(t *testing.T) {
		s := start(t, 16, 60, "")
		s.send("half")
		s.row("larry> half", 11)
		must(t, s.pty.Close())
		s.reported("return <nil>, restored true, leak <nil>")
	})
	t.Run("command", func(t *testing.T) {
		s := start(t, 16, 60, "")
		s.send("wait\r")
		s.bottom("waiting")
		must(t, s.pty.Close())
		s.order("release")
		s.reported("return <nil>, restored true, leak <nil>")
	})
}

func TestRestore(t *testing.T) {
	s := start(t, 16, 60, "")
	s.send("ga\t")
	s.row("larry> gate", 11)
	if modes(t, s.pty) == s.before {
		t.Error("the modes at the prompt are those before")
	}
	s.order("die")
	var exit *exec.ExitError
	if err := s.cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("exit: %v", err)
	}
	s.wait("end of bracketed paste", func() bool { return !s.vt.paste && !s.vt.hidden })
	s.rows("larry> gate") // and no menu
	if modes(t, s.pty) != s.before {
		t.Error("the modes were not restored")
	}
}

func TestRunWithinRun(t *testing.T) {
	s := start(t, 16, 60, "")
	s.send("nest\r")
	s.reported("nested " + ErrRunning.Error())
	s.prompt()
	s.send("say on\r")
	s.reported("exec say on")
}

func TestNotTerminal(t *testing.T) {
	r, w, err := os.Pipe()
	must(t, err)
	defer r.Close()
	defer w.Close()
	err = Run(t.Context(), Config{
		In: r, Out: w,
		Prompt: func() string { return "" },
		Exec:   func(context.Context, string) bool { return true },
	})
	if !errors.Is(err, ErrNotTerminal) {
		t.Errorf("Run: %v", err)
	}
	Restore()
}

// A shell that takes the terminal while the program is stopped leaves it in
// modes of its own.
func TestStoppedAndContinued(t *testing.T) {
	s := start(t, 16, 60, "")
	s.send("half")
	s.row("larry> half", 11)
	must(t, s.cmd.Process.Signal(syscall.SIGSTOP))
	var status unix.WaitStatus
	_, err := unix.Wait4(s.cmd.Process.Pid, &status, unix.WUNTRACED, nil)
	must(t, err)
	control(t, s.pty, func(fd int) error { return unix.IoctlSetTermios(fd, setTermios, &s.before) })
	must(t, s.cmd.Process.Signal(syscall.SIGCONT))
	s.send(left + "x")
	s.row("larry> halxf", 11)
	s.send("\r")
	s.reported("exec halxf")
	s.prompt()
	s.send("\x04")
	s.returned(nil)
}

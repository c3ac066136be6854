package prompt

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// patience bounds every wait of a test, on a machine busy with other things.
const patience = 20 * time.Second

// A terminalTest is a helper under a pseudo-terminal.
type terminalTest struct {
	t      *testing.T
	pty    *os.File
	cmd    *exec.Cmd
	orders *os.File
	before unix.Termios // the modes at the start

	mu      sync.Mutex
	changed chan struct{} // closed and replaced at each change below
	vt      *vt
	reports []string
	gate    sync.Mutex // held while the terminal is not to read
}

// start starts a helper in a window of that size and waits for its prompt.
func start(t *testing.T, rows, cols uint16, mode string) *terminalTest {
	t.Helper()
	t.Parallel()
	master, slave := openPTY(t)
	setSize(t, master, int(rows), int(cols))
	before := modes(t, slave)
	ordersIn, orders, err := os.Pipe()
	must(t, err)
	reports, reportsOut, err := os.Pipe()
	must(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"="+mode, "GORACE=atexit_sleep_ms=0")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.ExtraFiles = []*os.File{ordersIn, reportsOut}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	must(t, cmd.Start())
	slave.Close()
	ordersIn.Close()
	reportsOut.Close()

	s := &terminalTest{
		t: t, pty: master, cmd: cmd, orders: orders, before: before,
		vt: newVT(int(rows), int(cols)), changed: make(chan struct{}),
	}
	var readers sync.WaitGroup
	readers.Go(s.readTerminal)
	readers.Go(func() { s.readReports(reports) })
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		orders.Close()
		master.Close()
		reports.Close()
		readers.Wait()
	})
	s.prompt()
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// openPTY returns both ends of a pseudo-terminal. The first is such that Close
// ends a read, which pty.Open's is not.
func openPTY(t *testing.T) (master, slave *os.File) {
	t.Helper()
	blocking, slave, err := pty.Open()
	must(t, err)
	defer blocking.Close()
	fd, err := unix.FcntlInt(blocking.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	must(t, err)
	must(t, unix.SetNonblock(fd, true))
	return os.NewFile(uintptr(fd), "pty"), slave
}

// control calls f with the descriptor of file. (Fd would make it block.)
func control(t *testing.T, file *os.File, f func(fd int) error) {
	t.Helper()
	conn, err := file.SyscallConn()
	must(t, err)
	must(t, conn.Control(func(fd uintptr) { err = f(int(fd)) }))
	must(t, err)
}

func setSize(t *testing.T, f *os.File, rows, cols int) {
	t.Helper()
	control(t, f, func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(rows), Col: uint16(cols)})
	})
}

// modes returns the modes of the pseudo-terminal with that end.
func modes(t *testing.T, f *os.File) (m unix.Termios) {
	t.Helper()
	control(t, f, func(fd int) error {
		now, err := unix.IoctlGetTermios(fd, getTermios)
		if err == nil {
			m = *now
		}
		return err
	})
	return m
}

// stick makes the terminal stop reading, until resume is called.
func (s *terminalTest) stick() (resume func()) {
	s.gate.Lock()
	resume = sync.OnceFunc(s.gate.Unlock)
	s.t.Cleanup(resume)
	return resume
}

// readTerminal shows what the helper writes, until EOF, for which a
// pseudo-terminal has EIO.
func (s *terminalTest) readTerminal() {
	buf := make([]byte, 1024)
	for {
		s.gate.Lock()
		s.gate.Unlock() //nolint:staticcheck // waits until resume
		n, err := s.pty.Read(buf)
		s.update(func() { s.vt.write(buf[:n]) })
		if err != nil {
			return
		}
	}
}

func (s *terminalTest) readReports(f *os.File) {
	in := bufio.NewScanner(f)
	for in.Scan() {
		s.update(func() { s.reports = append(s.reports, in.Text()) })
	}
}

func (s *terminalTest) update(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	close(s.changed)
	s.changed = make(chan struct{})
}

// wait waits until the condition holds, which is called with s.mu held.
func (s *terminalTest) wait(what string, condition func() bool) {
	s.t.Helper()
	late := time.After(patience)
	for {
		s.mu.Lock()
		ok, changed := condition(), s.changed
		s.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-late:
			s.mu.Lock()
			defer s.mu.Unlock()
			s.t.Fatalf("no %s\ncursor %d,%d\nscreen:\n%s\nreports:\n%s", what, s.vt.x, s.vt.y,
				strings.Join(s.vt.screen(), "\n"), strings.Join(s.reports, "\n"))
		}
	}
}

// row waits until the cursor is in a row with that text, in that column.
func (s *terminalTest) row(text string, column int) {
	s.t.Helper()
	s.wait(fmt.Sprintf("cursor in column %d of %q", column, text), func() bool {
		return s.vt.cursorRow() == text && s.vt.x == column && !s.vt.hidden
	})
}

// prompt waits for an empty prompt.
func (s *terminalTest) prompt() {
	s.t.Helper()
	s.row("larry>", 7)
}

// bottom waits until these are the last rows of the screen.
func (s *terminalTest) bottom(rows ...string) {
	s.t.Helper()
	want := strings.Join(rows, "\n")
	s.wait("bottom rows:\n"+want, func() bool {
		return strings.HasSuffix("\n"+strings.Join(s.vt.screen(), "\n"), "\n"+want)
	})
}

// rows waits until these are all rows there ever were.
func (s *terminalTest) rows(rows ...string) {
	s.t.Helper()
	want := strings.Join(rows, "\n")
	s.wait("rows:\n"+want, func() bool { return strings.Join(s.vt.all(), "\n") == want })
}

// reported waits for a report.
func (s *terminalTest) reported(want string) {
	s.t.Helper()
	s.wait("report "+want, func() bool {
		for _, r := range s.reports {
			if r == want {
				return true
			}
		}
		return false
	})
}

// notReported fails the test if there is such a report by now.
func (s *terminalTest) notReported(prefix string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.reports {
		if strings.HasPrefix(r, prefix) {
			s.t.Errorf("report %q", r)
		}
	}
}

// executed waits until these are all lines that were executed. (What the screen
// shows may be here before the report of it.)
func (s *terminalTest) executed(want ...string) {
	s.t.Helper()
	s.wait(fmt.Sprintf("execution of %q", want), func() bool {
		var lines []string
		for _, r := range s.reports {
			if line, ok := strings.CutPrefix(r, "exec "); ok {
				lines = append(lines, line)
			}
		}
		return slices.Equal(lines, want)
	})
}

func (s *terminalTest) send(keys string) {
	s.t.Helper()
	_, err := s.pty.WriteString(keys)
	must(s.t, err)
}

func (s *terminalTest) order(format string, args ...any) {
	s.t.Helper()
	_, err := fmt.Fprintf(s.orders, format+"\n", args...)
	must(s.t, err)
}

func (s *terminalTest) resize(rows, cols int) {
	s.t.Helper()
	s.update(func() { s.vt.resize(rows, cols) })
	setSize(s.t, s.pty, rows, cols)
}

// returned waits until Run has returned in good order: with that error, the
// terminal as it was and no goroutine left.
func (s *terminalTest) returned(err error) {
	s.t.Helper()
	s.reported(fmt.Sprintf("return %v, restored true, leak <nil>", err))
	s.wait("end of bracketed paste, and a cursor", func() bool { return !s.vt.paste && !s.vt.hidden })
	if err := s.cmd.Wait(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Error(err)
	}
}

package prompt

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// patience bounds every wait of a test, on a machine busy with other things.
const patience = 20 * time.Second

// helperEnv makes the test binary the program under the pseudo-terminal.
const helperEnv = "PROMPT_TEST_HELPER"

func TestMain(m *testing.M) {
	if mode, ok := os.LookupEnv(helperEnv); ok {
		os.Exit(helper(mode))
	}
	goleak.VerifyTestMain(m)
}

// A report is written by the helper for the test, one to a line.
type report struct {
	mu sync.Mutex
	f  *os.File
}

func (r *report) printf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(r.f, format+"\n", args...)
}

// What obey tells the rest of the helper.
var (
	release   = make(chan struct{})
	cancelled atomic.Value // the time
)

// helper runs a prompt whose surroundings the test commands: it reads orders
// from descriptor 3 and writes reports to descriptor 4.
func helper(mode string) (code int) {
	orders, out := os.NewFile(3, "orders"), &report{f: os.NewFile(4, "reports")}
	signal.Ignore(syscall.SIGHUP)
	before, err := unix.IoctlGetTermios(0, getTermios)
	if err != nil {
		out.printf("error %v", err)
		return 1
	}
	ctx, cancel := context.WithCancel(context.Background())
	events := make(chan string)
	go obey(orders, events, cancel, out)
	cfg := Config{
		In: os.Stdin, Out: os.Stdout,
		Prompt: func() string { return "larry> " },
		Color:  Cyan, NoColor: mode == "nocolor",
		Exec:     func(ctx context.Context, line string) bool { return execute(ctx, line, out) },
		Complete: suggest,
		Events:   events, Resize: ticks(syscall.SIGWINCH), Interrupt: ticks(syscall.SIGINT),
		History:  []string{"say one", `enter "OLD 1" 3`, "say two"},
		Remember: func(line string) { out.printf("remember %s", line) },
	}
	others := goleak.IgnoreCurrent()
	err = run(ctx, cfg, out)
	if t, ok := cancelled.Load().(time.Time); ok {
		out.printf("latency %d", time.Since(t).Milliseconds())
	}
	// A terminal that is gone has no modes to compare.
	after, gone := unix.IoctlGetTermios(0, getTermios)
	restored := gone != nil || *before == *after
	out.printf("return %v, restored %v, leak %v", err, restored, goleak.Find(others))
	return 0
}

// run reports the panic, if any, with which Run ended.
func run(ctx context.Context, cfg Config, out *report) error {
	defer func() {
		if p := recover(); p != nil {
			out.printf("panic %v", p)
		}
	}()
	return Run(ctx, cfg)
}

func obey(orders *os.File, events chan<- string, cancel context.CancelFunc, out *report) {
	in := bufio.NewScanner(orders)
	for in.Scan() {
		order, arg, _ := strings.Cut(in.Text(), " ")
		switch order {
		case "event":
			events <- arg
			out.printf("sent %s", arg)
		case "burst": // number, events per second, length of a tail
			var n, rate, tail int
			fmt.Sscan(arg, &n, &rate, &tail)
			tick := time.NewTicker(time.Second / time.Duration(rate))
			for i := range n {
				<-tick.C
				events <- "event " + strconv.Itoa(i) + strings.Repeat(".", tail)
			}
			tick.Stop()
			out.printf("sent %d", n)
		case "release":
			release <- struct{}{}
		case "cancel":
			cancelled.Store(time.Now())
			cancel()
		case "close":
			close(events)
		case "die":
			Restore()
			Restore()
			os.Exit(7)
		}
	}
}

func execute(ctx context.Context, line string, out *report) (quit bool) {
	out.printf("exec %s", line)
	command, arg, _ := strings.Cut(line, " ")
	switch command {
	case "say":
		fmt.Println("said " + arg)
	case "wait":
		fmt.Println("waiting")
		select {
		case <-ctx.Done():
			fmt.Println("cancelled")
		case <-release:
		}
	case "panic":
		panic("as ordered")
	case "quit":
		return true
	}
	return false
}

func suggest(before string) []Suggestion {
	if strings.Count(before, `"`)%2 == 1 {
		return matching(before[strings.LastIndex(before, `"`)+1:], []Suggestion{
			{`ABC 123"`, "in the lot"}, {`ABD 77"`, "in the lot"}, {`XYZ"`, "gone"},
		})
	}
	if strings.HasPrefix(before, "bang") {
		panic("no suggestions")
	}
	return matching(before[strings.LastIndex(before, " ")+1:], []Suggestion{
		{"enter", "a vehicle enters"}, {"exit", "a vehicle leaves"},
		{"gate", "one gate"}, {"gates", "all gates"}, {"help", "this list"},
		{"quit", "leave"}, {"read", "what is in the lot"}, {"say", "something"},
	})
}

func matching(prefix string, all []Suggestion) (some []Suggestion) {
	for _, s := range all {
		if strings.HasPrefix(s.Text, prefix) {
			some = append(some, s)
		}
	}
	return some
}

func ticks(sig os.Signal) <-chan struct{} {
	signals, c := make(chan os.Signal, 1), make(chan struct{}, 1)
	signal.Notify(signals, sig)
	go func() {
		for range signals {
			select {
			case c <- struct{}{}:
			default:
			}
		}
	}()
	return c
}

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
		s.gate.Unlock()
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

// executed returns the lines executed so far.
func (s *terminalTest) executed() (lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.reports {
		if line, ok := strings.CutPrefix(r, "exec "); ok {
			lines = append(lines, line)
		}
	}
	return lines
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

// latency checks how long Run took to return after its context was done. The
// bound leaves room for a busy machine.
func (s *terminalTest) latency() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.reports {
		var ms int
		if n, _ := fmt.Sscanf(r, "latency %d", &ms); n == 1 {
			s.t.Logf("returned after %d ms", ms)
			if ms > 1000 {
				s.t.Errorf("returned after %d ms", ms)
			}
			return
		}
	}
	s.t.Error("no latency reported")
}

package scripts_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"parking/node/discover"
	"parking/scripts"
)

// parking is the path of the program, built for these tests.
var parking string

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "parking-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	parking = filepath.Join(dir, "parking")
	if out, err := exec.Command("go", "build", "-o", parking, "parking/cmd/parking").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// A demo is a run of parking demo. Its temporary directory is its own.
type demo struct {
	*exec.Cmd
	temp   string
	stdout io.Closer
	lines  *bufio.Scanner // of stdout
	stderr strings.Builder
}

func start(t *testing.T, args ...string) *demo {
	t.Helper()
	d := prepare(t, args...)
	d.begin(t)
	return d
}

// prepare returns a demo that has not begun.
func prepare(t *testing.T, args ...string) *demo {
	t.Helper()
	temp, err := os.MkdirTemp("/tmp", "demo") // t.TempDir is too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(temp) })
	d := &demo{Cmd: exec.Command(parking, append([]string{"demo"}, args...)...), temp: temp}
	d.Env = append(os.Environ(), "TMPDIR="+temp)
	d.Stderr = &d.stderr
	return d
}

func (d *demo) begin(t *testing.T) {
	t.Helper()
	stdout, err := d.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	d.stdout, d.lines = stdout, bufio.NewScanner(stdout)
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Process.Kill(); _ = d.Wait() })
}

// read returns the transcript up to a line that ends in last, or to its end,
// and fails if that takes long.
func (d *demo) read(t *testing.T, last string) string {
	t.Helper()
	slow := time.AfterFunc(30*time.Second, func() { _ = d.Process.Kill() })
	defer slow.Stop()
	var text strings.Builder
	for d.lines.Scan() {
		fmt.Fprintln(&text, d.lines.Text())
		if last != "" && strings.HasSuffix(d.lines.Text(), last) {
			return text.String()
		}
	}
	if last != "" {
		t.Fatalf("the demo ended before %q:\n%s%s", last, text.String(), d.stderr.String())
	}
	return text.String()
}

// ends waits for the end of the demo, and checks its exit code and that
// nothing is left of it.
func (d *demo) ends(t *testing.T, code int) (transcript string) {
	t.Helper()
	transcript = d.read(t, "")
	_ = d.Wait()
	if got := d.ProcessState.ExitCode(); got != code {
		t.Errorf("exit code %d, want %d\n%s%s", got, code, transcript, d.stderr.String())
	}
	if left, err := os.ReadDir(d.temp); err != nil || len(left) > 0 {
		t.Errorf("the demo left %v, %v", left, err)
	}
	for _, pid := range processes(transcript) {
		if !isGone(pid) {
			t.Errorf("the demo left the process %d", pid)
		}
	}
	return transcript
}

// processes returns the processes that the status of nodes told.
func processes(transcript string) (pids []int) {
	for _, m := range regexp.MustCompile(`(?m)^ *process +([0-9]+)$`).FindAllStringSubmatch(transcript, -1) {
		pid, _ := strconv.Atoi(m[1])
		pids = append(pids, pid)
	}
	return pids
}

func isGone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

// awaitGone waits until there is no such process.
func awaitGone(t *testing.T, pid int) {
	t.Helper()
	until := time.After(20 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !isGone(pid) {
		select {
		case <-tick.C:
		case <-until:
			t.Fatalf("the process %d still runs", pid)
		}
	}
}

// write returns the path of a file with that session.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test"+scripts.Ext)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// text returns an embedded session's.
func text(t *testing.T, name string) string {
	t.Helper()
	f, err := scripts.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWithoutArgumentsItIsTheWalkThrough(t *testing.T) {
	t.Parallel()
	title, _, _ := strings.Cut(text(t, "walkthrough"), "\n")
	if got := start(t).ends(t, 0); !strings.HasPrefix(got, strings.TrimPrefix(title, "# ")+"\n") {
		t.Errorf("the transcript is\n%s", got)
	}
}

func TestHelpListsTheSessions(t *testing.T) {
	t.Parallel()
	help := start(t, "--help").ends(t, 0)
	for _, name := range scripts.Names() {
		title, _, _ := strings.Cut(text(t, name), "\n")
		if want := regexp.MustCompile(name + ` +` + strings.TrimPrefix(title, "# ")); !want.MatchString(help) {
			t.Errorf("no %q with its title in\n%s", name, help)
		}
	}
}

func TestWhatCannotBePlayed(t *testing.T) {
	t.Parallel()
	file := write(t, "start larry\nlary> read\n")
	notes := filepath.Join(t.TempDir(), "notes.md")
	if err := os.WriteFile(notes, []byte("# Notes\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ arg, want string }{
		{file, file + ":2: \"lary\" does not run here"},
		{"nowhere", "there is no file \"nowhere\", nor is it one of the sessions that come along: clock, crash, failover, "},
		{notes, notes + ": the page has no session; it would stand in fenced blocks that begin with ```parking"},
		{os.TempDir(), "is a directory"},
	} {
		d := start(t, "walkthrough", c.arg) // nothing is played when something cannot be
		if got := d.ends(t, 1); got != "" || !strings.Contains(d.stderr.String(), c.want) || strings.Count(d.stderr.String(), "\n") != 1 {
			t.Errorf("demo %s says\n%s%s", c.arg, got, d.stderr.String())
		}
	}
}

// waiting is a session that tells its nodes' processes and waits for long.
const waiting = "start larry gary\nlarry> status\ngary> status\nlarry> await vehicle NONE 25s\n"

func TestASignalCleansUp(t *testing.T) {
	t.Parallel()
	for sig, code := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		d := start(t, write(t, waiting))
		before := d.read(t, "25s")
		if err := d.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		if got := before + d.ends(t, code); !strings.Contains(got, ", interrupted\n") {
			t.Errorf("%v: the transcript is\n%s", sig, got)
		}
	}
}

func TestAFrozenNodeIsCleanedUp(t *testing.T) {
	for how, second := range map[string]os.Signal{
		"after its time to leave":     nil,
		"at once, on a second signal": syscall.SIGTERM,
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			d := start(t, write(t, waiting))
			pids := processes(d.read(t, "25s"))
			if len(pids) != 2 {
				t.Fatalf("the nodes' processes are %v", pids)
			}
			larry, gary := pids[0], pids[1]
			if err := syscall.Kill(larry, syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			if err := d.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			if second != nil {
				// Which of two signals at once arrives first is not defined.
				awaitGone(t, gary)
				if err := d.Process.Signal(second); err != nil {
					t.Fatal(err)
				}
			}
			d.ends(t, 130)
			if !isGone(larry) {
				t.Error("the frozen process still runs")
			}
		})
	}
}

func TestNodesEndWithAKilledDemo(t *testing.T) {
	t.Parallel()
	d := start(t, write(t, waiting))
	d.read(t, "25s")
	dirs, err := filepath.Glob(filepath.Join(d.temp, "parking-*"))
	if err != nil || len(dirs) != 1 {
		t.Fatal(dirs, err)
	}
	if nodes, err := discover.List(dirs[0]); err != nil || len(nodes) != 2 {
		t.Fatalf("%v run, %v", nodes, err)
	}
	if err := d.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	until := time.After(20 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		nodes, err := discover.List(dirs[0])
		if err != nil {
			t.Fatal(err)
		}
		if len(nodes) == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-until:
			t.Fatalf("these run on: %v", nodes)
		}
	}
}

func TestATranscriptCutShort(t *testing.T) {
	t.Parallel()
	d := start(t, "walkthrough", "failover")
	d.read(t, "larry> gates")
	d.stdout.Close()
	if _ = d.Wait(); d.ProcessState.ExitCode() != 1 || d.stderr.Len() > 0 {
		t.Errorf("the demo ended with %v and says %s", d.ProcessState, d.stderr.String())
	}
	if left, err := os.ReadDir(d.temp); err != nil || len(left) > 0 {
		t.Errorf("the demo left %v, %v", left, err)
	}
}

package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"parking/node/discover/dns/dnstest"
)

// patience bounds every wait of a test, on a machine busy with other things.
const patience = 30 * time.Second

// TestMain makes this binary the program, too: scripts and terminals run it as
// parking, in processes of its own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"parking": func() {
			if os.Getenv("TEST_NO_NODE") != "" { // there is no use in waiting for one
				firstPane = 0
			}
			os.Exit(run(context.Background(), os.Args[1:]))
		},
	})
}

// endedByHangUps has what a test starts end by HUP, as is the default, though the
// tests themselves may be run by nohup.
func endedByHangUps() {
	if signal.Ignored(syscall.SIGHUP) {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
}

// TestScripts runs the scripts in testdata, each with a home, a runtime
// directory and nodes of its own. Beside testscript's commands there are:
//
//	exits CODE COMMAND...   run a command, which must end with that code
//	node NAME [FLAG...]     start a node whose standard input stays open, and wait until it is ready
//	starting NAME [FLAG...] the same without the wait
//	told NAME REGEXP        wait until the node has written that to standard error
//	signal SIGNAL NAME      send the node a signal
//	ended NAME CODE         wait until the node has ended, with that code
//	gone GLOB               wait until there is no such file
//
// At $NAMESERVER is a name server: lot.test is at 127.0.0.2 and 127.0.0.3, at
// neither of which anybody listens on $PORT yet; _gossip._tcp.lot.test is both.
func TestScripts(t *testing.T) {
	endedByHangUps()
	names, port := dnstest.Start(t), freePort(t)
	srv := "_gossip._tcp.lot.test. SRV 0 0 " + port
	names.Set("lot.test. A 127.0.0.2", "lot.test. A 127.0.0.3", srv+" a.lot.test.", srv+" b.lot.test.",
		"a.lot.test. A 127.0.0.2", "b.lot.test. A 127.0.0.3")
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			home := filepath.Join(e.WorkDir, "home")
			e.Setenv("HOME", home)
			e.Setenv("PARKING_RUNTIME_DIR", filepath.Join(e.WorkDir, "run"))
			e.Setenv("GORACE", "atexit_sleep_ms=0")
			e.Setenv("NAMESERVER", names.Addr)
			e.Setenv("PORT", port)
			s := &script{background: make(map[string]*background)}
			e.Values[scriptKey{}] = s
			e.Defer(s.close)
			return os.MkdirAll(home, 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "node": startNode, "starting": launch, "told": told, "signal": sendSignal, "ended": ended, "gone": gone,
		},
	})
}

// freePort returns a port that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

type scriptKey struct{}

// script is what a script has running.
type script struct{ background map[string]*background }

// background is a node whose standard input is open and silent.
type background struct {
	cmd    *exec.Cmd
	input  io.Closer
	stderr output
	done   chan struct{}
}

func (s *script) close() {
	for _, b := range s.background {
		_ = b.cmd.Process.Kill()
		<-b.done
	}
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended):
		code = ended.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if want, _ := strconv.Atoi(args[0]); code != want {
		ts.Fatalf("it ended with %d, not with %s", code, args[0])
	}
}

func startNode(ts *testscript.TestScript, neg bool, args []string) {
	launch(ts, neg, args)
	told(ts, neg, []string{args[0], "^gates? "})
}

func launch(ts *testscript.TestScript, _ bool, args []string) {
	b := &background{cmd: exec.Command("parking", append([]string{"--sname"}, args...)...), done: make(chan struct{})}
	b.cmd.Dir = ts.Getenv("WORK")
	b.cmd.Env = []string{"PATH=" + ts.Getenv("PATH"), "GORACE=atexit_sleep_ms=0",
		"HOME=" + ts.Getenv("HOME"), "PARKING_RUNTIME_DIR=" + ts.Getenv("PARKING_RUNTIME_DIR")}
	var err error
	if b.input, err = b.cmd.StdinPipe(); err != nil {
		ts.Fatalf("%v", err)
	}
	b.cmd.Stderr = &b.stderr
	ts.Check(b.cmd.Start())
	go func() {
		_ = b.cmd.Wait()
		close(b.done)
	}()
	ts.Value(scriptKey{}).(*script).background[args[0]] = b
}

func nodeOf(ts *testscript.TestScript, name string) *background {
	b := ts.Value(scriptKey{}).(*script).background[name]
	if b == nil {
		ts.Fatalf("no node %s was started", name)
	}
	return b
}

func told(ts *testscript.TestScript, _ bool, args []string) {
	b, want := nodeOf(ts, args[0]), regexp.MustCompile("(?m)"+args[1])
	if !b.stderr.await(func(s string) bool { return want.MatchString(s) }) {
		ts.Fatalf("%s has not told %s, but:\n%s", args[0], want, b.stderr.String())
	}
}

func sendSignal(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(nodeOf(ts, args[1]).cmd.Process.Signal(unix.SignalNum("SIG" + args[0])))
}

func ended(ts *testscript.TestScript, _ bool, args []string) {
	b := nodeOf(ts, args[0])
	select {
	case <-b.done:
	case <-time.After(patience):
		ts.Fatalf("%s goes on:\n%s", args[0], b.stderr.String())
	}
	code := b.cmd.ProcessState.ExitCode()
	if sig := b.cmd.ProcessState.Sys().(syscall.WaitStatus); sig.Signaled() {
		code = 128 + int(sig.Signal())
	}
	if want, _ := strconv.Atoi(args[1]); code != want {
		ts.Fatalf("%s ended with %d, not with %s:\n%s", args[0], code, args[1], b.stderr.String())
	}
}

func gone(ts *testscript.TestScript, _ bool, args []string) {
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if there, _ := filepath.Glob(ts.MkAbs(args[0])); len(there) == 0 {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%s is still there", args[0])
		}
	}
}

// output is what a process has written so far.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.changed != nil {
		close(o.changed)
		o.changed = nil
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// await waits until what was written is as wanted, for as long as a test has
// patience.
func (o *output) await(is func(text string) bool) bool { return o.within(patience, is) }

// within is await, for that long.
func (o *output) within(d time.Duration, is func(text string) bool) bool {
	late := time.After(d)
	for {
		o.mu.Lock()
		if is(o.text.String()) {
			o.mu.Unlock()
			return true
		}
		if o.changed == nil {
			o.changed = make(chan struct{})
		}
		changed := o.changed
		o.mu.Unlock()
		select {
		case <-changed:
		case <-late:
			return false
		}
	}
}

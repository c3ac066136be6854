package attach

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parking/lot"
	"parking/repl"
)

// patience bounds every wait of a test, on a machine busy with other things.
const patience = 20 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// desk is a session that answers "echo X" with X, blocks on "block" until its
// context ends, dies on "die" and refuses everything else. Its events are the
// lines sent to it.
type desk struct {
	events  chan string
	blocked chan struct{} // sent to when a command blocks
	ended   chan error    // the context's error of a command that blocked
	watched atomic.Int32  // how often
}

func newDesk() *desk {
	return &desk{events: make(chan string), blocked: make(chan struct{}, 100), ended: make(chan error, 100)}
}

func (d *desk) Exec(ctx context.Context, line string, opt repl.Options, out, remarks io.Writer) error {
	verb, rest, _ := strings.Cut(line, " ")
	switch verb {
	case "echo":
		fmt.Fprintln(out, rest)
		return nil
	case "options":
		ack := -1
		if opt.Ack != nil {
			ack = *opt.Ack
		}
		fmt.Fprintln(out, opt.Format, opt.Color, opt.Width, ack)
		fmt.Fprintln(remarks, "a remark")
		return nil
	case "long":
		_, err := out.Write(make([]byte, 3*maxMessage))
		return err
	case "block":
		d.blocked <- struct{}{}
		<-ctx.Done()
		d.ended <- context.Cause(ctx)
		return lot.Refuse(lot.Refused, "interrupted")
	case "die":
		fmt.Fprintln(out, "ok")
		return repl.ErrDie
	}
	return lot.Refuse(lot.Full, "no room for %s", line)
}

func (d *desk) Watch(ctx context.Context, _ repl.Options) func(func(string)) error {
	d.watched.Add(1)
	return func(show func(string)) error {
		for {
			select {
			case line := <-d.events:
				show(line)
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// Complete suggests what stands before the cursor, and hangs on "hang", as a
// process that is stopped does, until something is sent to ended.
func (d *desk) Complete(_ context.Context, before string) []repl.Suggestion {
	if before == "hang" {
		d.blocked <- struct{}{}
		<-d.ended
	}
	return []repl.Suggestion{{Text: before, Description: "described"}, {Text: "two"}}
}

// serve serves a desk at a socket until the test ends.
func serve(t *testing.T, d *desk) (path string, died <-chan struct{}, stop func()) {
	t.Helper()
	path = filepath.Join(shortDir(t), "larry.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served, dead := make(chan error, 1), make(chan struct{}, 10)
	s := &Server{Session: d, Node: "larry", Cluster: "parking", Die: func() { dead <- struct{}{} }}
	go func() { served <- s.Serve(ctx, l) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-served:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(patience):
			t.Error("Serve does not end")
		}
	})
	t.Cleanup(stop)
	return path, dead, stop
}

// shortDir is a directory whose path leaves room for a socket's name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "attach")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func dial(t *testing.T, path string) *Client {
	t.Helper()
	c, err := Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func exec(ctx context.Context, c *Client, line string) (out, remarks string, err error) {
	var o, r strings.Builder
	err = c.Exec(ctx, line, repl.Options{Format: repl.Table}, &o, &r)
	return o.String(), r.String(), err
}

func take[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("no %s", what)
	}
	return v
}

func TestExec(t *testing.T) {
	path, _, _ := serve(t, newDesk())
	c := dial(t, path)
	if c.Node != "larry" || c.Cluster != "parking" {
		t.Errorf("the node is %s in %s", c.Node, c.Cluster)
	}
	if out, _, err := exec(t.Context(), c, "echo ÄÖÜ 東京"); out != "ÄÖÜ 東京\n" || err != nil {
		t.Errorf("echo: %q, %v", out, err)
	}
	var out, remarks strings.Builder
	none := 0
	for _, opt := range []repl.Options{{Format: repl.JSON, Color: true, Width: 80}, {Format: repl.Table, Ack: &none}} {
		if err := c.Exec(t.Context(), "options", opt, &out, &remarks); err != nil {
			t.Errorf("options: %v", err)
		}
	}
	if out.String() != "json true 80 -1\ntable false 0 0\n" || remarks.String() != "a remark\na remark\n" {
		t.Errorf("options: %q, %q", &out, &remarks)
	}
	_, _, err := exec(t.Context(), c, "van")
	if err == nil || err.Error() != "no room for van" || lot.CodeOf(err) != lot.Full || errors.Is(err, repl.ErrGone) {
		t.Errorf("a refusal: %v (%s)", err, lot.CodeOf(err))
	}
	if out, _, err := exec(t.Context(), c, "echo \xff"); out != "\xff\n" || err != nil {
		t.Errorf("what is no UTF-8: %q, %v", out, err)
	}
	if out, _, err := exec(t.Context(), c, "long"); len(out) != 3*maxMessage || err != nil {
		t.Errorf("a long answer: %d bytes, %v", len(out), err)
	}
}

func TestComplete(t *testing.T) {
	d := newDesk()
	path, _, stop := serve(t, d)
	c := dial(t, path)
	// A busy machine may take longer than a key is to wait.
	answers := func() {
		t.Helper()
		want := []repl.Suggestion{{Text: "ÄB", Description: "described"}, {Text: "two"}}
		var got []repl.Suggestion
		for end := time.Now().Add(patience); got == nil && time.Now().Before(end); {
			got = c.Complete(t.Context(), "ÄB")
			c.slow.Store(0)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
	}
	answers()
	// A node that does not answer costs one key a moment, and the keys after
	// it nothing.
	if got := c.Complete(t.Context(), "hang"); got != nil {
		t.Errorf("of a node that does not answer: %q", got)
	}
	take(t, "question", d.blocked)
	if got := c.Complete(t.Context(), "hang"); got != nil || len(d.blocked) > 0 {
		t.Errorf("it was asked again at once, and answered %q", got)
	}
	d.ended <- nil
	c.slow.Store(0)
	answers()
	stop()
	c.slow.Store(0)
	if got := c.Complete(t.Context(), "ÄB"); got != nil {
		t.Errorf("of a node that is gone: %q", got)
	}
}

// Terminals are served while others' commands run, however many.
func TestManyClients(t *testing.T) {
	d := newDesk()
	path, _, _ := serve(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 10 {
		c := dial(t, path)
		wg.Go(func() {
			if _, _, err := exec(ctx, c, "block"); err == nil || err.Error() != "interrupted" {
				t.Errorf("a command cancelled: %v", err)
			}
		})
		take(t, "command that blocks", d.blocked)
	}
	for i := range 10 {
		c := dial(t, path)
		wg.Go(func() {
			for j := range 20 {
				line := fmt.Sprintf("%d %d", i, j)
				if out, _, err := exec(t.Context(), c, "echo "+line); out != line+"\n" || err != nil {
					t.Errorf("%q, %v", out, err)
				}
			}
		})
	}
	if out, _, err := exec(t.Context(), dial(t, path), "echo here"); out != "here\n" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
	cancel()
	wg.Wait()
	for range 10 {
		if err := take(t, "end of a cancelled command", d.ended); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled command's context ended with %v", err)
		}
	}
}

// A cord is what connects a client and its node, and can be cut.
type cord struct {
	path string
	mu   sync.Mutex
	all  []net.Conn
	wg   sync.WaitGroup
}

// between puts a cord in front of the socket at path.
func between(t *testing.T, path string) *cord {
	t.Helper()
	c := &cord{path: filepath.Join(shortDir(t), "cord")}
	l, err := net.Listen("unix", c.path)
	if err != nil {
		t.Fatal(err)
	}
	c.wg.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("unix", path)
			if err != nil {
				near.Close()
				continue
			}
			c.mu.Lock()
			c.all = append(c.all, near, far)
			c.mu.Unlock()
			c.wg.Go(func() { _, _ = io.Copy(near, far); near.Close() })
			c.wg.Go(func() { _, _ = io.Copy(far, near); far.Close() })
		}
	})
	t.Cleanup(func() { l.Close(); c.cut(); c.wg.Wait() })
	return c
}

func (c *cord) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, x := range c.all {
		x.Close()
	}
}

// A client that is killed takes its command with it, and nothing else.
func TestKilledClient(t *testing.T) {
	d := newDesk()
	path, _, _ := serve(t, d)
	line := between(t, path)
	c, other := dial(t, line.path), dial(t, path)
	failed := make(chan error, 2)
	go func() { _, _, err := exec(t.Context(), c, "block"); failed <- err }()
	take(t, "command that blocks", d.blocked)
	go func() { _, _, err := exec(t.Context(), other, "block"); failed <- err }()
	take(t, "command that blocks", d.blocked)
	line.cut()
	if err := take(t, "end of the command", d.ended); !errors.Is(err, context.Canceled) {
		t.Errorf("the command's context ended with %v", err)
	}
	if err := take(t, "error", failed); !errors.Is(err, repl.ErrGone) {
		t.Errorf("for the client: %v", err)
	}
	if len(d.ended) > 0 {
		t.Error("another client's command ended, too")
	}
	if out, _, err := exec(t.Context(), dial(t, path), "echo still here"); out != "still here\n" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
}

// A node that ends before it has answered leaves the outcome unknown.
func TestNodeGone(t *testing.T) {
	d := newDesk()
	path, _, _ := serve(t, d)
	line := between(t, path)
	c := dial(t, line.path)
	failed, watched := make(chan error, 1), make(chan error, 1)
	lines := make(chan string, 1)
	go func() {
		watched <- c.Watch(t.Context(), repl.Options{Format: repl.Table})(func(l string) { lines <- l })
	}()
	d.events <- "something happened"
	if got := take(t, "event", lines); got != "something happened" {
		t.Errorf("the event is %q", got)
	}
	go func() { _, _, err := exec(t.Context(), c, "block"); failed <- err }()
	take(t, "command that blocks", d.blocked)
	line.cut()
	err := take(t, "error", failed)
	if err == nil || err.Error() != "unknown: larry ended before it answered" || lot.CodeOf(err) != lot.Unknown || !errors.Is(err, repl.ErrGone) {
		t.Errorf("Exec: %v (%s)", err, lot.CodeOf(err))
	}
	if err := take(t, "end of the watch", watched); !errors.Is(err, repl.ErrGone) {
		t.Errorf("Watch: %v", err)
	}
	if c.Killed() {
		t.Error("the client claims to have killed the node")
	}
}

// Once Watch has returned, no event is missed.
func TestWatchStands(t *testing.T) {
	d := newDesk()
	path, _, _ := serve(t, d)
	c := dial(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	for i := range 20 {
		tell := c.Watch(ctx, repl.Options{Format: repl.Table})
		if n := d.watched.Load(); int(n) != i+1 {
			t.Fatalf("the node watches %d times of %d", n, i+1)
		}
		defer tell(func(string) {})
	}
	cancel()
}

func TestWatchEndsWithItsContext(t *testing.T) {
	d := newDesk()
	path, _, _ := serve(t, d)
	c := dial(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan error, 1)
	go func() { watched <- c.Watch(ctx, repl.Options{Format: repl.Table})(func(string) {}) }()
	d.events <- "something"
	cancel()
	if err := take(t, "end of the watch", watched); !errors.Is(err, context.Canceled) {
		t.Errorf("Watch: %v", err)
	}
}

// A node that stops in good order ends commands, and their answers still go
// out.
func TestStop(t *testing.T) {
	d := newDesk()
	path, _, stop := serve(t, d)
	c := dial(t, path)
	failed, watched := make(chan error, 1), make(chan error, 1)
	go func() { _, _, err := exec(t.Context(), c, "block"); failed <- err }()
	go func() { watched <- c.Watch(t.Context(), repl.Options{Format: repl.Table})(func(string) {}) }()
	take(t, "command that blocks", d.blocked)
	stop()
	if err := take(t, "error", failed); err == nil || err.Error() != "interrupted" {
		t.Errorf("Exec: %v", err)
	}
	if why := take(t, "end of the command", d.ended); !errors.Is(why, repl.ErrLeaving) {
		t.Errorf("the command ended because of %v", why)
	}
	if err := take(t, "end of the watch", watched); !errors.Is(err, repl.ErrGone) {
		t.Errorf("Watch: %v", err)
	}
	if _, err := Dial(t.Context(), path); err == nil {
		t.Error("somebody answers")
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

// A node that is to die answers first.
func TestDie(t *testing.T) {
	path, died, _ := serve(t, newDesk())
	c := dial(t, path)
	begin := time.Now()
	if out, _, err := exec(t.Context(), c, "die"); out != "ok\n" || err != nil || !c.Killed() {
		t.Errorf("%q, %v, killed: %v", out, err, c.Killed())
	}
	take(t, "death", died)
	if took := time.Since(begin); took >= lastWords {
		t.Errorf("it took %v: the node does not see that its answer has arrived", took)
	}
}

func TestSocket(t *testing.T) {
	path := filepath.Join(shortDir(t), "larry.sock")
	for _, before := range []string{"nothing", "a stale socket", "a file"} {
		switch before {
		case "a stale socket":
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
			if err != nil {
				t.Fatal(err)
			}
			l.SetUnlinkOnClose(false)
			l.Close()
		case "a file":
			if err := os.WriteFile(path, nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		l, err := Listen(path)
		if err != nil {
			t.Errorf("over %s: %v", before, err)
			continue
		}
		info, err := os.Lstat(path)
		if err != nil || info.Mode() != os.ModeSocket|0o600 {
			t.Errorf("over %s: %v, %v", before, info.Mode(), err)
		}
		go func() {
			if c, err := l.Accept(); err == nil {
				c.Close()
			}
		}()
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Errorf("over %s: %v", before, err)
		} else {
			conn.Close()
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if left, _ := os.ReadDir(filepath.Dir(path)); len(left) > 0 {
			t.Errorf("over %s: there remains %v", before, left)
		}
	}
	if _, err := Listen("/nowhere/larry.sock"); err == nil {
		t.Error("a socket in a directory that is not there")
	}
}

// Whatever is sent to the socket, terminals are served on.
func TestGarbage(t *testing.T) {
	path, _, _ := serve(t, newDesk())
	noise := make([]byte, 1<<16)
	_, _ = rand.Read(noise)
	preface := "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	for _, garbage := range []string{"", "x", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", string(noise), preface, preface + string(noise), strings.Repeat("A", 1<<20)} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(conn, garbage)
		if out, _, err := exec(t.Context(), dial(t, path), "echo fine"); out != "fine\n" || err != nil {
			t.Fatalf("after %.20q: %q, %v", garbage, out, err)
		}
	}
	if _, _, err := exec(t.Context(), dial(t, path), strings.Repeat("x", 2*maxMessage)); err == nil {
		t.Error("a command of two megabytes is taken")
	}
	var out strings.Builder
	if err := dial(t, path).Exec(t.Context(), "echo x", repl.Options{Format: "xml"}, &out, &out); err == nil {
		t.Errorf("a format that is none: %q", out.String())
	}
}

func TestNobodyThere(t *testing.T) {
	if _, err := Dial(t.Context(), filepath.Join(shortDir(t), "none")); err == nil {
		t.Error("somebody answers")
	}
	// One who accepts and says nothing.
	path := filepath.Join(shortDir(t), "mute")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Dial(ctx, path); err == nil {
		t.Error("the mute answers")
	}
}

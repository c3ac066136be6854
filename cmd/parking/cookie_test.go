package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"parking/node/cookie"
	"parking/repl"
	"parking/repl/process"
)

// Three real nodes are written to without a pause, as fast as they answer, while
// their cookie is rotated twice, at two of them: every write is answered with ok
// and is on all nodes in the end, and no node takes another for gone. Who comes
// with the first cookie is refused in words.
func TestACookieRotatedUnderLoad(t *testing.T) {
	exe, err := exec.LookPath("parking")
	if err != nil {
		t.Fatal(err)
	}
	temp, err := os.MkdirTemp("", "cookie") // shorter than the test's own
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(temp)
	g, err := process.Open(process.Config{Exe: exe, Env: []string{"HOME=" + t.TempDir(), "GORACE=atexit_sleep_ms=0"}, Temp: temp})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.Glob(filepath.Join(temp, "*"))
	if err != nil || len(dir) != 1 {
		t.Fatal(dir, err)
	}
	defer func() {
		if err := g.Close(context.Background(), patience); err != nil {
			t.Error(err)
		}
	}()
	names := []string{"larry", "gary", "harry"}
	nodes, err := g.Start(names, []string{"--spaces", "100000"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	for _, n := range nodes {
		if err := n.Connect(ctx); err != nil {
			t.Fatal(err)
		}
	}
	ack := 1
	do := func(n *process.Node, line string) (string, error) {
		var out, remarks bytes.Buffer
		err := n.Client.Exec(ctx, line, repl.Options{Format: repl.JSON, Ack: &ack}, &out, &remarks)
		return out.String(), err
	}
	must := func(n *process.Node, line string) string {
		t.Helper()
		out, err := do(n, line)
		if err != nil {
			t.Fatalf("%s at %s: %v\n%s", line, n.Name, err, out)
		}
		return out
	}
	for _, n := range nodes {
		must(n, "await members 3")
	}
	must(nodes[0], "rebalance") // a third of the gates' calls go each way
	for _, n := range nodes {
		must(n, "await gates 3 nodes 30s")
	}
	old := cookieAt(t, must(nodes[0], "cookie"))
	first, err := cookie.Read(process.CookieFile(dir[0]))
	if err != nil {
		t.Fatal(err)
	}
	var events [3]output
	var watching sync.WaitGroup
	stopWatch, endWatch := context.WithCancel(ctx)
	for i, n := range nodes {
		watching.Go(func() {
			n.Client.Watch(stopWatch, repl.Options{Format: repl.Table})(func(line string) { fmt.Fprintln(&events[i], line) })
		})
	}

	var mu sync.Mutex
	var acked []string
	var failed []error
	writing, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	written := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(acked) + len(failed)
	}
	for i, n := range nodes {
		for w := range 2 {
			wg.Go(func() {
				for k := 0; writing.Err() == nil; k++ {
					p := fmt.Sprintf("%s%d-%d", strings.ToUpper(n.Name), w, k)
					line := "track_entry " + p + " 1"
					if w == 1 {
						line = fmt.Sprintf("gate %d enter %s", 1+(i+k)%4, p)
					}
					out, err := do(n, line)
					mu.Lock()
					if err == nil {
						acked = append(acked, p)
					} else {
						failed = append(failed, fmt.Errorf("%s at %s: %w %s", line, n.Name, err, out))
					}
					mu.Unlock()
				}
			})
		}
	}
	during := func(more int) { // so many writes later
		t.Helper()
		for from := written(); written() < from+more; time.Sleep(5 * time.Millisecond) {
			if ctx.Err() != nil {
				t.Fatal("the writes do not go on")
			}
		}
	}
	during(100)
	begin := time.Now()
	must(nodes[1], "cookie rotate")
	took := time.Since(begin)
	during(100)
	must(nodes[2], "cookie rotate")
	during(300)
	stop()
	wg.Wait()
	if len(failed) > 0 {
		t.Errorf("%d of %d writes were not answered with ok: %v", len(failed), written(), failed[0])
	}
	for _, n := range nodes {
		must(n, "await converged 30s")
		var has struct {
			Vehicles []struct{ Plate string }
		}
		if err := json.Unmarshal([]byte(must(n, "read")), &has); err != nil {
			t.Fatal(err)
		}
		in := make(map[string]bool)
		for _, v := range has.Vehicles {
			in[v.Plate] = true
		}
		for _, p := range acked {
			if !in[p] {
				t.Fatalf("%s lacks %s", n.Name, p)
			}
		}
		if now := cookieAt(t, must(n, "cookie")); now == old {
			t.Errorf("%s has the first cookie still", n.Name)
		}
	}
	must(nodes[0], "verdict")
	second, err := cookie.Read(process.CookieFile(dir[0]))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{first, second} {
		err := filepath.WalkDir(dir[0], func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() || path == process.CookieFile(dir[0]) {
				return nil // what comes and goes meanwhile
			}
			if b, err := os.ReadFile(path); err == nil && bytes.Contains(b, []byte(secret)) {
				t.Errorf("a cookie is in %s", filepath.Base(path))
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	endWatch()
	watching.Wait()
	for i, n := range nodes {
		if text := events[i].String(); strings.Contains(text, " failed") || strings.Contains(text, " left  ") {
			t.Errorf("%s told of a node that was gone:\n%s", n.Name, text)
		}
	}
	t.Logf("%d writes; the first rotation took %v under them", len(acked), took.Round(time.Millisecond))

	var status struct{ Addr string }
	if err := json.Unmarshal([]byte(must(nodes[0], "status")), &status); err != nil {
		t.Fatal(err)
	}
	for how, flags := range map[string][]string{
		"by --join": {"--join", status.Addr, "--discover", "none"},
		"here":      nil,
	} {
		c := exec.CommandContext(ctx, exe, append([]string{"--sname", "late", "--cookie", first, "-c", "members"}, flags...)...)
		c.Env = []string{"PARKING_RUNTIME_DIR=" + dir[0], "HOME=" + t.TempDir(), "GORACE=atexit_sleep_ms=0"}
		c.Stdout = io.Discard
		var said bytes.Buffer
		c.Stderr = &said
		err := c.Run()
		if err == nil || c.ProcessState.ExitCode() != 1 || !strings.Contains(said.String(), "was rotated") || !strings.Contains(said.String(), "cookie file") {
			t.Errorf("the first cookie, %s: %v: %s", how, err, said.String())
		}
	}
}

// cookieAt returns the fingerprint in a cookie command's answer.
func cookieAt(t *testing.T, answer string) string {
	t.Helper()
	var c struct {
		Fingerprint string
		Accepted    []string
	}
	if err := json.Unmarshal([]byte(answer), &c); err != nil || len(c.Accepted) != 1 {
		t.Fatalf("%s: %v", answer, err)
	}
	return c.Fingerprint
}

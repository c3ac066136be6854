package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kballard/go-shellquote"

	"parking/node/discover"
	"parking/repl"
	"parking/repl/attach"
)

// A bench that is interrupted tells what it has measured, and leaves nothing:
// no process, no file.
func TestInterruptedBench(t *testing.T) {
	temp, err := os.MkdirTemp("/tmp", "bench") // t.TempDir is too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(temp) })
	var stdout, stderr bytes.Buffer
	bench := exec.Command("parking", "bench", "convergence", "idle", "--duration", "1m")
	bench.Env = append(os.Environ(), "TMPDIR="+temp, "HOME="+temp)
	bench.Stdout, bench.Stderr = &stdout, &stderr
	if err := bench.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bench.Process.Kill() })
	nodes := nodesIn(t, temp, 3)
	awaitEntries(t, nodes[0].Socket)
	if err := bench.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = bench.Wait()
	if code := bench.ProcessState.ExitCode(); code != 130 {
		t.Errorf("it ended with %d", code)
	}
	if out := stdout.String(); !strings.Contains(out, "visible on every replica") || !strings.Contains(out, "did not come to its end") {
		t.Errorf("it told\n%s", out)
	}
	if got := stderr.String(); got != "interrupted; what is told above was measured before\n" {
		t.Errorf("it remarked %q", got)
	}
	for _, n := range nodes {
		if err := syscall.Kill(n.PID, 0); err == nil {
			t.Errorf("%s still runs", n.Name)
		}
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("there is left %v, %v", left, err)
	}
}

// awaitEntries blocks until some entries have been recorded.
func awaitEntries(t *testing.T, socket string) {
	t.Helper()
	client, err := attach.Dial(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		var out strings.Builder
		err := client.Exec(t.Context(), "spaces", repl.Options{Format: repl.Table}, &out, io.Discard)
		if n := 0; err == nil {
			if _, err := fmt.Sscanf(out.String(), "100000000 spaces: %d taken", &n); err == nil && n >= 20 {
				return
			}
		}
	}
	t.Fatal("there are no entries")
}

// nodesIn blocks until so many nodes run in a directory below temp.
func nodesIn(t *testing.T, temp string, count int) (found []discover.Entry) {
	t.Helper()
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		dirs, _ := os.ReadDir(temp)
		if len(dirs) != 1 {
			continue
		}
		if found, _ = discover.List(temp + "/" + dirs[0].Name()); len(found) == count {
			return found
		}
	}
	t.Fatalf("there are %d nodes", len(found))
	return nil
}

// What the docs say to type is what bench takes.
func TestBenchTakesWhatTheDocsSay(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile("(?m)(?:^    |`)(parking bench [^`#\n]+)")
	seen := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range command.FindAllStringSubmatch(string(text), -1) {
			words, err := shellquote.Split(m[1])
			if err != nil {
				t.Fatalf("%s: %s: %v", page, m[1], err)
			}
			flags := benchCommand().Flags()
			if err := flags.Parse(words[2:]); err != nil {
				t.Errorf("%s: %s: %v", page, m[1], err)
				continue
			}
			s, err := load(flags)
			if err != nil {
				t.Fatal(err)
			}
			cfg, err := s.benchConfig(flags.Args())
			if s.Attach == "" && err == nil {
				err = cfg.Validate()
			}
			if err != nil {
				t.Errorf("%s: %s: %v", page, m[1], err)
			}
			seen++
		}
	}
	if seen < 10 {
		t.Errorf("%d commands were found", seen)
	}
}

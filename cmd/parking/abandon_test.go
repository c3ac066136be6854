package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
)

// A log that nobody reads holds up nobody who writes it.
func TestLogsNeverBlock(t *testing.T) {
	out, in := io.Pipe()
	l := newLogs(in, new(settings).lostLines)
	for range maxLogs + 100 {
		if _, err := io.WriteString(l, "line\n"); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, 64)
	for range 2 { // it reads again; and who reads the second line knows that one place is free
		if n, err := out.Read(buf); err != nil || string(buf[:n]) != "line\n" {
			t.Fatal(string(buf[:n]), err)
		}
	}
	go func() {
		_, _ = io.WriteString(l, "last\n")
		l.close()
		<-l.done
		in.Close()
	}()
	rest, err := io.ReadAll(out)
	if err != nil || !strings.Contains(string(rest), " lines of the log are lost\nlast\n") {
		t.Errorf("the end is %q, %v", rest[max(0, len(rest)-200):], err)
	}
}

// What was lost at the very end is told, too.
func TestLogsTellWhatTheyLostLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, in := io.Pipe()
		l := newLogs(in, new(settings).lostLines)
		for i := range maxLogs + 3 {
			_, _ = io.WriteString(l, "line\n")
			if i == 0 {
				synctest.Wait() // it is in the writer's hands
			}
		}
		go func() {
			l.close()
			<-l.done
			in.Close()
		}()
		text, err := io.ReadAll(out)
		if err != nil || !strings.HasSuffix(string(text), "line\n... 2 lines of the log are lost\n") {
			t.Errorf("the end is %q, %v", text[max(0, len(text)-200):], err)
		}
	})
}

// TERM ends a node in good order also where a command waits for what never
// comes: a pipe that nobody writes to.
func TestTermEndsWhatWaitsForever(t *testing.T) {
	h := newHost(t)
	pipe := filepath.Join(h.dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	gary := h.open(24, "--sname", "gary")
	gary.prompt("gary")
	larry := h.open(24, "--sname", "larry", "-f", pipe)
	gary.expect("larry joined")
	h.signal("larry", syscall.SIGTERM)
	larry.ended(143)
	gary.expect("larry left")
	gary.send("\x04")
	gary.ended(0)
}

// What is wrong in a file of settings may be a secret: another file, a slip.
func TestASecretInAnOddFileIsNotTold(t *testing.T) {
	h := newHost(t)
	file := filepath.Join(h.dir, "odd.yaml")
	for _, text := range []string{"cookie: *S3CR3T\n", "S3CR3T-cookie\n", "cookie S3CR3T: 1\n", "S3CR3T: 1\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		w := h.open(24, "--sname", "larry", "--config", file)
		w.ended(2)
		if strings.Contains(w.text(), "S3CR3T") {
			t.Errorf("%q is told: %s", text, w.text())
		}
	}
}

// Where the log is documents, so is that some of it are lost.
func TestLostLinesAreADocument(t *testing.T) {
	s := settings{Name: "larry", Cluster: "parking", LogFormat: jsonLog, level: slog.LevelError}
	var r logLine
	if text := s.lostLines(3); json.Unmarshal([]byte(text), &r) != nil || !strings.HasSuffix(text, "}\n") ||
		r["time"] == nil || r["node"] != "larry" || r["cluster"] != "parking" || r["lines"] != 3.0 {
		t.Errorf("told as %q", text)
	}
}

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func TestHistoryIsKept(t *testing.T) {
	h := newHost(t)
	file := filepath.Join(h.dir, ".local/state/parking/parking.history")
	larry := h.open(24, "--sname", "larry")
	larry.prompt("larry")
	for _, line := range []string{"spaces", "set spaces 77", "spaces"} {
		larry.send(line + "\r")
		larry.expect("^(ok|[0-9]+ spaces)")
		larry.prompt("larry")
	}
	larry.send("history\r")
	larry.expect("^    1  set spaces 77\n    2  spaces\n    3  history$")
	larry.prompt("larry")
	other := h.open(24, "--sname", "larry", "--cluster", "other")
	other.prompt("larry")
	other.send("history\r")
	other.expect("^    1  history$")
	other.send("\x04")
	other.ended(0)
	larry.send("\x04")
	larry.ended(0)
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the history: %v, %v", info, err)
	}
	text, err := os.ReadFile(file)
	if string(text) != "set spaces 77\nspaces\nhistory\n" {
		t.Errorf("the history holds %q, %v", text, err)
	}
	larry = h.open(24, "--sname", "larry")
	larry.prompt("larry")
	larry.send("\x1b[A\x1b[A\x1b[A") // up, three times
	larry.expect("set spaces 77")
	larry.send("\r")
	larry.expect("^ok   spaces 77, everywhere$")
	larry.prompt("larry")
	larry.send("\x12SPACES 7") // Ctrl-R
	larry.expect("set spaces 77 +search: Enter runs this")
	larry.send("\r")
	larry.expect("^ok   spaces 77, everywhere$")
	tty := h.open(24, "attach", "larry")
	tty.prompt("larry")
	tty.send("members\r")
	tty.expect("this node")
	tty.prompt("larry")
	tty.send("history\r")
	tty.expect("^    4  history$") // spaces, set spaces 77, members, history
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	tty.send("spaces\r")
	tty.expect("^77 spaces: ")
	tty.send("quit\r")
	tty.ended(0)
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("attach has made a history: %v", err)
	}
	larry.send("\x04")
	larry.ended(0)
}

func TestAHistoryThatCannotBeKept(t *testing.T) {
	h := newHost(t)
	if err := os.WriteFile(filepath.Join(h.dir, ".local"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	larry := h.open(24, "--sname", "larry")
	larry.expect("^note: the history is not kept: .*not a directory$")
	larry.prompt("larry")
	larry.send("spaces\r")
	larry.expect("^100 spaces: ")
	larry.prompt("larry")
	larry.send("\x1b[A")
	larry.expect("spaces")
	larry.send("\x03\x04")
	larry.ended(0)
}

// Prompts that add to one history at once lose nothing of each other's.
func TestManyPromptsAddToAHistory(t *testing.T) {
	h := &historyFile{path: filepath.Join(t.TempDir(), "parking.history"), create: true}
	var all sync.WaitGroup
	const prompts, lines = 8, 20
	for p := range prompts {
		all.Go(func() {
			for i := range lines {
				for _, line := range []string{fmt.Sprintf("set spaces %d", p*1000+i), "gates"} {
					if err := h.add(line); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	past, err := h.load()
	if got := past.Lines(); len(got) != prompts*lines+1 || got[len(got)-1] != "gates" {
		t.Errorf("%d lines, %v:\n%s", len(got), err, strings.Join(got, "\n"))
	}
	left, err := os.ReadDir(filepath.Dir(h.path))
	if len(left) != 1 {
		t.Errorf("beside the history there is %v, %v", left, err)
	}
}

// A history that something else has written is read from its end, and one that
// is kept elsewhere stays there.
func TestOddHistories(t *testing.T) {
	dir := t.TempDir()
	path, elsewhere := filepath.Join(dir, "parking.history"), filepath.Join(dir, "elsewhere")
	long := strings.Repeat("spaces # "+strings.Repeat("x", 4000)+"\n", 2500) + "gates\n\x9b2Jmembers\n"
	if err := os.WriteFile(elsewhere, []byte(long), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, path); err != nil {
		t.Fatal(err)
	}
	h := &historyFile{path: path, create: true}
	if err := h.add("read"); err != nil {
		t.Fatal(err)
	}
	past, err := h.load()
	if got := past.Lines(); err != nil || len(got) != 3 || got[1] != "gates" || got[2] != "read" {
		t.Errorf("%d lines, %v", len(got), err)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", info, err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	pipe := &historyFile{path: filepath.Join(dir, "pipe"), create: true}
	if _, err := pipe.load(); err == nil {
		t.Error("a pipe passes for a history")
	}
}

package cookie

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestLoadMakesTheFileOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cookie")
	first, made, err := Load(path)
	if err != nil || !made || len(first) != 32 {
		t.Fatalf("Load: %q, %v, %v", first, made, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
	second, made, err := Load(path)
	if err != nil || made || second != first {
		t.Errorf("second Load: %q, %v, %v, want %q", second, made, err, first)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("%d files left, want the cookie only", len(left))
	}
	other, _, err := Load(filepath.Join(t.TempDir(), "cookie"))
	if err != nil || other == first {
		t.Errorf("another file has the cookie %q as well, %v", other, err)
	}
}

func TestLoadReads(t *testing.T) {
	long := strings.Repeat("x", MaxLen)
	for text, want := range map[string]string{
		"limozeen": "limozeen", "limozeen\n": "limozeen", "limozeen\r\n": "limozeen", " a b ": " a b ",
		long: long, long + "\r\n": long,
	} {
		path := filepath.Join(t.TempDir(), "cookie")
		if err := os.WriteFile(path, []byte(text), 0o400); err != nil {
			t.Fatal(err)
		}
		link := path + ".link"
		if err := os.Symlink(path, link); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{path, link} {
			if got, made, err := Load(path); got != want || made || err != nil {
				t.Errorf("Load of %.20q: %.20q, %v, %v", text, got, made, err)
			}
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	file := func(text string, mode os.FileMode) func(string) error {
		return func(path string) error {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				return err
			}
			return os.Chmod(path, mode)
		}
	}
	for name, tt := range map[string]struct {
		make func(path string) error
		want string
	}{
		"readable by all":      {file("limozeen\n", 0o644), "chmod 600"},
		"readable by group":    {file("limozeen\n", 0o640), "chmod 600"},
		"empty":                {file("", 0o600), "is empty"},
		"a newline":            {file("\n", 0o600), "is empty"},
		"too long":             {file(strings.Repeat("x", MaxLen+1), 0o600), "is too long"},
		"huge":                 {file(strings.Repeat("x", 1<<20), 0o600), "is too long"},
		"a directory":          {func(path string) error { return os.Mkdir(path, 0o700) }, "is a directory"},
		"a pipe":               {func(path string) error { return syscall.Mkfifo(path, 0o600) }, "not a regular file"},
		"a link to nowhere":    {func(path string) error { return os.Symlink(path+".gone", path) }, "no such file"},
		"a link to a loop":     {func(path string) error { return os.Symlink(path, path) }, "symbolic links"},
		"a directory's absent": {func(path string) error { return os.Remove(filepath.Dir(path)) }, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "d", "cookie")
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := tt.make(path); err != nil {
				t.Fatal(err)
			}
			cookie, made, err := Load(path)
			if !errors.Is(err, ErrFile) || cookie != "" || made {
				t.Fatalf("Load: %q, %v, %v", cookie, made, err)
			}
			if line := err.Error(); !strings.Contains(line, tt.want) || !strings.Contains(line, path) || strings.Contains(line, "\n") {
				t.Errorf("error %q, want one line with %q and the path", line, tt.want)
			}
		})
	}
}

// Processes that start together must come out with one cookie.
func TestLoadInManyProcessesAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cookie")
	gate, open, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var processes []*exec.Cmd
	var outputs []*bytes.Buffer
	for range 8 {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), "COOKIE_TEST_LOAD="+path)
		c.Stdin = gate
		out := new(bytes.Buffer)
		c.Stdout, c.Stderr = out, io.Discard
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		processes, outputs = append(processes, c), append(outputs, out)
	}
	gate.Close()
	open.Close() // now they go
	makers := 0
	var first string
	for i, c := range processes {
		if err := c.Wait(); err != nil {
			t.Fatal(err)
		}
		fields := strings.Fields(outputs[i].String())
		if len(fields) != 3 || fields[2] != "<nil>" {
			t.Fatalf("a process said %q", outputs[i])
		}
		if first == "" {
			first = fields[0]
		}
		if fields[0] != first {
			t.Errorf("two cookies: %s and %s", fields[0], first)
		}
		if fields[1] == "true" {
			makers++
		}
	}
	if makers != 1 {
		t.Errorf("%d processes made the file, want 1", makers)
	}
}

// A secret that is mounted in a container belongs to root, and to a group that the
// process is in.
func TestLoadReadsAnotherUsersForThisGroup(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give a file away")
	}
	path := filepath.Join(t.TempDir(), "cookie")
	if err := os.WriteFile(path, []byte("limozeen\n"), 0o440); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 65532, 65532); err != nil {
		t.Fatal(err)
	}
	for mode, fine := range map[os.FileMode]bool{0o400: true, 0o440: true, 0o640: true, 0o444: false, 0o460: false, 0o450: false} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		switch got, _, err := Load(path); {
		case fine && (got != "limozeen" || err != nil):
			t.Errorf("mode %v: %q, %v", mode, got, err)
		case !fine && (err == nil || !strings.Contains(err.Error(), "fsGroup")):
			t.Errorf("mode %v: %q, %v", mode, got, err)
		}
	}
}

package discover

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

const home = "05dd294a383e66b9" // the fingerprint of these tests' cookie

func id(name string) ID { return ID{Name: name, Cluster: "parking", Fingerprint: home} }

// TestMain lets the test binary play a node: as soon as its standard input
// ends it does what the role says, prints how that went, and lives until its
// file 3 ends or it is killed.
func TestMain(m *testing.M) {
	if role := os.Getenv("DISCOVER_TEST_ROLE"); role != "" {
		io.Copy(io.Discard, os.Stdin)
		fmt.Println(play(role, os.Getenv("DISCOVER_TEST_DIR"), os.Getenv("DISCOVER_TEST_NAME")))
		io.Copy(io.Discard, os.NewFile(3, "life"))
		return
	}
	goleak.VerifyTestMain(m)
}

// claims keeps what play has claimed for the life of the process.
var claims []*Claim

func play(role, dir, name string) string {
	if role == "storm" { // come and go for ever, and say so
		for {
			c, err := ClaimName(dir, id(name))
			if err == nil {
				err = c.Publish("127.0.0.1:7946", 1)
			}
			if err == nil {
				_, err = List(dir)
			}
			if err == nil {
				err = c.Release()
			}
			if err != nil {
				return err.Error()
			}
			fmt.Println("once more")
		}
	}
	c, err := ClaimName(dir, id(name))
	if errors.Is(err, ErrNameTaken) {
		return "taken"
	}
	if err != nil {
		return err.Error()
	}
	claims = append(claims, c)
	if role == "claim" {
		return "claimed"
	}
	listener, err := net.Listen("unix", c.Socket())
	if err != nil {
		return err.Error()
	}
	go listener.Accept()
	if err := c.Publish("127.0.0.1:7946", 42); err != nil {
		return err.Error()
	}
	return "published"
}

// A process plays a role.
type process struct {
	*exec.Cmd
	out *bufio.Reader
}

// start starts a process that waits for gate to end, if that is not nil. It
// is killed when the test ends, at the latest.
func start(t *testing.T, gate *os.File, role, dir, name string) process {
	t.Helper()
	life, hold, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer life.Close()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "DISCOVER_TEST_ROLE="+role, "DISCOVER_TEST_DIR="+dir, "DISCOVER_TEST_NAME="+name)
	if gate != nil {
		c.Stdin = gate
	}
	c.ExtraFiles = []*os.File{life}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	p := process{c, bufio.NewReader(out)}
	t.Cleanup(func() { p.kill(); hold.Close() })
	return p
}

// says returns the next line that the process prints.
func (p process) says(t *testing.T) string {
	t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatalf("process %d: %v", p.Process.Pid, err)
	}
	return strings.TrimSpace(line)
}

// kill ends the process by SIGKILL and waits until it is gone.
func (p process) kill() {
	p.Process.Kill()
	p.Wait()
}

// runDir returns an empty directory whose path is short enough for sockets,
// which testing's own may not be.
func runDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "discover")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// claim takes a name that is free.
func claim(t testing.TB, dir string, id ID) *Claim {
	t.Helper()
	c, err := ClaimName(dir, id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Release() })
	return c
}

// publish claims a name and publishes an address.
func publish(t testing.TB, dir string, id ID, addr string) *Claim {
	t.Helper()
	c := claim(t, dir, id)
	if err := c.Publish(addr, 1); err != nil {
		t.Fatal(err)
	}
	return c
}

// names returns whom List sees, as one string.
func names(t testing.TB, dir string) string {
	t.Helper()
	entries, err := List(dir)
	if err != nil {
		t.Error(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name)
	}
	return strings.Join(names, " ")
}

// files returns the extensions of the files in dir, as one string.
func files(t testing.TB, dir string) string {
	t.Helper()
	found, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var exts []string
	for _, f := range found {
		exts = append(exts, filepath.Ext(f.Name()))
	}
	return strings.Join(exts, " ")
}

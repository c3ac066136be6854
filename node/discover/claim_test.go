package discover

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestLifeOfAClaim(t *testing.T) {
	dir := filepath.Join(runDir(t), "run") // made by the first claim
	if got, err := List(dir); err != nil || len(got) != 0 {
		t.Fatalf("List of no directory: %v, %v", got, err)
	}
	before := time.Now()
	c := claim(t, dir, id("larry"))
	if c.Port() != 0 {
		t.Errorf("a new name remembers port %d", c.Port())
	}
	if got := names(t, dir); got != "" {
		t.Errorf("%q are in view before they publish", got)
	}
	listener, err := net.Listen("unix", c.Socket())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Publish("127.0.0.1:7946", 1<<63+1); err != nil {
		t.Fatal(err)
	}
	got, err := List(dir)
	if err != nil || len(got) != 1 {
		t.Fatalf("List: %v, %v", got, err)
	}
	e := got[0]
	if since := e.Started.Sub(before); since < -time.Second || since > time.Minute {
		t.Errorf("started %v after the test", since)
	}
	want := Entry{ID: id("larry"), Addr: "127.0.0.1:7946", Socket: c.Socket(), PID: os.Getpid(), Incarnation: 1<<63 + 1, Started: e.Started}
	if !reflect.DeepEqual(e, want) {
		t.Errorf("List: %+v, want %+v", e, want)
	}
	if err := c.Publish("[::1]:7947", 1); err != nil {
		t.Fatal(err)
	}
	if got, _ := List(dir); len(got) != 1 || got[0].Addr != "[::1]:7947" {
		t.Errorf("after moving: %v", got)
	}
	listener.Close()
	for range 2 {
		if err := c.Release(); err != nil {
			t.Error(err)
		}
	}
	if err := c.Publish("127.0.0.1:7946", 1); err == nil {
		t.Error("published after the release")
	}
	if got := names(t, dir); got != "" {
		t.Errorf("%q are in view after they left", got)
	}
	if got := files(t, dir); got != ".port" {
		t.Errorf("left behind: %s", got)
	}
	if next := claim(t, dir, id("larry")); next.Port() != 7947 {
		t.Errorf("the next life remembers port %d", next.Port())
	}
}

func TestNameTaken(t *testing.T) {
	dir := runDir(t)
	refused := func(want string) {
		t.Helper()
		_, err := ClaimName(dir, id("larry"))
		if !errors.Is(err, ErrNameTaken) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("second claim: %v, want one line with %q", err, want)
		}
	}
	c := claim(t, dir, id("larry"))
	refused("process " + strconv.Itoa(os.Getpid()) + " is starting it")
	if err := c.Publish("127.0.0.1:7946", 1); err != nil {
		t.Fatal(err)
	}
	refused("process " + strconv.Itoa(os.Getpid()) + " runs it at 127.0.0.1:7946")

	// The same name elsewhere is another one.
	publish(t, dir, ID{"larry", "garage", home}, "127.0.0.1:2")
	publish(t, dir, ID{"larry", "parking", "ffffffffffffffff"}, "127.0.0.1:3")
	if got := names(t, dir); got != "larry larry larry" {
		t.Errorf("in view: %s", got)
	}
	if err := c.Release(); err != nil {
		t.Fatal(err)
	}
	claim(t, dir, id("larry"))
}

func TestClaimRefuses(t *testing.T) {
	dir := runDir(t)
	for _, id := range []ID{{}, id("Larry"), id("a/b"), id(".."), id(strings.Repeat("l", 33)),
		{"larry", "", home}, {"larry", "parking", "123"}} {
		if _, err := ClaimName(dir, id); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("claimed %v: %v", id, err)
		}
	}
	c := claim(t, dir, id("larry"))
	for _, addr := range []string{"", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", ":7946", "a b:1", "\x1b[2J:1", "127.0.0.1:x"} {
		if err := c.Publish(addr, 1); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("published %q: %v", addr, err)
		}
	}
	if got := names(t, dir); got != "" {
		t.Errorf("in view: %s", got)
	}
}

// Of the longest names every one has a socket that can be listened at, or the
// claim says why not.
func TestSocketPathIsShortEnough(t *testing.T) {
	base := runDir(t)
	name := strings.Repeat("n", 32)
	fits := maxSocketPath - len("/") - len(name) - len("-1a2b3c4d.sock")
	dir := base + "/" + strings.Repeat("d", fits-len(base)-1)
	listener, err := net.Listen("unix", claim(t, dir, id(name)).Socket())
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	_, err = ClaimName(dir+"d", id(name))
	if !errors.Is(err, ErrRuntimeDir) || !strings.Contains(err.Error(), "too long") || strings.Contains(err.Error(), "\n") {
		t.Errorf("a longer path: %v", err)
	}
}

func TestTwentyProcessesClaimOneName(t *testing.T) {
	dir := runDir(t)
	gate, open, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var all []process
	for range 20 {
		all = append(all, start(t, gate, "node", dir, "larry"))
	}
	gate.Close()
	open.Close() // now they go
	results := make(map[string]int)
	for _, p := range all {
		results[p.says(t)]++
	}
	if results["published"] != 1 || results["taken"] != 19 {
		t.Errorf("20 processes: %v, want one published and 19 taken", results)
	}
	if got := names(t, dir); got != "larry" {
		t.Errorf("in view: %s", got)
	}
}

// A name changes hands many times, and at no time has it two holders.
func TestClaimsExcludeEachOther(t *testing.T) {
	dir := runDir(t)
	var holder sync.Mutex
	hammer(8, func(int) {
		for won := 0; won < 25; {
			c, err := ClaimName(dir, id("larry"))
			if errors.Is(err, ErrNameTaken) {
				continue
			}
			if err != nil {
				t.Error(err)
				return
			}
			if !holder.TryLock() {
				t.Error("two processes have the name")
				return
			}
			won++
			holder.Unlock()
			if err := c.Release(); err != nil {
				t.Error(err)
				return
			}
		}
	})
}

// hammer runs n goroutines that start together, and waits for them.
func hammer(n int, run func(i int)) {
	var group sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		group.Go(func() { <-gate; run(i) })
	}
	close(gate)
	group.Wait()
}

// An emptied directory costs its nodes their place in it, and them only.
func TestDirectoryEmptiedMeanwhile(t *testing.T) {
	dir := filepath.Join(runDir(t), "run")
	old := publish(t, dir, id("larry"), "127.0.0.1:1")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	publish(t, dir, id("larry"), "127.0.0.1:2")
	if err := old.Publish("127.0.0.1:1", 1); err == nil {
		t.Error("published with a lock that guards nothing")
	}
	if err := old.Release(); err != nil {
		t.Error(err)
	}
	got, err := List(dir)
	if err != nil || len(got) != 1 || got[0].Addr != "127.0.0.1:2" {
		t.Errorf("List: %v, %v, want the new holder", got, err)
	}
}

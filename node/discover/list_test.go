package discover

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func TestKilledNodeIsPruned(t *testing.T) {
	dir := runDir(t)
	publish(t, dir, id("moe"), "127.0.0.1:1")
	larry := start(t, nil, "node", dir, "larry")
	if got := larry.says(t); got != "published" {
		t.Fatal(got)
	}
	if got := names(t, dir); got != "larry moe" {
		t.Fatalf("in view: %s", got)
	}
	larry.kill()
	if got := names(t, dir); got != "moe" {
		t.Errorf("after the kill in view: %s", got)
	}
	if got := files(t, dir); got != ".port .json .lock" {
		t.Errorf("files: %s, want larry's port and moe's own", got)
	}
	if c := claim(t, dir, id("larry")); c.Port() != 7946 {
		t.Errorf("the next life remembers port %d", c.Port())
	}
}

// The next life may be the first to look.
func TestKilledNodeComesBack(t *testing.T) {
	dir := runDir(t)
	for range 3 {
		larry := start(t, nil, "node", dir, "larry")
		if got := larry.says(t); got != "published" { // its socket's path was free
			t.Fatal(got)
		}
		larry.kill()
	}
	c := claim(t, dir, id("larry"))
	if c.Port() != 7946 {
		t.Errorf("it remembers port %d", c.Port())
	}
	if got := names(t, dir); got != "" {
		t.Errorf("in view before they publish: %s", got)
	}
}

func TestKilledBeforeItPublished(t *testing.T) {
	dir := runDir(t)
	larry := start(t, nil, "claim", dir, "larry")
	if got := larry.says(t); got != "claimed" {
		t.Fatal(got)
	}
	if got := names(t, dir); got != "" {
		t.Errorf("in view: %s", got)
	}
	if got := files(t, dir); got != ".lock" {
		t.Errorf("files while it starts: %q, want its lock", got)
	}
	larry.kill()
	// One may be killed even before it has written its number.
	if err := os.WriteFile(pathsOf(dir, id("moe").stem()).lock, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	names(t, dir)
	if got := files(t, dir); got != "" {
		t.Errorf("left behind: %s", got)
	}
}

// Whoever comes, goes, looks or is killed, a standing node never drops out of
// view, and nothing is left behind in the end.
func TestStandingNodesStayInView(t *testing.T) {
	dir := runDir(t)
	var standing []string
	for i := range 5 {
		name := fmt.Sprintf("standing-%d", i)
		publish(t, dir, id(name), "127.0.0.1:1")
		standing = append(standing, name)
	}
	var stormy []process
	for i := range 5 {
		stormy = append(stormy, start(t, nil, "storm", dir, fmt.Sprintf("storm-%d", i)))
	}
	var done atomic.Bool
	go func() {
		defer done.Store(true)
		for _, p := range stormy { // each is killed in the midst of something
			if line, err := p.out.ReadString('\n'); line != "once more\n" {
				t.Errorf("a stormy process: %q, %v", line, err)
			}
			p.kill()
		}
	}()
	hammer(6, func(i int) {
		for n := 0; n < 20 || !done.Load(); n++ {
			if i < 3 {
				c, err := ClaimName(dir, id(fmt.Sprintf("guest-%d", i)))
				if err != nil {
					t.Error(err)
					return
				}
				if err := c.Publish("127.0.0.1:2", 1); err != nil {
					t.Error(err)
				}
				if got := names(t, dir); !strings.Contains(got, fmt.Sprintf("guest-%d", i)) {
					t.Errorf("guest %d does not see itself among %s", i, got)
				}
				if err := c.Release(); err != nil {
					t.Error(err)
				}
				continue
			}
			got, err := List(dir)
			if err != nil {
				t.Error(err)
				return
			}
			for _, name := range standing {
				if !slices.ContainsFunc(got, func(e Entry) bool { return e.Name == name }) {
					t.Errorf("%s is out of view: %v", name, got)
				}
			}
		}
	})
	if got := names(t, dir); got != strings.Join(standing, " ") {
		t.Errorf("in the end in view: %s", got)
	}
}

// A dead node's lock is tried by everyone who looks, which may not make its
// name seem taken to the next life, nor take that life's files away.
func TestNextLifeWhileOthersLook(t *testing.T) {
	dir := runDir(t)
	var done atomic.Bool
	hammer(4, func(i int) {
		if i > 0 {
			for !done.Load() {
				names(t, dir)
			}
			return
		}
		defer done.Store(true)
		for n := range 50 {
			dead(t, dir, "larry", 7946)
			c, err := ClaimName(dir, id("larry"))
			if err == nil {
				err = c.Publish("127.0.0.1:1", uint64(n))
			}
			if err == nil && names(t, dir) != "larry" {
				err = errors.New("out of view")
			}
			if err == nil {
				err = c.Release()
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
}

// Nodes that start together: of any two at least one sees the other.
func TestSimultaneousStartsSeeEachOther(t *testing.T) {
	dir := runDir(t)
	const n = 12
	var seen [n]string
	hammer(n, func(i int) {
		c, err := ClaimName(dir, id(fmt.Sprintf("node-%02d", i)))
		if err == nil {
			t.Cleanup(func() { c.Release() })
			err = c.Publish("127.0.0.1:1", 1)
		}
		if err != nil {
			t.Error(err)
		}
		seen[i] = names(t, dir)
	})
	for i := range n {
		for j := range i {
			if !strings.Contains(seen[i], fmt.Sprintf("node-%02d", j)) && !strings.Contains(seen[j], fmt.Sprintf("node-%02d", i)) {
				t.Errorf("nodes %d and %d missed each other", i, j)
			}
		}
	}
}

// dead writes the files of a node that is no more.
func dead(t *testing.T, dir, name string, port int) paths {
	t.Helper()
	p := pathsOf(dir, id(name).stem())
	data, err := json.Marshal(Entry{ID: id(name), Addr: fmt.Sprintf("127.0.0.1:%d", port), PID: 1})
	if err != nil {
		t.Fatal(err)
	}
	for path, data := range map[string][]byte{p.entry: data, p.lock: []byte("1\n"), p.temp: data[:9]} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func TestHundredsOfDeadNodes(t *testing.T) {
	dir := runDir(t)
	for i := range 300 {
		dead(t, dir, fmt.Sprintf("n%d", i), 1000+i)
	}
	publish(t, dir, id("larry"), "127.0.0.1:1")
	for range 300/pruneMax + 1 {
		if got := names(t, dir); got != "larry" {
			t.Errorf("in view: %.80s", got)
		}
	}
	if got := files(t, dir); strings.Count(got, ".port") != rememberMax || strings.Count(got, " ") != rememberMax+1 {
		t.Errorf("%d files left, %d of them ports; want %d ports, and two of larry's", strings.Count(got, " ")+1, strings.Count(got, ".port"), rememberMax)
	}
}

func TestPortIsForgottenAfterADay(t *testing.T) {
	dir := runDir(t)
	for name, age := range map[string]time.Duration{"larry": 23 * time.Hour, "moe": 25 * time.Hour} {
		p := dead(t, dir, name, 7946)
		names(t, dir)
		at := time.Now().Add(-age)
		if err := os.Chtimes(p.port, at, at); err != nil {
			t.Fatal(err)
		}
	}
	names(t, dir)
	if port := claim(t, dir, id("larry")).Port(); port != 7946 {
		t.Errorf("larry's port after 23 hours is %d", port)
	}
	if port := claim(t, dir, id("moe")).Port(); port != 0 {
		t.Errorf("moe's port after 25 hours is %d", port)
	}
}

// A directory may hold anything. It neither hides the living nor blocks, and
// what is not of this package's making stays.
func TestForeignFilesAreLeftAlone(t *testing.T) {
	dir := runDir(t)
	outside := filepath.Join(t.TempDir(), "precious")
	other := dead(t, t.TempDir(), "other", 1)
	otherEntry, err := os.ReadFile(other.entry)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		path := filepath.Join(dir, name)
		if filepath.IsAbs(name) {
			path = name
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write(outside, "precious", 0o600)
	write("notes.json", "{}", 0o600)
	write("report-20240101.json", "not JSON", 0o600)
	write("truncated-00000001.json", `{"name":"trunc`, 0o600)
	write("huge-00000002.json", strings.Repeat("[", 1<<20), 0o600)
	write("unreadable-00000003.json", "{}", 0)
	write("misplaced-00000004.json", string(otherEntry), 0o600)
	write("yarn-00000005.lock", "lockfileVersion: 9", 0o600)
	write("yarn-00000005.tmp", "a draft", 0o600)
	write("draft-00000008.tmp", "a draft", 0o600)
	write("port-00000006.port", "http", 0o600)
	write("socket-00000007.sock", "not a socket", 0o600)
	for _, ext := range []string{"json", "lock", "sock", "port", "tmp"} {
		at := func(stem string) string { return filepath.Join(dir, stem+"."+ext) }
		for _, err := range []error{
			syscall.Mkfifo(at("pipe-0000000a"), 0o600),
			os.Mkdir(at("dir-0000000b"), 0o700),
			os.Symlink(outside, at("link-0000000c")),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	before := files(t, dir)
	for range 2 {
		if got := names(t, dir); got != "" {
			t.Errorf("in view: %s", got)
		}
	}
	if after := files(t, dir); after != before {
		t.Errorf("files before:\n%s\nafter:\n%s", before, after)
	}
	publish(t, dir, id("larry"), "127.0.0.1:1")
	if got := names(t, dir); got != "larry" {
		t.Errorf("in view: %s", got)
	}
	if got, _ := os.ReadFile(outside); string(got) != "precious" {
		t.Errorf("a file elsewhere was changed to %q", got)
	}
}

// Junk in the place of a node's own files does not keep it from living, nor
// does it reach a file elsewhere.
func TestJunkInPlaceOfAnEntry(t *testing.T) {
	dir := runDir(t)
	p := pathsOf(dir, id("larry").stem())
	outside := filepath.Join(t.TempDir(), "precious")
	for _, err := range []error{
		os.WriteFile(outside, []byte("precious"), 0o600),
		os.WriteFile(p.entry, []byte(`{"name":`), 0o600),
		os.WriteFile(p.lock, []byte("junk, and much longer than a process number"), 0o600),
		os.Symlink(outside, p.port),
		os.Symlink(outside, p.temp),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	c := publish(t, dir, id("larry"), "127.0.0.1:1")
	if c.Port() != 0 {
		t.Errorf("port %d", c.Port())
	}
	if got := names(t, dir); got != "larry" {
		t.Errorf("in view: %s", got)
	}
	if err := c.Release(); err != nil {
		t.Error(err)
	}
	if got := claim(t, dir, id("larry")).Port(); got != 1 {
		t.Errorf("the next life remembers port %d", got)
	}
	if got, _ := os.ReadFile(outside); string(got) != "precious" {
		t.Errorf("a file elsewhere was changed to %q", got)
	}
}

func BenchmarkList(b *testing.B) {
	dir := runDir(b)
	for i := range 30 {
		publish(b, dir, id(fmt.Sprintf("n%d", i)), "127.0.0.1:1")
	}
	for b.Loop() {
		if got, err := List(dir); err != nil || len(got) != 30 {
			b.Fatal(len(got), err)
		}
	}
}

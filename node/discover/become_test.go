package discover

import (
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
)

const next = "5ffa49192afa42ba" // the fingerprint of another cookie

// A node whose cookie is rotated is in view by the new one, at the same socket's
// listener; by the old one its name is free again.
func TestBecome(t *testing.T) {
	dir := runDir(t)
	c := claim(t, dir, id("larry"))
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: c.Socket()})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	defer listener.Close()
	if err := c.Publish("127.0.0.1:7946", 1); err != nil {
		t.Fatal(err)
	}
	before := c.Socket()
	if err := c.Become(next, []string{home}); err != nil {
		t.Fatal(err)
	}
	all, err := List(dir)
	if err != nil || len(all) != 1 || all[0].Fingerprint != next || !slices.Equal(all[0].Retired, []string{home}) || all[0].Addr != "127.0.0.1:7946" {
		t.Fatalf("%+v, %v", all, err)
	}
	conn, err := net.Dial("unix", all[0].Socket)
	if err != nil {
		t.Fatalf("a terminal does not find it: %v", err)
	}
	conn.Close()
	if all[0].Socket != c.Socket() || c.Socket() == before {
		t.Errorf("the socket went from %s to %s, and %s is in view", before, c.Socket(), all[0].Socket)
	}
	other := claim(t, dir, id("larry"))
	if err := other.Release(); err != nil {
		t.Error(err)
	}
	if _, err := ClaimName(dir, ID{Name: "larry", Cluster: "parking", Fingerprint: next}); !errors.Is(err, ErrNameTaken) {
		t.Errorf("its name by the new cookie: %v", err)
	}
	if err := c.Publish("127.0.0.1:7947", 1); err != nil {
		t.Error(err)
	}
	if all, _ := List(dir); len(all) != 1 || len(all[0].Retired) != 1 {
		t.Errorf("after moving: %+v", all)
	}
	if err := c.Become(next, slices.Repeat([]string{home}, maxRetired+3)); err != nil {
		t.Error(err)
	}
	if all, _ := List(dir); len(all) != 1 || len(all[0].Retired) != maxRetired {
		t.Errorf("of many retired ones: %+v", all)
	}
	if err := c.Release(); err != nil {
		t.Error(err)
	}
	if got := names(t, dir); got != "" {
		t.Errorf("%q are in view", got)
	}
	if again := claim(t, dir, ID{Name: "larry", Cluster: "parking", Fingerprint: next}); again.Port() != 7947 {
		t.Errorf("its next life remembers port %d", again.Port())
	}
	if err := c.Become(home, nil); err == nil {
		t.Error("what was released became something else")
	}
}

// Where another node has the name by the new cookie, nothing is changed.
func TestBecomeIsRefused(t *testing.T) {
	dir := runDir(t)
	c := claim(t, dir, id("larry"))
	if err := c.Publish("127.0.0.1:7946", 1); err != nil {
		t.Fatal(err)
	}
	if err := c.Become("not a fingerprint", nil); err == nil {
		t.Error("it became no fingerprint")
	}
	claim(t, dir, ID{Name: "larry", Cluster: "parking", Fingerprint: next})
	if err := c.Become(next, nil); !errors.Is(err, ErrNameTaken) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
	all, _ := List(dir)
	if len(all) != 1 || all[0].Fingerprint != home {
		t.Errorf("%+v", all)
	}
	if _, err := os.Stat(pathsOf(dir, id("larry").stem()).lock); err != nil {
		t.Error(err)
	}
}

package scripts_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"parking/repl/process"
)

// hostPatience bounds every wait for something that is due soon.
const hostPatience = 15 * time.Second

// hosts are a cluster of which each node has its own host.
type hosts struct {
	*hostnet
	t   *testing.T
	all map[string]*host
}

// castOfHosts are larry, who is there first, and two that join him.
var castOfHosts = []string{"larry", "gary", "harry"}

// startHosts returns a cluster that is complete, with gates on all nodes.
func startHosts(t *testing.T, what string) *hosts {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "hosts") // t.TempDir is too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cookie := filepath.Join(dir, "cookie")
	if err := os.WriteFile(cookie, []byte("limozeen"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &hosts{newHostnet(t, what, castOfHosts...), t, make(map[string]*host)}
	const port = "7946"
	for i, name := range castOfHosts {
		group, err := process.Open(process.Config{Exe: c.wrapper(t, dir, name, parking), Env: os.Environ(), Temp: dir})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { // those that are cut off have nobody to leave to
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if err := group.Close(ctx, time.Second); err != nil {
				t.Error(err)
			}
		})
		flags := []string{"--cookie-file", cookie, "--bind", c.ip(name) + ":" + port}
		if i > 0 {
			flags = append(flags, "--join", c.ip(castOfHosts[0])+":"+port)
		}
		started, err := group.Start([]string{name}, flags)
		if err != nil {
			t.Fatal(err)
		}
		h := newHost(t, started[0], group)
		c.all[name] = h
		ctx, cancel := context.WithTimeout(t.Context(), hostPatience)
		defer cancel()
		if err := h.Connect(ctx); err != nil {
			t.Fatal(err)
		}
		h.listen()
	}
	c.until("all are there", c.complete)
	c.spread()
	return c
}

// spread puts gates on all nodes: 1 and 4 on larry, 2 on gary, 3 on harry.
func (c *hosts) spread() {
	c.t.Helper()
	larry, want := c.all["larry"], []string{"larry", "gary", "harry", "larry"}
	c.until("the gates are spread", func() bool {
		for i, on := range strings.Fields(larry.gates()) {
			if on != want[i] {
				_ = larry.ask(fmt.Sprintf("gate %d move %s", i+1, want[i]), nil)
			}
		}
		return c.complete() && larry.gates() == strings.Join(want, " ")
	})
}

// until waits for what is due, and returns how long that took.
func (c *hosts) until(what string, holds func() bool) time.Duration {
	c.t.Helper()
	begin := time.Now()
	late := time.After(hostPatience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-late:
			var state strings.Builder
			for _, name := range c.running() {
				h := c.all[name]
				fmt.Fprintf(&state, "\n%s sees %s alive; gates %s; has %s; heard %v", name, h.sees(), h.gates(), h.has(), h.failures())
			}
			c.t.Fatalf("after %v this does not hold: %s%s", hostPatience, what, state.String())
		}
	}
	return time.Since(begin)
}

// watch checks all the while that it holds, or does so again soon. It returns
// for how long at most it did not.
func (c *hosts) watch(d time.Duration, what string, holds func() bool) (not time.Duration) {
	c.t.Helper()
	end := time.After(d)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if !holds() {
			not = max(not, c.until(what, holds))
		}
		select {
		case <-tick.C:
		case <-end:
			return not
		}
	}
}

// running returns the names of the nodes that run.
func (c *hosts) running() []string {
	return slices.DeleteFunc(slices.Clone(castOfHosts), func(name string) bool { return c.all[name].Gone() })
}

// complete reports whether all that run see each other alive, have the same
// state, and agree on one node for each gate.
func (c *hosts) complete() bool { return complete(c.views()) }

// same reports whether all that run have the same state.
func (c *hosts) same() bool { return same(c.views()) }

// views returns those of the nodes that run.
func (c *hosts) views() (all []*viewpoint) {
	for _, name := range c.running() {
		all = append(all, &c.all[name].viewpoint)
	}
	return all
}

// powerOff takes a host from the wire and only then kills its node: nobody is
// told, and nobody refuses.
func (c *hosts) powerOff(name string) error {
	if err := c.in(name, "", "ip", "link", "set", "eth0", "down"); err != nil {
		return err
	}
	return c.kill(name)
}

func (c *hosts) kill(name string) error {
	if err := c.all[name].Signal(syscall.SIGKILL); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), hostPatience)
	defer cancel()
	return c.all[name].Wait(ctx)
}

package main

import (
	"regexp"
	"strings"
	"testing"
)

// refusedAt types a line at a node's prompt, which must be refused.
func (h *host) refusedAt(name, line, want string) {
	h.t.Helper()
	w := h.open(24, "attach", name, "-c", line)
	w.expect(want)
	w.ended(1)
}

var pid = regexp.MustCompile(`"pid": ?([0-9]+)`)

// A lab's nodes start each other again in their panes, with their flags: one that
// runs, one that is paused and one that was killed.
func TestANodeOfALabIsRestarted(t *testing.T) {
	h := withTmux(t, "PARKING_SPACES=7")
	w := h.open(40, "lab", "larry", "gary", "--gates", "2", "--ack", "0")
	w.expect("first node|joined")
	h.run("attach", "larry", "-c", "await members 2 10s")
	life := h.run("attach", "gary", "--format", "json", "-c", "status")
	again := func(why string) {
		t.Helper()
		if out := h.run("attach", "larry", "-c", "restart gary"); !strings.Contains(out, "gary starts again") {
			t.Errorf("%s: restart answered %q", why, out)
		}
		h.run("attach", "larry", "-c", "await members 2 10s")
		h.run("attach", "gary", "-c", "await members 2 10s")
		last := life
		if life = h.run("attach", "gary", "--format", "json", "-c", "status"); number(t, pid.FindStringSubmatch(life)[1]) == number(t, pid.FindStringSubmatch(last)[1]) {
			t.Errorf("%s: gary is the same process still", why)
		}
		if out := h.run("attach", "gary", "-c", "spaces"); !strings.HasPrefix(out, "7 spaces") {
			t.Errorf("%s: gary answers %q", why, out)
		}
	}
	again("it runs")
	h.run("attach", "larry", "-c", "pause gary")
	again("it is paused")
	h.run("attach", "larry", "-c", "kill-node gary")
	h.shows("lab.1", "gary ended with code 137")
	again("it was killed")
	h.refusedAt("larry", "restart larry", "larry does not restart itself; type restart larry at another node")
	h.refusedAt("larry", "restart bob", "bob was not started by the lab of larry")
}

// Elsewhere a node says where it can be restarted.
func TestANodeOfNoLabIsNotRestarted(t *testing.T) {
	h := newHost(t)
	larry := h.open(24, "--sname", "larry")
	larry.prompt("larry")
	gary := h.open(24, "--sname", "gary")
	gary.prompt("gary")
	harry := h.open(24, "--sname", "harry", "--no-faults")
	harry.prompt("harry")
	h.refusedAt("larry", "restart gary", "gary was not started by the lab of larry; start it where it was")
	h.refusedAt("larry", "restart harry", "harry was started with --no-faults")
	h.refusedAt("harry", "restart larry", "harry was started with --no-faults")
	h.refusedAt("larry", "restart GARY", "GARY")
	for _, w := range []*window{harry, gary, larry} {
		w.send("quit\r")
		w.ended(0)
	}
}

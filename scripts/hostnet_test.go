package scripts_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A hostnet is a network of hosts on this machine: each is a network namespace
// with one interface, eth0, and a bridge in a namespace of its own joins them.
// Nothing of it reaches this machine's network, and all of it is gone with the
// namespaces.
type hostnet struct {
	prefix string // of the namespaces' names
	names  []string
}

const (
	// netName begins the names of namespaces; the process follows that made them.
	netName = "parking-"
	// wire is the namespace with the bridge.
	wire = "wire"
)

// needHosts skips the test where no hosts can be made, and says why.
func needHosts(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("hosts are network namespaces, which only root can make")
	}
	var missing []string
	for _, tool := range []string{"ip", "nft"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, tool)
		}
	}
	if missing != nil {
		t.Skipf("hosts need %s; Debian has them in iproute2 and nftables", strings.Join(missing, " and "))
	}
	removeAbandoned(t)
	trial := &hostnet{prefix: fmt.Sprintf("%s%d-trial-", netName, os.Getpid())}
	defer trial.remove()
	if err := trial.make("a"); err != nil {
		t.Skipf("this machine lets nobody make network namespaces, bridges or packet filters: %v", err)
	}
	if err := trial.filter("a", "ip saddr 10.77.0.9 numgen random mod 100 < 30 drop"); err != nil {
		t.Skipf("this machine's kernel lacks packet filters: %v", err)
	}
}

// removeAbandoned deletes the namespaces of test processes that were killed.
func removeAbandoned(t *testing.T) {
	t.Helper()
	out, _ := exec.Command("ip", "netns", "list").Output()
	for _, m := range regexp.MustCompile(`(?m)^`+netName+`([0-9]+)-\S+`).FindAllStringSubmatch(string(out), -1) {
		if pid, _ := strconv.Atoi(m[1]); isGone(pid) {
			t.Logf("deleting %s, which a killed test left", m[0])
			_ = exec.Command("ip", "netns", "del", m[0]).Run()
		}
	}
}

// newHostnet makes hosts of those names. They go with the test.
func newHostnet(t *testing.T, what string, names ...string) *hostnet {
	t.Helper()
	h := &hostnet{prefix: fmt.Sprintf("%s%d-%s-", netName, os.Getpid(), what)}
	t.Cleanup(h.remove)
	if err := h.make(names...); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *hostnet) make(names ...string) error {
	if err := h.add(wire); err != nil {
		return err
	}
	if err := h.in(wire, "", "ip", "link", "add", "bridge", "up", "type", "bridge"); err != nil {
		return err
	}
	for _, name := range names {
		if err := h.add(name); err != nil {
			return err
		}
		for _, command := range []string{
			"link add eth0 type veth peer name " + name + " netns " + h.prefix + wire,
			"addr add " + h.ip(name) + "/24 dev eth0",
			"link set eth0 up",
			"link set lo up",
		} {
			if err := h.in(name, "", "ip", strings.Fields(command)...); err != nil {
				return err
			}
		}
		if err := h.in(wire, "", "ip", "link", "set", "dev", name, "master", "bridge", "up"); err != nil {
			return err
		}
	}
	return nil
}

// add makes a namespace.
func (h *hostnet) add(name string) error {
	if err := run("", "ip", "netns", "add", h.prefix+name); err != nil {
		return err
	}
	h.names = append(h.names, name)
	return nil
}

// remove deletes the namespaces and so all that is in them.
func (h *hostnet) remove() {
	for _, name := range h.names {
		_ = run("", "ip", "netns", "del", h.prefix+name)
	}
}

// ip returns a host's address.
func (h *hostnet) ip(name string) string {
	for i, n := range h.names {
		if n == name {
			return fmt.Sprintf("10.77.0.%d", i)
		}
	}
	panic("there is no host " + name)
}

// filter puts rules on what a host receives, in the place of those before. The
// sender does not notice: rules on what it sends would give it errors.
func (h *hostnet) filter(host string, rules ...string) error {
	return h.in(host, `add table inet broken
		delete table inet broken
		table inet broken {
			chain received {
				type filter hook input priority 0; policy accept;
				`+strings.Join(rules, "\n")+`
			}
		}`, "nft", "-f", "-")
}

// wrapper returns the path of a program, in dir, that is the other one on that
// host. It becomes that one, so that the process is the same.
func (h *hostnet) wrapper(t *testing.T, dir, host, program string) string {
	t.Helper()
	path := filepath.Join(dir, "on-"+host)
	text := fmt.Sprintf("#!/bin/sh\nexec ip netns exec %s %s \"$@\"\n", h.prefix+host, program)
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// in runs a program on a host.
func (h *hostnet) in(host, stdin, program string, args ...string) error {
	return run(stdin, "ip", append([]string{"netns", "exec", h.prefix + host, program}, args...)...)
}

func run(stdin, program string, args ...string) error {
	c := exec.Command(program, args...)
	c.Stdin = strings.NewReader(stdin)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

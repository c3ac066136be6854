package main

import (
	"net"
	"net/netip"
	"strings"
	"testing"
)

func TestBind(t *testing.T) {
	loopback := ""
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 {
			loopback = i.Name
		}
	}
	for _, c := range []struct{ bind, pod, want string }{
		{"127.0.0.1", "", "127.0.0.1:0"},
		{"0.0.0.0:7946", "", "0.0.0.0:7946"},
		{"::1", "", "[::1]:0"},
		{"[::1]", "", "[::1]:0"},
		{"[::1]:7946", "", "[::1]:7946"},
		{":7946", "", "127.0.0.1:7946"},
		{loopback, "", "127.0.0.1:0"},
		{loopback + ":7946", "", "127.0.0.1:7946"},
		{"127.0.0.1", "10.1.2.3", "10.1.2.3:7946"},
		{"127.0.0.1", "fd00::7", "[fd00::7]:7946"},
		{":7000", "10.1.2.3", "10.1.2.3:7000"},
		{"eth0x:1", "", "nor an interface of this host: it has "},
		{"eth0:seven", "", "is not ADDR, ADDR:PORT or :PORT"},
		{"127.0.0.1", "0.0.0.0", "is not the IP address of a pod"},
		{"127.0.0.1", "10.1.2", "is not the IP address of a pod"},
	} {
		if c.bind == "" || strings.HasPrefix(c.bind, ":") && loopback == "" {
			continue
		}
		s := settings{Bind: c.bind, PodIP: c.pod}
		err := s.parseBind()
		if err == nil {
			err = s.parsePodIP()
		}
		got := netip.AddrPortFrom(s.addr, uint16(s.port)).String()
		if err != nil {
			got = err.Error()
		}
		if got != c.want && (err == nil || !strings.Contains(got, c.want)) {
			t.Errorf("--bind %s --pod-ip %s: %s, want %s", c.bind, c.pod, got, c.want)
		}
	}
}

// Of an interface's addresses the first is taken that others can reach.
func TestTheAddressOfAnInterface(t *testing.T) {
	for _, c := range []struct{ addrs, want string }{
		{"fe80::1/64 fd00::1/64 10.0.0.2/8 10.0.0.3/8", "10.0.0.2"},
		{"fe80::1/64 fd00::1/64 fd00::2/64", "fd00::1"},
		{"169.254.1.1/16 fe80::1/64", "invalid IP"},
		{"", "invalid IP"},
	} {
		var addrs []net.Addr
		for a := range strings.FieldsSeq(c.addrs) {
			ip, n, err := net.ParseCIDR(a)
			if err != nil {
				t.Fatal(err)
			}
			addrs = append(addrs, &net.IPNet{IP: ip, Mask: n.Mask})
		}
		if got, ok := usable(addrs); got.String() != c.want || ok != (c.want != "invalid IP") {
			t.Errorf("%s: %v, %v, want %s", c.addrs, got, ok, c.want)
		}
	}
}

package main

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// podPort is the gossip's port on a pod's address, and where a name is all that
// is known of the others.
const podPort = 7946

// parseBind reads where the node is to listen: ADDR, ADDR:PORT, :PORT on the
// loopback, or the name of an interface, with or without a port.
func (s *settings) parseBind() error {
	if ap, err := netip.ParseAddrPort(s.Bind); err == nil {
		s.addr, s.port = ap.Addr(), int(ap.Port())
		return nil
	}
	if a, err := netip.ParseAddr(strings.Trim(s.Bind, "[]")); err == nil {
		s.addr, s.port = a, 0
		return nil
	}
	name, port := s.Bind, uint64(0)
	if i := strings.LastIndexByte(name, ':'); i >= 0 {
		n, err := strconv.ParseUint(name[i+1:], 10, 16)
		if err != nil {
			return fmt.Errorf("--bind %.80q is not ADDR, ADDR:PORT or :PORT, with an IP address or the name of an interface", s.Bind)
		}
		name, port = name[:i], n
	}
	s.addr, s.port = netip.AddrFrom4([4]byte{127, 0, 0, 1}), int(port)
	if name == "" {
		return nil
	}
	all, err := net.Interfaces()
	if err != nil {
		return fmt.Errorf("--bind %.80q: no interfaces can be listed: %w", s.Bind, err)
	}
	var names []string
	for _, i := range all {
		if i.Name != name {
			names = append(names, i.Name)
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			return fmt.Errorf("--bind %s: %w", name, err)
		}
		var ok bool
		if s.addr, ok = usable(addrs); !ok {
			return fmt.Errorf("--bind %s: that interface has no address to listen on; give another, or an IP address", name)
		}
		return nil
	}
	return fmt.Errorf("--bind %.80q is not an IP address, nor an interface of this host: it has %s", s.Bind, strings.Join(names, " "))
}

// address returns the address that a node with these settings would listen at now:
// an interface may have another since they were read.
func (s settings) address() (netip.Addr, error) {
	err := s.parseBind()
	if err == nil {
		err = s.parsePodIP()
	}
	return s.addr, err
}

// usable returns the first of an interface's addresses that others can reach, by
// IPv4 if there is one.
func usable(addrs []net.Addr) (first netip.Addr, ok bool) {
	for _, a := range addrs {
		n, isNet := a.(*net.IPNet)
		if !isNet {
			continue
		}
		ip, valid := netip.AddrFromSlice(n.IP)
		ip = ip.Unmap()
		switch {
		case !valid || !ip.IsGlobalUnicast() && !ip.IsLoopback():
		case ip.Is4():
			return ip, true
		case !ok:
			first, ok = ip, true
		}
	}
	return first, ok
}

// parsePodIP reads the pod's address, which rules over that of --bind, but not over
// its port.
func (s *settings) parsePodIP() error {
	if s.PodIP == "" {
		return nil
	}
	ip, err := netip.ParseAddr(s.PodIP)
	if err != nil || ip.IsUnspecified() || ip.IsMulticast() {
		return fmt.Errorf("--pod-ip %.80q is not the IP address of a pod, such as status.podIP", s.PodIP)
	}
	if s.addr = ip.Unmap(); s.port == 0 {
		s.port = podPort
	}
	return nil
}

package main

import (
	"fmt"
	"strings"

	"parking/node/discover/dns"
)

// What --discover may say beside a name.
const (
	byHost    = "host"
	byNobody  = "none"
	dnsPrefix = "dns:"
)

// parseDiscover reads how nodes are found. One that finds them by a name looks at
// no neighbours: those of the cluster have the name, too.
func (s *settings) parseDiscover() error {
	s.near, s.seeds = s.Discover == byHost, nil
	name, byName := strings.CutPrefix(s.Discover, dnsPrefix)
	switch {
	case byName:
		n, err := dns.Parse(name)
		if err != nil {
			return fmt.Errorf("--discover %.100q: %w", s.Discover, err)
		}
		s.seeds = dns.New(n, s.DNSServer)
	case s.Discover != byHost && s.Discover != byNobody:
		return fmt.Errorf("--discover %.80q is not host, dns:NAME[:PORT] or none", s.Discover)
	case s.DNSServer != "":
		return fmt.Errorf("--dns-server is for --discover dns:NAME, and --discover is %s", s.Discover)
	}
	return nil
}

func (s *settings) checkServer() error {
	if s.DNSServer != "" && !isHostPort(s.DNSServer) {
		return fmt.Errorf("--dns-server %.80q is not HOST:PORT", s.DNSServer)
	}
	return nil
}

package dns

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// DefaultPort is the port of nodes whose name says none.
const DefaultPort = 7946

// ErrName is wrapped by the error of [Parse].
var ErrName = errors.New("dns: not a name to find nodes by")

// A Name is what nodes are found by.
type Name struct {
	Host string
	Port int // of all its addresses; 0 where SRV records say it
}

// Parse reads NAME or NAME:PORT. A name that begins with an underscore, as in
// _gossip._tcp.parking.lot, is a service's: its SRV records say the ports, so
// it has none of its own.
func Parse(s string) (Name, error) {
	host, port, ported := strings.Cut(s, ":")
	n := Name{Host: host}
	switch {
	case !wellFormed(host):
		return Name{}, fmt.Errorf("%w: %.80q; give a name such as parking.lot or parking.lot:%d", ErrName, s, DefaultPort)
	case net.ParseIP(host) != nil:
		return Name{}, fmt.Errorf("%w: %s is an address; --join takes those", ErrName, host)
	case n.Service() && ported:
		return Name{}, fmt.Errorf("%w: %.80q; the SRV records of %s say the ports, so give none", ErrName, s, host)
	case n.Service():
		return n, nil
	case !ported:
		n.Port = DefaultPort
		return n, nil
	}
	p, err := strconv.ParseUint(port, 10, 16)
	if err != nil || p == 0 {
		return Name{}, fmt.Errorf("%w: the port in %.80q is not 1 to 65535", ErrName, s)
	}
	n.Port = int(p)
	return n, nil
}

// Service reports whether it is the name of a service, whose records say the
// ports.
func (n Name) Service() bool { return strings.HasPrefix(n.Host, "_") }

// String returns the name as [Parse] takes it.
func (n Name) String() string {
	if n.Service() || n.Port == DefaultPort {
		return n.Host
	}
	return n.Host + ":" + strconv.Itoa(n.Port)
}

// wellFormed reports whether s looks like a name in the DNS: labels of up to 63
// letters, digits, hyphens and underscores, 253 bytes together.
func wellFormed(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for _, c := range label {
			switch {
			case c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
			default:
				return false
			}
		}
	}
	return true
}

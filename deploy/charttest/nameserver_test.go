package charttest

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// nameserver answers for one headless Service, as a cluster's would.
type nameserver struct {
	name string // with its last dot
	addr string

	mu    sync.Mutex
	pods  []netip.Addr
	asked map[string]int
}

// newNameserver starts one on loopback that ends with the test.
func newNameserver(t *testing.T, name string) *nameserver {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &nameserver{name: name, addr: conn.LocalAddr().String(), asked: make(map[string]int)}
	var serving sync.WaitGroup
	serving.Go(func() { n.serve(conn) })
	t.Cleanup(func() {
		conn.Close()
		serving.Wait()
	})
	return n
}

// set changes the addresses of the Service.
func (n *nameserver) set(pods ...netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.pods = slices.Clone(pods)
}

// strangers returns the other names that were asked for.
func (n *nameserver) strangers() (names []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for name := range n.asked {
		if name != n.name {
			names = append(names, name)
		}
	}
	return names
}

func (n *nameserver) serve(conn net.PacketConn) {
	packet := make([]byte, 1500)
	for {
		size, from, err := conn.ReadFrom(packet)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(packet[:size]) != nil || len(m.Questions) != 1 {
			continue
		}
		n.answer(&m)
		if out, err := m.Pack(); err == nil {
			_, _ = conn.WriteTo(out, from) // who asked asks again
		}
	}
}

func (n *nameserver) answer(m *dnsmessage.Message) {
	n.mu.Lock()
	defer n.mu.Unlock()
	q := m.Questions[0]
	n.asked[strings.ToLower(q.Name.String())]++
	m.Response, m.Authoritative, m.Additionals = true, true, nil
	if !strings.EqualFold(q.Name.String(), n.name) || len(n.pods) == 0 {
		m.RCode = dnsmessage.RCodeNameError
		return
	}
	for _, ip := range n.pods {
		header := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: 5}
		switch {
		case q.Type == dnsmessage.TypeA && ip.Is4():
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: ip.As4()}})
		case q.Type == dnsmessage.TypeAAAA && ip.Is6():
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: ip.As16()}})
		}
	}
}

package node_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"parking/node"
	"parking/node/discover/dns"
	"parking/node/discover/dns/dnstest"
	"parking/node/member"
)

// hosted is a node on the host's own network.
type hosted struct {
	*node.Node
	port int
	done chan error

	mu      sync.Mutex
	notices []string
}

// onHost starts a node at that address; port 0 takes a free one. It leaves when
// the test ends.
func onHost(t *testing.T, name, ip string, port int, change ...func(*node.Config)) *hosted {
	t.Helper()
	network, err := member.Listen(net.ParseIP(ip), port, slog.New(slog.DiscardHandler))
	if err != nil {
		cannotListen(t, ip, err)
	}
	_, port, _ = network.FinalAdvertiseAddr("", 0)
	cfg := node.DefaultConfig()
	cfg.Name, cfg.Keys, cfg.Network = name, testKeys(), network
	cfg.Rand = rand.New(rand.NewPCG(rand.Uint64(), 1))
	for _, c := range change {
		c(&cfg)
	}
	n, err := node.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h := &hosted{Node: n, port: port, done: make(chan error, 1)}
	ctx, stop := context.WithCancel(context.Background())
	sub, told := n.Subscribe(), make(chan struct{})
	go func() {
		defer close(told)
		for {
			events, _ := sub.Next(context.Background())
			if events == nil {
				return
			}
			h.mu.Lock()
			for _, e := range events {
				if e.Kind == node.Notice {
					h.notices = append(h.notices, e.Reason)
				}
			}
			h.mu.Unlock()
		}
	}()
	go func() { h.done <- n.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-h.done; err != nil {
			t.Errorf("%s: %v", name, err)
		}
		<-told
	})
	return h
}

// freePort returns a port that is free at all of those addresses.
func freePort(t *testing.T, ips ...string) int {
	t.Helper()
	for try := 0; ; try++ {
		port, err := portOf(ips)
		switch {
		case err == nil:
			return port
		case !errors.Is(err, syscall.EADDRINUSE) || try == 50:
			cannotListen(t, fmt.Sprint(ips), err)
		}
	}
}

func portOf(ips []string) (port int, err error) {
	for _, ip := range ips {
		l, err := net.Listen("tcp", net.JoinHostPort(ip, strconv.Itoa(port)))
		if err != nil {
			return 0, err
		}
		defer l.Close()
		port = l.Addr().(*net.TCPAddr).Port
	}
	return port, nil
}

// cannotListen skips a test on a host that has no such address; any other reason
// fails it.
func cannotListen(t *testing.T, ip string, err error) {
	t.Helper()
	if errors.Is(err, syscall.EADDRNOTAVAIL) || strings.Contains(err.Error(), syscall.EADDRNOTAVAIL.Error()) {
		t.Skipf("no node can listen on %s here: %v", ip, err)
	}
	t.Fatalf("listening on %s: %v", ip, err)
}

// named makes a node find others by a name of that server.
func named(t *testing.T, s *dnstest.Server, name string) func(*node.Config) {
	t.Helper()
	n, err := dns.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *node.Config) { c.Seeds = dns.New(n, s.Addr) }
}

// told reports whether the node gave a notice with that in it, and how often.
func (h *hosted) told(substr string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, text := range h.notices {
		if strings.Contains(text, substr) {
			n++
		}
	}
	return n
}

// alive returns the names of the members that are alive in the node's view.
func (h *hosted) alive() (names []string) {
	if !h.isReady() {
		return nil
	}
	for _, m := range h.Members() {
		if m.Status == member.Alive {
			names = append(names, m.Name)
		}
	}
	return names
}

func (h *hosted) isReady() bool {
	select {
	case <-h.Ready():
		return true
	default:
		return false
	}
}

// soon waits for what may take some looks at a name, on a busy machine.
func soon(t *testing.T, what string, holds func() bool) {
	t.Helper()
	begin := time.Now()
	for tick := time.NewTicker(10 * time.Millisecond); !holds(); <-tick.C {
		if time.Since(begin) > time.Minute {
			t.Fatalf("not within a minute: %s", what)
		}
	}
	t.Logf("%s: after %v", what, time.Since(begin).Round(10*time.Millisecond))
}

func see(names string, nodes ...*hosted) func() bool {
	return func() bool {
		return !slices.ContainsFunc(nodes, func(h *hosted) bool { return fmt.Sprint(h.alive()) != names })
	}
}

// Nodes on one port of several addresses find each other by a name server's A
// records, which come late, change, and do not always come; one that has another
// port by SRV.
func TestNodesFollowANameServer(t *testing.T) {
	t.Parallel()
	s := dnstest.Start(t)
	port := freePort(t, "127.0.0.2", "127.0.0.3", "127.0.0.5", "127.0.0.6")
	name := fmt.Sprint("lot.test:", port)
	larry := onHost(t, "larry", "127.0.0.2", port, named(t, s, name))
	gary := onHost(t, "gary", "127.0.0.3", port, named(t, s, name))
	soon(t, "both tell that there is no such name", func() bool { return larry.told("no such name") == 1 && gary.told("no such name") == 1 })
	s.Be(dnstest.Silent)
	soon(t, "both tell that there is no answer", func() bool { return larry.told("no answer") == 1 && gary.told("no answer") == 1 })
	s.Be(dnstest.Answer)
	s.Set("lot.test. A 127.0.0.2", "lot.test. A 127.0.0.3", "lot.test. A 127.0.0.99")
	soon(t, "the two find each other", see("[gary larry]", larry, gary))

	s.Set("lot.test. A 127.0.0.2", "_gossip._tcp.lot.test. SRV 0 0 "+fmt.Sprint(port)+" gary.lot.test.", "gary.lot.test. A 127.0.0.3")
	harry := onHost(t, "harry", "127.0.0.4", 0, named(t, s, "_gossip._tcp.lot.test"))
	soon(t, "harry finds them by SRV", see("[gary harry larry]", larry, gary, harry))

	mary := onHost(t, "mary", "127.0.0.5", port) // looks for nobody
	soon(t, "mary is alone", see("[mary]", mary))
	s.Set("lot.test. A 127.0.0.2", "lot.test. A 127.0.0.5")
	soon(t, "they follow the name to mary", see("[gary harry larry mary]", larry, gary, harry, mary))

	s.Be(dnstest.Fail)
	soon(t, "larry tells that the server fails", func() bool { return larry.told("the name server failed") > 0 })
	if !see("[gary harry larry mary]", larry, gary, harry, mary)() {
		t.Error("a name server that fails has cost a member")
	}
	many := []string{"lot.test. A 127.0.0.6"}
	for i := range 60 { // more than a packet takes; nobody is there
		many = append(many, fmt.Sprintf("lot.test. A 127.0.1.%d", i+1))
	}
	s.Set(many...)
	moe := onHost(t, "moe", "127.0.0.6", port)
	s.Be(dnstest.Answer)
	soon(t, "moe is found in an answer that was cut short", see("[gary harry larry mary moe]", larry, gary, harry, mary, moe))
	if s.Asked("tcp") == 0 {
		t.Error("nobody has asked by TCP")
	}
	for _, h := range []*hosted{larry, gary} {
		if n := h.told("no such name"); n > 1 {
			t.Errorf("%s told %d times that there is no such name", h.Name(), n)
		}
	}
}

// The same over IPv6: by an address that is given, and by AAAA and SRV records.
func TestIPv6(t *testing.T) {
	t.Parallel()
	s := dnstest.Start(t)
	larry := onHost(t, "larry", "::1", 0)
	soon(t, "larry is alone", see("[larry]", larry))
	if want := fmt.Sprintf("[::1]:%d", larry.port); larry.Addr() != want {
		t.Errorf("larry is at %s, want %s", larry.Addr(), want)
	}
	gary := onHost(t, "gary", "::1", 0, func(c *node.Config) { c.Join = []string{larry.Addr()} })
	soon(t, "gary joins by address", see("[gary larry]", larry, gary))
	s.Set("six.test. AAAA ::1", "six.test. A 127.0.0.1",
		fmt.Sprintf("_gossip._tcp.six.test. SRV 0 0 %d six.test.", larry.port))
	harry := onHost(t, "harry", "::1", 0, named(t, s, fmt.Sprint("six.test:", gary.port)))
	mary := onHost(t, "mary", "::1", 0, named(t, s, "_gossip._tcp.six.test"))
	soon(t, "harry finds them by AAAA, mary by SRV", see("[gary harry larry mary]", larry, gary, harry, mary))
	if _, err := harry.TrackEntry(t.Context(), "SIX", 1); err != nil {
		t.Fatal(err)
	}
	soon(t, "equal digests", func() bool { return larry.Digest() == harry.Digest() && mary.Digest() == harry.Digest() })
}

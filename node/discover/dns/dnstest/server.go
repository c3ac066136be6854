// Package dnstest is a name server for tests, on loopback, by UDP and TCP, whose
// records and moods change while it runs.
package dnstest

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// A Mood is how a server answers.
type Mood int

// The moods.
const (
	Answer  Mood = iota // as it should; a name without records is not there
	Silent              // not at all
	Fail                // SERVFAIL
	NoTCP               // large answers are cut short, and TCP stays silent
	Nothing             // every name is there and has no records
	Garbage             // bytes that are no message
)

// A Server has records, by name and type.
type Server struct {
	Addr string // HOST:PORT

	mu      sync.Mutex
	records map[string][]dns.RR // by name, lower case and with a final dot
	mood    Mood
	of      map[uint16]Mood // of questions for that type, instead
	asked   map[string]int  // how often, by network
}

// Start starts a server that ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{records: make(map[string][]dns.RR), of: make(map[uint16]Mood), asked: make(map[string]int)}
	var udp net.PacketConn
	var tcp net.Listener
	for range 20 { // until a port is free for both
		var err error
		if udp, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		if tcp, err = net.Listen("tcp", udp.LocalAddr().String()); err == nil {
			break
		}
		udp.Close()
	}
	if tcp == nil {
		t.Fatal("no port for UDP and TCP")
	}
	s.Addr = udp.LocalAddr().String()
	for network, d := range map[string]*dns.Server{"udp": {PacketConn: udp}, "tcp": {Listener: tcp}} {
		d.Handler = dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) { s.answer(network, w, q) })
		started, ended := make(chan struct{}), make(chan error, 1)
		d.NotifyStartedFunc = func() { close(started) }
		go func() { ended <- d.ActivateAndServe() }()
		<-started
		t.Cleanup(func() {
			_ = d.Shutdown()
			if err := <-ended; err != nil {
				t.Logf("name server: %v", err)
			}
		})
	}
	return s
}

// Set replaces all records. Each is one line as in a zone's file, such as
// "lot.test. A 127.0.0.2".
func (s *Server) Set(records ...string) {
	all := make(map[string][]dns.RR)
	for _, text := range records {
		r, err := dns.NewRR(text)
		if err != nil || r == nil {
			panic(fmt.Sprintf("dnstest: %q: %v", text, err))
		}
		r.Header().Ttl = 0
		name := strings.ToLower(r.Header().Name)
		all[name] = append(all[name], r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = all
}

// Be changes how it answers; of, if given, to questions for A, AAAA or SRV only.
func (s *Server) Be(m Mood, of ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(of) == 0 {
		s.mood = m
		clear(s.of)
	}
	for _, t := range of {
		s.of[dns.StringToType[t]] = m
	}
}

// Asked returns how many questions came by udp or tcp.
func (s *Server) Asked(network string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[network]
}

func (s *Server) answer(network string, w dns.ResponseWriter, q *dns.Msg) {
	s.mu.Lock()
	s.asked[network]++
	question := q.Question[0]
	mood, special := s.of[question.Qtype]
	if !special {
		mood = s.mood
	}
	records, known := s.records[strings.ToLower(question.Name)]
	s.mu.Unlock()
	m := new(dns.Msg)
	m.SetReply(q)
	m.RecursionAvailable = true // else an empty answer refers to elsewhere
	switch {
	case mood == Silent || mood == NoTCP && network == "tcp":
		return
	case mood == Garbage:
		_, _ = w.Write([]byte("\x00nonsense"))
		return
	case mood == Fail:
		m.Rcode = dns.RcodeServerFailure
	case !known && mood != Nothing:
		m.Rcode = dns.RcodeNameError
	case mood != Nothing:
		for _, r := range records {
			if r.Header().Rrtype == question.Qtype {
				m.Answer = append(m.Answer, r)
			}
		}
	}
	if network == "udp" {
		m.Truncate(dns.MinMsgSize)
	}
	_ = w.WriteMsg(m)
}

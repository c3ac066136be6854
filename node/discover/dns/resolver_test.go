package dns_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parking/node/discover/dns"
	"parking/node/discover/dns/dnstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// resolver returns one of that name, which asks the server.
func resolver(t *testing.T, s *dnstest.Server, name string) *dns.Resolver {
	t.Helper()
	n, err := dns.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	return dns.New(n, s.Addr)
}

func TestParse(t *testing.T) {
	for text, want := range map[string]dns.Name{
		"parking.lot":               {Host: "parking.lot", Port: 7946},
		"parking.lot.:1":            {Host: "parking.lot.", Port: 1},
		"lot":                       {Host: "lot", Port: 7946},
		"parking:65535":             {Host: "parking", Port: 65535},
		"_gossip._tcp.parking.lot":  {Host: "_gossip._tcp.parking.lot"},
		strings.Repeat("a", 63):     {Host: strings.Repeat("a", 63), Port: 7946},
		"":                          {},
		":7946":                     {},
		"a..b":                      {},
		"lot:":                      {},
		"lot:0":                     {},
		"lot:65536":                 {},
		"lot:70x":                   {},
		"lot:1:2":                   {},
		"10.0.0.1":                  {},
		"fd00::1":                   {},
		"a b":                       {},
		"_gossip._tcp.lot:7946":     {},
		strings.Repeat("a", 64):     {},
		strings.Repeat("ab.", 90):   {},
		"parkplätze.test":           {},
		"lot.test\nname: something": {},
	} {
		got, err := dns.Parse(text)
		if got != want || (err == nil) != (want.Host != "") || err != nil && !errors.Is(err, dns.ErrName) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
		if err == nil {
			if again, err := dns.Parse(got.String()); again != got || err != nil {
				t.Errorf("%q reads back as %+v, %v", got, again, err)
			}
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: more than a line: %v", text, err)
		}
	}
}

// A and AAAA with one port, SRV with its own; each address once, in order. A
// family for which the server fails or is silent does not hide the other, nor an
// SRV target that is not there the others.
func TestSeeds(t *testing.T) {
	t.Parallel()
	records := []string{
		"lot.test. A 127.0.0.3", "lot.test. A 127.0.0.2", "lot.test. A 127.0.0.2", "lot.test. AAAA ::1",
		"zero.test. A 0.0.0.0", "zero.test. A 224.0.0.1", "zero.test. A 127.0.0.9",
		"_gossip._tcp.lot.test. SRV 0 0 7001 a.lot.test.", "_gossip._tcp.lot.test. SRV 0 0 7002 b.lot.test.",
		"_gossip._tcp.lot.test. SRV 0 0 7003 gone.lot.test.", "_gossip._tcp.lot.test. SRV 0 0 0 a.lot.test.",
		"a.lot.test. A 127.0.0.4", "b.lot.test. AAAA ::1",
		"_none._tcp.lot.test. SRV 0 0 0 .",
	}
	both := "[127.0.0.2:7946 127.0.0.3:7946 [::1]:7946]"
	for _, c := range []struct {
		name, want string
		mood       dnstest.Mood
		of         string
	}{
		{"lot.test", both, dnstest.Answer, "A"},
		{"LOT.test.", both, dnstest.Answer, "A"},
		{"lot.test:1", "[127.0.0.2:1 127.0.0.3:1 [::1]:1]", dnstest.Answer, "A"},
		{"zero.test", "[127.0.0.9:7946]", dnstest.Answer, "A"},
		{"_gossip._tcp.lot.test", "[127.0.0.4:7001 [::1]:7002]", dnstest.Answer, "A"},
		{"lot.test", "[127.0.0.2:7946 127.0.0.3:7946]", dnstest.Fail, "AAAA"},
		{"lot.test", "[127.0.0.2:7946 127.0.0.3:7946]", dnstest.Silent, "AAAA"},
		{"lot.test", "[[::1]:7946]", dnstest.Nothing, "A"},
		{"lot.test", "[[::1]:7946]", dnstest.Garbage, "A"},
		{"_gossip._tcp.lot.test", "[[::1]:7002]", dnstest.Fail, "A"},
	} {
		t.Run(fmt.Sprint(c.name, c.mood, c.of), func(t *testing.T) {
			t.Parallel() // silence takes its time
			s := dnstest.Start(t)
			s.Set(records...)
			s.Be(c.mood, c.of)
			got, err := resolver(t, s, c.name).Seeds(t.Context())
			if fmt.Sprint(got) != c.want || err != nil {
				t.Errorf("%s: %v, %v, want %s", c.name, got, err, c.want)
			}
		})
	}
}

// What is wrong is said in a line, with the name, and soon.
func TestNoSeeds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		mood dnstest.Mood
		want error
	}{
		{"gone.test", dnstest.Answer, dns.ErrNoName},
		{"lot.test", dnstest.Nothing, dns.ErrNoName},
		{"lot.test", dnstest.Fail, dns.ErrServer},
		{"lot.test", dnstest.Silent, dns.ErrNoAnswer},
		{"_gone._tcp.lot.test", dnstest.Answer, dns.ErrNoName},
		{"_none._tcp.lot.test", dnstest.Answer, dns.ErrNoName},
		{"_lost._tcp.lot.test", dnstest.Answer, dns.ErrNoName},
		{"_lost._tcp.lot.test", dnstest.Fail, dns.ErrServer},
	} {
		t.Run(fmt.Sprint(c.name, c.mood), func(t *testing.T) {
			t.Parallel()
			s := dnstest.Start(t)
			s.Set("lot.test. A 127.0.0.2", "_none._tcp.lot.test. SRV 0 0 0 .", "_lost._tcp.lot.test. SRV 0 0 7001 gone.test.")
			s.Be(c.mood)
			got, err := resolver(t, s, c.name).Seeds(t.Context())
			if len(got) > 0 || !errors.Is(err, c.want) || !strings.HasPrefix(err.Error(), c.name+": ") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %v, %v, want %v", c.name, got, err, c.want)
			}
		})
	}
}

// An answer that has no room in a packet is asked for by TCP; of one that is very
// large so many addresses are drawn, each time others.
func TestLargeAnswers(t *testing.T) {
	t.Parallel()
	s := dnstest.Start(t)
	var records []string
	for i := range 100 {
		records = append(records, fmt.Sprintf("lot.test. A 127.0.1.%d", i+1))
	}
	s.Set(records...)
	got, err := resolver(t, s, "lot.test").Seeds(t.Context())
	if len(got) != 100 || err != nil || s.Asked("tcp") == 0 {
		t.Errorf("%d of 100, %v; %d questions by TCP", len(got), err, s.Asked("tcp"))
	}
	for i := range 1400 {
		records = append(records, fmt.Sprintf("lot.test. A 127.1.%d.%d", i/200, i%200+1))
	}
	s.Set(records...)
	first, err := resolver(t, s, "lot.test").Seeds(t.Context())
	second, again := resolver(t, s, "lot.test").Seeds(t.Context())
	if len(first) != dns.MaxAddrs || len(second) != dns.MaxAddrs || err != nil || again != nil {
		t.Errorf("%d and %d of 1500, %v, %v", len(first), len(second), err, again)
	}
	if slices.Equal(first, second) {
		t.Error("the same ones are drawn each time")
	}
	s.Be(dnstest.NoTCP)
	if got, err := resolver(t, s, "lot.test").Seeds(t.Context()); len(got) > 0 || !errors.Is(err, dns.ErrNoAnswer) {
		t.Errorf("without TCP: %v, %v", got, err)
	}
}

// No name server is there at all.
func TestNoServer(t *testing.T) {
	n, _ := dns.Parse("lot.test")
	begin := time.Now()
	if got, err := dns.New(n, "127.0.0.1:1").Seeds(t.Context()); len(got) > 0 || err == nil {
		t.Errorf("%v, %v", got, err)
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

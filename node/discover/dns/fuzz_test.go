package dns_test

import (
	"testing"

	"parking/node/discover/dns"
)

// What reads as a name is one that reads back as itself, and whose port, if any,
// one can connect to.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"parking.lot", "lot:7946", "_gossip._tcp.lot", "a..b", "lot:0", "[::1]:1", "lot:+1", "lot:00001"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := dns.Parse(s)
		if err != nil {
			return
		}
		if again, err := dns.Parse(n.String()); err != nil || again != n {
			t.Errorf("%q is %+v, which reads back as %+v, %v", s, n, again, err)
		}
		if n.Service() != (n.Port == 0) || n.Port < 0 || n.Port > 65535 {
			t.Errorf("%q has port %d", s, n.Port)
		}
	})
}

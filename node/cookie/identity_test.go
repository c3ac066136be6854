package cookie

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func TestIdentityRoundTrip(t *testing.T) {
	for _, id := range []Identity{
		{"parking", "larry", 0xab},
		{"-", "---", 0},
		{"0", "1-2", math.MaxUint64},
		{strings.Repeat("a", 32), strings.Repeat("-", 32), 1},
	} {
		got, err := ParseIdentity(id.String())
		if err != nil || got != id {
			t.Errorf("%s became %v, %v", id, got, err)
		}
		// It survives a certificate and a handshake as well.
		cert := certify(t, secretKeys(t, 1), id)
		peer, err := handshake(t, cert.Server("p"), cert.Client("", "p")).dialler()
		if err != nil || peer != id {
			t.Errorf("%s showed itself as %v, %v", id, peer, err)
		}
	}
}

func TestParseIdentityRefuses(t *testing.T) {
	for _, uri := range []string{
		"", "parking", "parking://", "parking://c/n", "parking://c/n/", "parking://c/n/1",
		"parking://c/n/00000000000000001", "parking://c/n/000000000000000A", "parking://c/n/-000000000000001",
		"parking://c/n/0000000000000001\n", "parking://c/n/0000000000000001?x", "parking://c/n/0000000000000001/",
		"parking://C/n/0000000000000001", "parking://c/n_/0000000000000001", "parking://c//0000000000000001",
		"parking://u@c/n/0000000000000001", "parking://c:1/n/0000000000000001", "PARKING://c/n/0000000000000001",
		"parking://" + strings.Repeat("c", 33) + "/n/0000000000000001", "spiffe://c/n/0000000000000001",
	} {
		if id, err := ParseIdentity(uri); !errors.Is(err, ErrIdentity) || strings.Contains(err.Error(), "\n") {
			t.Errorf("ParseIdentity(%q) = %v, %v", uri, id, err)
		}
	}
}

func FuzzParseIdentity(f *testing.F) {
	f.Add("parking://parking/larry/00000000000000ab")
	f.Add("parking://-/-/ffffffffffffffff")
	f.Add("parking://c/n/0000000000000001\n")
	f.Fuzz(func(t *testing.T, uri string) {
		id, err := ParseIdentity(uri)
		if err != nil {
			if !errors.Is(err, ErrIdentity) {
				t.Fatalf("%q: %v", uri, err)
			}
			return
		}
		if err := id.validate(); err != nil || id.String() != uri {
			t.Fatalf("%q became %s, %v", uri, id, err)
		}
	})
}

package cookie

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// secretKeys returns the keys of a secret that consists of one byte repeated.
func secretKeys(t testing.TB, fill byte) *Keys {
	t.Helper()
	k, err := FromSecret(bytes.Repeat([]byte{fill}, SecretSize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// The keys of a cookie are part of what nodes of different builds must agree
// on; if this fails, old nodes cannot join new ones.
func TestDeriveNeverChanges(t *testing.T) {
	k, err := Derive("limozeen")
	if err != nil {
		t.Fatal(err)
	}
	const (
		fingerprint = "5ffa49192afa42ba"
		gossip      = "965e32499b4a0f8820385ba63fc4a5c5572a205ad5d03e97f89da4df7ca9a048"
	)
	if got := k.Fingerprint(); got != fingerprint {
		t.Errorf("fingerprint %s, was %s", got, fingerprint)
	}
	if got := hex.EncodeToString(k.Gossip()); got != gossip {
		t.Errorf("gossip key %s, was %s", got, gossip)
	}
	again, err := Derive("limozeen\n")
	if err != nil {
		t.Fatal(err)
	}
	if again.Fingerprint() != k.Fingerprint() || !again.authority.Equal(k.authority) {
		t.Error("a newline at the end made another key")
	}
}

func TestDeriveRefuses(t *testing.T) {
	for _, cookie := range []string{"", "\n", "  \r\n", strings.Repeat("x", MaxLen+1)} {
		if _, err := Derive(cookie); !errors.Is(err, ErrInvalid) || strings.Contains(err.Error(), "\n") {
			t.Errorf("Derive(%.10q…): %v, want one line about an invalid cookie", cookie, err)
		}
	}
}

func TestKeysAreIndependent(t *testing.T) {
	a, b := secretKeys(t, 1), secretKeys(t, 2)
	if len(a.Gossip()) != 32 || bytes.Equal(a.Gossip(), b.Gossip()) {
		t.Error("two secrets must give two gossip keys of 32 bytes")
	}
	if bytes.Equal(a.Gossip(), a.signer.Seed()) {
		t.Error("one key serves two purposes")
	}
	if !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(a.Fingerprint()) || a.Fingerprint() == b.Fingerprint() {
		t.Errorf("fingerprints %s and %s", a.Fingerprint(), b.Fingerprint())
	}
	a.Gossip()[0]++
	if !bytes.Equal(a.Gossip(), secretKeys(t, 1).Gossip()) {
		t.Error("a caller's write reached the key")
	}
	if _, err := FromSecret(make([]byte, 16)); err == nil {
		t.Error("a short secret was accepted")
	}
}

func TestKeysDoNotPrint(t *testing.T) {
	k := secretKeys(t, 1)
	want := "cookie.Keys(" + k.Fingerprint() + ")"
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		if got := fmt.Sprintf(verb, k); got != want {
			t.Errorf("%s printed %s", verb, got)
		}
	}
}

func BenchmarkDerive(b *testing.B) {
	for b.Loop() {
		if _, err := Derive("limozeen"); err != nil {
			b.Fatal(err)
		}
	}
}

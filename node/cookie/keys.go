package cookie

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
)

// MaxLen is the length of the longest cookie, in bytes.
const MaxLen = 1024

// SecretSize is the length of the secret that keys are made from, in bytes.
const SecretSize = 32

// ErrInvalid is wrapped by every error about a cookie that is no cookie.
var ErrInvalid = errors.New("cookie: invalid cookie")

// Argon2id (RFC 9106) with the least that OWASP's Password Storage Cheat Sheet
// recommends: hardly felt at a start, costly for whoever tries a dictionary.
// More memory would be felt: a process that has just begun pays for each page.
// All nodes must agree on these, the number of threads too, since it
// changes the result. The salt cannot be random: nodes that have never met
// must arrive at the same keys.
const (
	argonSalt    = "parking cookie v1"
	argonPasses  = 2
	argonMemory  = 19 * 1024 // KiB
	argonThreads = 1
)

// Certificates are valid from the first to the last instant that X.509 can
// express in practice (RFC 5280, section 4.1.2.5), and all checks are made as
// of one instant in between instead of the clock's.
var (
	notBefore = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)
	notAfter  = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	asOf      = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Keys are what one cookie gives. They never change and may be used by
// several goroutines at once.
type Keys struct {
	gossip      []byte
	signer      ed25519.PrivateKey
	authority   *x509.Certificate
	roots       *x509.CertPool
	fingerprint string
}

// Derive returns the keys of a cookie of 1 to [MaxLen] bytes; a newline at
// its end does not count. It is slow on purpose (some hundredths
// of a second, and 19 MiB), so call it once per start. The error wraps [ErrInvalid].
func Derive(cookie string) (*Keys, error) {
	cookie = trimNewline(cookie)
	if fault := fault(cookie); fault != "" {
		return nil, fmt.Errorf("%w: it %s; give 1 to %d bytes", ErrInvalid, fault, MaxLen)
	}
	return FromSecret(argon2.IDKey([]byte(cookie), []byte(argonSalt), argonPasses, argonMemory, argonThreads, SecretSize))
}

// FromSecret returns the keys of a uniformly random secret of [SecretSize]
// bytes, skipping the slow step of [Derive]. The secret is not kept.
func FromSecret(secret []byte) (*Keys, error) {
	if len(secret) != SecretSize {
		return nil, fmt.Errorf("cookie: a secret has %d bytes, not %d", SecretSize, len(secret))
	}
	var parts [3][]byte
	for i, part := range []struct {
		info string
		size int
	}{
		{"parking gossip key", 32},
		{"parking authority seed", ed25519.SeedSize},
		{"parking fingerprint", 8},
	} {
		key, err := hkdf.Key(sha256.New, secret, nil, part.info, part.size)
		if err != nil {
			return nil, fmt.Errorf("cookie: derive %s: %w", part.info, err)
		}
		parts[i] = key
	}
	k := &Keys{
		gossip:      parts[0],
		signer:      ed25519.NewKeyFromSeed(parts[1]),
		roots:       x509.NewCertPool(),
		fingerprint: hex.EncodeToString(parts[2]),
	}
	var err error
	if k.authority, err = newAuthority(k.signer); err != nil {
		return nil, fmt.Errorf("cookie: make the authority: %w", err)
	}
	k.roots.AddCert(k.authority)
	return k, nil
}

// Gossip returns a copy of the 32-byte key for gossip.
func (k *Keys) Gossip() []byte { return append([]byte(nil), k.gossip...) }

// Fingerprint returns 16 hexadecimal digits that name the cookie without
// giving it away. Nodes of one host tell by it whether a neighbour is theirs.
func (k *Keys) Fingerprint() string { return k.fingerprint }

// Format prints the fingerprint under every verb, so that keys do not reach
// a log by accident.
func (k *Keys) Format(w fmt.State, _ rune) { fmt.Fprintf(w, "cookie.Keys(%s)", k.fingerprint) }

// newAuthority returns the certificate of the authority with the given key.
// It is the same wherever it is made: Ed25519 signatures are deterministic
// (RFC 8032).
func newAuthority(signer ed25519.PrivateKey) (*x509.Certificate, error) {
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "parking cookie"},
		NotBefore:             notBefore,
		NotAfter:              notAfter,
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(nil, template, template, signer.Public(), signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// trimNewline drops one newline, of either kind, from the end of s.
func trimNewline(s string) string {
	return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r")
}

// fault says what is wrong with a cookie whose newline is gone, or nothing.
func fault(cookie string) string {
	switch {
	case strings.TrimSpace(cookie) == "":
		return "is empty"
	case len(cookie) > MaxLen:
		return "is too long"
	}
	return ""
}

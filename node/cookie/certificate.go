package cookie

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"time"
)

// What a handshake can end with; see [Classify].
var (
	// ErrCookie means that the other side's certificate was not made from
	// this node's cookie.
	ErrCookie = errors.New("cookie: the other side has another cookie; give every node the same --cookie or --cookie-file")
	// ErrCluster means that the other side has this node's cookie and is in
	// another cluster.
	ErrCluster = errors.New("cookie: the other side is in another cluster")
	// ErrName means that the other side is not the node that was dialled.
	ErrName = errors.New("cookie: the other side is another node")
	// ErrRejected means that the other side ended the handshake with an
	// alert, having found fault with this node.
	ErrRejected = errors.New("cookie: the other side rejected this node")
)

// serverName stands in every certificate beside the identity, so that the
// ordinary verification of crypto/tls applies unchanged; it is never looked
// up.
const serverName = "parking"

// A Certificate is one node's own: a key, and the authority's word that it
// belongs to one [Identity]. It never changes and may be used by several
// goroutines at once.
type Certificate struct {
	id    Identity
	pair  tls.Certificate
	roots *x509.CertPool
}

// Certify makes the certificate of the node id, for a key drawn from random,
// which is [crypto/rand.Reader] except in tests. The error wraps
// [ErrIdentity] if id is malformed.
func (k *Keys) Certify(id Identity, random io.Reader) (*Certificate, error) {
	if err := id.validate(); err != nil {
		return nil, err
	}
	public, private, err := ed25519.GenerateKey(random)
	if err != nil {
		return nil, fmt.Errorf("cookie: make a key: %w", err)
	}
	uri, err := url.Parse(id.String())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: id.Name},
		URIs:                  []*url.URL{uri},
		DNSNames:              []string{serverName},
		NotBefore:             notBefore,
		NotAfter:              notAfter,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(random, template, k.authority, public, k.signer)
	if err != nil {
		return nil, fmt.Errorf("cookie: sign the certificate of %s: %w", id, err)
	}
	return &Certificate{
		id:    id,
		pair:  tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private},
		roots: k.roots,
	}, nil
}

// Server returns a configuration for accepting connections from nodes of the
// same cookie and cluster that speak one of the protocols (ALPN, RFC 7301).
// The caller owns it.
func (c *Certificate) Server(protocols ...string) *tls.Config {
	config := c.config(protocols)
	config.ClientAuth = tls.RequireAndVerifyClientCert
	config.ClientCAs = c.roots
	// Every connection proves the cookie anew, and a handshake writes
	// nothing that the dialler might not be reading yet.
	config.SessionTicketsDisabled = true
	config.VerifyConnection = c.verify("")
	return config
}

// Client returns a configuration for dialling nodes of the same cookie and
// cluster that speak one of the protocols; the one with the given name, or
// any if peer is empty. The caller owns it.
//
// In TLS 1.3 the dialler's handshake is over before the other side has judged
// the dialler's certificate, so a rejection can surface at the first read
// instead. Both sides apply the same rules, though, and the dialler is the
// first to: with another cookie or cluster its own handshake fails.
func (c *Certificate) Client(peer string, protocols ...string) *tls.Config {
	config := c.config(protocols)
	config.ServerName = serverName
	config.RootCAs = c.roots
	config.VerifyConnection = c.verify(peer)
	return config
}

// config returns what both roles share.
func (c *Certificate) config(protocols []string) *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{c.pair},
		NextProtos:   append([]string(nil), protocols...),
		Time:         func() time.Time { return asOf },
	}
}

// verify returns what remains to be checked of the other side once its
// certificate is known to be the authority's.
func (c *Certificate) verify(peer string) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		id, err := Peer(state)
		switch {
		case err != nil:
			return err
		case id.Cluster != c.id.Cluster:
			return fmt.Errorf("%w: %s is in %s, this node in %s; give both the same --cluster",
				ErrCluster, id.Name, id.Cluster, c.id.Cluster)
		case peer != "" && id.Name != peer:
			return fmt.Errorf("%w: %s answered in place of %s", ErrName, id.Name, peer)
		}
		return nil
	}
}

// Classify says what the error of a handshake, or of the first read after it,
// means between nodes: the result wraps [ErrCookie], [ErrCluster], [ErrName],
// [ErrIdentity] or [ErrRejected] if err is one of those cases, however it was
// wrapped on its way, and is err itself otherwise.
func Classify(err error) error {
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		return ErrCookie
	}
	// The alert's own type is not exported by crypto/tls; the operation is.
	var alert *net.OpError
	if errors.As(err, &alert) && alert.Op == "remote error" {
		return fmt.Errorf("%w: %w", ErrRejected, err)
	}
	return err
}

package cookie

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var larry = Identity{Cluster: "parking", Name: "larry", Incarnation: 1}

func certify(t testing.TB, k *Keys, id Identity) *Certificate {
	t.Helper()
	cert, err := k.Certify(id, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// node returns the certificate of one who holds the secret made of fill.
func node(t testing.TB, fill byte, cluster, name string) *Certificate {
	t.Helper()
	return certify(t, secretKeys(t, fill), Identity{Cluster: cluster, Name: name, Incarnation: 7})
}

// ends is how a handshake, and one byte each way after it, went on both sides.
type ends struct{ server, client end }

type end struct {
	state tls.ConnectionState
	err   error
}

// dialler returns whom the dialling side met.
func (e ends) dialler() (Identity, error) {
	if e.client.err != nil {
		return Identity{}, e.client.err
	}
	return Peer(e.client.state)
}

// handshake connects two configurations by a pipe without a buffer.
func handshake(t testing.TB, server, client *tls.Config) ends {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	accepted, dialled := net.Pipe()
	ended := make(chan end)
	go func() {
		conn := tls.Server(accepted, server)
		defer accepted.Close()
		err := conn.HandshakeContext(ctx)
		if err == nil {
			_, err = conn.Write([]byte{1})
		}
		ended <- end{conn.ConnectionState(), err}
	}()
	conn := tls.Client(dialled, client)
	err := conn.HandshakeContext(ctx)
	if err == nil {
		_, err = conn.Read(make([]byte, 1))
	}
	dialled.Close()
	return ends{client: end{conn.ConnectionState(), err}, server: <-ended}
}

func TestHandshake(t *testing.T) {
	tests := []struct {
		name           string
		server, client *Certificate
		peer           string // whom the dialler expects
		dialler        error
		acceptor       error
	}{
		{"same cookie and cluster", node(t, 1, "parking", "curly"), node(t, 1, "parking", "larry"), "", nil, nil},
		{"the node expected", node(t, 1, "parking", "curly"), node(t, 1, "parking", "larry"), "curly", nil, nil},
		{"another node than expected", node(t, 1, "parking", "curly"), node(t, 1, "parking", "larry"), "moe", ErrName, ErrRejected},
		{"another cookie", node(t, 1, "parking", "curly"), node(t, 2, "parking", "larry"), "", ErrCookie, ErrRejected},
		{"another cluster", node(t, 1, "parking", "curly"), node(t, 1, "garage", "larry"), "", ErrCluster, ErrRejected},
		{"another cookie and cluster", node(t, 1, "parking", "curly"), node(t, 2, "garage", "larry"), "", ErrCookie, ErrRejected},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := handshake(t, tt.server.Server("gossip", "calls"), tt.client.Client(tt.peer, "calls"))
			for _, side := range []struct {
				name string
				end  end
				met  *Certificate
				want error
			}{
				{"dialler", got.client, tt.server, tt.dialler},
				{"acceptor", got.server, tt.client, tt.acceptor},
			} {
				if side.want != nil {
					err := Classify(side.end.err)
					if !errors.Is(err, side.want) || strings.Contains(err.Error(), "\n") {
						t.Errorf("%s: %v, want %v", side.name, err, side.want)
					}
					continue
				}
				if side.end.err != nil {
					t.Errorf("%s: %v", side.name, side.end.err)
					continue
				}
				peer, err := Peer(side.end.state)
				if err != nil || peer != side.met.id {
					t.Errorf("%s met %v, %v, want %v", side.name, peer, err, side.met.id)
				}
				if side.end.state.NegotiatedProtocol != "calls" || side.end.state.Version != tls.VersionTLS13 {
					t.Errorf("%s speaks %q over TLS %x", side.name, side.end.state.NegotiatedProtocol, side.end.state.Version)
				}
			}
		})
	}
}

// A dialler that checks nothing is still refused, by the acceptor, and learns
// of it at its first read.
func TestOnlyTheAcceptorRefuses(t *testing.T) {
	careless := func(c *Certificate) *tls.Config {
		config := c.Client("", "p")
		config.InsecureSkipVerify, config.VerifyConnection = true, nil
		return config
	}
	anonymous := careless(node(t, 1, "parking", "larry"))
	anonymous.Certificates = nil
	old := careless(node(t, 1, "parking", "larry"))
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	for name, tt := range map[string]struct {
		client *tls.Config
		want   error // what the acceptor found, if it has a name
	}{
		"another cookie":       {careless(node(t, 2, "parking", "larry")), ErrCookie},
		"another cluster":      {careless(node(t, 1, "garage", "larry")), ErrCluster},
		"no certificate":       {anonymous, nil},
		"TLS 1.2":              {old, nil},
		"an unknown protocol":  {node(t, 1, "parking", "larry").Client("", "q"), nil},
		"two identities":       {careless(forge(t, larry.String(), "parking://parking/moe/0000000000000001")), ErrIdentity},
		"no identity":          {careless(forge(t)), ErrIdentity},
		"a malformed identity": {careless(forge(t, "parking://parking/larry/1")), ErrIdentity},
	} {
		t.Run(name, func(t *testing.T) {
			got := handshake(t, node(t, 1, "parking", "curly").Server("p"), tt.client)
			if err := Classify(got.client.err); !errors.Is(err, ErrRejected) {
				t.Errorf("dialler: %v, want %v", err, ErrRejected)
			}
			if err := Classify(got.server.err); err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("acceptor: %v, want %v", err, tt.want)
			}
		})
	}
}

// forge signs, with the authority of the secret made of ones, a certificate
// that no node would make.
func forge(t *testing.T, uris ...string) *Certificate {
	t.Helper()
	k := secretKeys(t, 1)
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		DNSNames:    []string{serverName},
		NotBefore:   notBefore,
		NotAfter:    notAfter,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, uri := range uris {
		u, err := url.Parse(uri)
		if err != nil {
			t.Fatal(err)
		}
		template.URIs = append(template.URIs, u)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, k.authority, public, k.signer)
	if err != nil {
		t.Fatal(err)
	}
	pair := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}
	return &Certificate{id: larry, pair: pair, roots: k.roots}
}

// A node's certificate must not let it sign others' under its own name.
func TestLeafIsNoAuthority(t *testing.T) {
	leaf := node(t, 1, "parking", "larry")
	parsed, err := x509.ParseCertificate(leaf.pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if parsed.IsCA || !parsed.NotBefore.Equal(notBefore) || !parsed.NotAfter.Equal(notAfter) {
		t.Errorf("authority %v, valid from %v to %v", parsed.IsCA, parsed.NotBefore, parsed.NotAfter)
	}
	signer := leaf.pair.PrivateKey.(ed25519.PrivateKey)
	moe := &Keys{signer: signer, authority: parsed, roots: leaf.roots}
	sub := certify(t, moe, Identity{Cluster: "parking", Name: "moe"})
	sub.pair.Certificate = append(sub.pair.Certificate, leaf.pair.Certificate[0])
	got := handshake(t, sub.Server("p"), leaf.Client("", "p"))
	if err := Classify(got.client.err); !errors.Is(err, ErrCookie) {
		t.Errorf("dialler: %v, want %v", err, ErrCookie)
	}
}

func TestCertifyRefuses(t *testing.T) {
	k := secretKeys(t, 1)
	for _, id := range []Identity{{}, {Cluster: "parking"}, {Name: "larry"}, {Cluster: "a/b", Name: "larry"},
		{Cluster: "parking", Name: "Larry"}, {Cluster: "parking", Name: strings.Repeat("l", 33)}} {
		if _, err := k.Certify(id, rand.Reader); !errors.Is(err, ErrIdentity) {
			t.Errorf("Certify(%v): %v", id, err)
		}
	}
	if _, err := k.Certify(larry, bytes.NewReader(nil)); err == nil {
		t.Error("a certificate was made without random bits")
	}
}

func TestPeerNeedsVerification(t *testing.T) {
	cert := node(t, 1, "parking", "larry")
	parsed, err := x509.ParseCertificate(cert.pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range []tls.ConnectionState{{}, {PeerCertificates: []*x509.Certificate{parsed}}} {
		if id, err := Peer(state); !errors.Is(err, ErrIdentity) {
			t.Errorf("an unverified peer is %v, %v", id, err)
		}
	}
}

// In a bubble the clock begins in the year 2000. Neither that nor a clock
// that is wrong matters: no configuration asks it.
func TestHandshakeInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := node(t, 1, "parking", "curly"), node(t, 1, "parking", "larry")
		for range 3 {
			if _, err := handshake(t, server.Server("p"), client.Client("curly", "p")).dialler(); err != nil {
				t.Fatal(err)
			}
			for _, config := range []*tls.Config{server.Server("p"), client.Client("", "p")} {
				if config.Time == nil || !config.Time().Equal(asOf) {
					t.Fatal("a handshake depends on the clock")
				}
			}
			time.Sleep(50 * 365 * 24 * time.Hour)
		}
	})
}

// What HTTP makes of a failed handshake keeps its meaning, and its requests
// tell the handler who asks.
func TestHandshakeUnderHTTP(t *testing.T) {
	listener, err := tls.Listen("tcp", "127.0.0.1:0", node(t, 1, "parking", "curly").Server("h2"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, err := Peer(*r.TLS)
			fmt.Fprintf(w, "%s %v over %s", id.Name, err, r.Proto)
		}),
		ErrorLog: log.New(io.Discard, "", 0),
	}
	done := make(chan struct{})
	go func() { defer close(done); server.Serve(listener) }()
	defer func() { server.Close(); <-done }()
	for _, tt := range []struct {
		client *tls.Config
		want   error
	}{
		{node(t, 1, "parking", "larry").Client("", "h2"), nil},
		{node(t, 2, "parking", "larry").Client("", "h2"), ErrCookie},
		{node(t, 1, "garage", "larry").Client("", "h2"), ErrCluster},
		{node(t, 1, "parking", "larry").Client("moe", "h2"), ErrName},
	} {
		transport := &http.Transport{TLSClientConfig: tt.client, ForceAttemptHTTP2: true}
		defer transport.CloseIdleConnections()
		response, err := (&http.Client{Transport: transport}).Get("https://" + listener.Addr().String())
		if tt.want != nil {
			if err = Classify(err); !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		body.ReadFrom(response.Body)
		response.Body.Close()
		if got := body.String(); got != "larry <nil> over HTTP/2.0" {
			t.Errorf("the handler saw %q", got)
		}
	}
}

package cookie

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"strings"
)

// offer begins the names of protocols (ALPN, RFC 7301) by which a dialler says
// which cookies it has; the fingerprint follows. They are never spoken, and a
// node that does not know of them passes them over. Who listens learns no more
// by them than by the gossip: either lets him try guesses, at Argon2's price.
const offer = "parking-cookie/"

// Client returns a configuration for one connection to a node with one of the
// cookies that this node accepts, as [Certificate.Client] does. If that node
// has accepted none of them and one was rotated away there, [Retired] is what
// is negotiated, and all it will say is why.
func (r *Ring) Client(peer string, protocols ...string) *tls.Config {
	r.mu.Lock()
	use, beside, roots := r.use, r.beside, r.roots
	offers := r.fingerprints()
	r.mu.Unlock()
	config := use.cert.config(append(slices.Clip(protocols), Retired))
	for _, fingerprint := range offers {
		config.NextProtos = append(config.NextProtos, offer+fingerprint)
	}
	config.ServerName = serverName
	config.RootCAs = roots
	config.Certificates = nil
	shown := use // which of them the other side has shown; answered with the same
	verify := use.cert.verify(peer)
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if beside != nil && beside.vouches(state) {
			shown = beside
		}
		err := verify(state)
		if err == nil && state.NegotiatedProtocol != Retired {
			r.proved(shown)
		}
		return err
	}
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &shown.cert.pair, nil }
	return config
}

// vouches reports whether the other side's certificate was made with that cookie.
func (h *held) vouches(state tls.ConnectionState) bool {
	for _, chain := range state.VerifiedChains {
		if n := len(chain); n > 0 && chain[n-1].Equal(h.keys.authority) {
			return true
		}
	}
	return false
}

// Server returns a configuration for accepting connections, as
// [Certificate.Server] does: from whoever has a cookie that is accepted at that
// moment. With who has one that was rotated away, [Retired] is negotiated, and
// [Ring.Why] is what to tell him.
func (r *Ring) Server(protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: slices.Clone(protocols), // net/http looks there for h2; answer rules
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			return r.answer(hello, protocols), nil
		},
	}
}

// answer returns what a dialler is answered with.
func (r *Ring) answer(hello *tls.ClientHelloInfo, protocols []string) *tls.Config {
	r.mu.Lock()
	defer r.mu.Unlock()
	with, roots, old := r.chosen(hello.SupportedProtos)
	if old {
		config := with.cert.Server(Retired)
		verify := config.VerifyConnection
		config.VerifyConnection = func(state tls.ConnectionState) error {
			if err := verify(state); err != nil {
				return err
			}
			r.track(hello.Conn, with)
			return nil
		}
		return config
	}
	config := with.cert.Server(protocols...)
	config.ClientCAs = roots
	verify := config.VerifyConnection
	beside := r.beside
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if err := verify(state); err != nil {
			return err
		}
		proved := with
		if beside != nil && beside.vouches(state) {
			proved = beside
		} else if !with.vouches(state) {
			return ErrCookie
		}
		r.track(hello.Conn, proved)
		if !slices.Contains(r.Fingerprints(), proved.fingerprint()) { // since the handshake began
			return ErrCookie
		}
		r.proved(proved)
		return nil
	}
	return config
}

// chosen returns which cookie to prove to a dialler with those offers, and the
// authorities by which it is judged; r.mu is held. A dialler that offers none
// is judged by all that are accepted.
func (r *Ring) chosen(protocols []string) (with *held, roots *x509.CertPool, old bool) {
	var offers []string
	for _, p := range protocols {
		if fingerprint, ok := strings.CutPrefix(p, offer); ok {
			offers = append(offers, fingerprint)
		}
	}
	for _, fingerprint := range offers {
		for _, h := range []*held{r.use, r.beside} {
			if h != nil && h.fingerprint() == fingerprint {
				return h, h.keys.roots, false
			}
		}
	}
	for _, past := range r.retired {
		if slices.Contains(offers, past.fingerprint()) {
			return past.held, past.keys.roots, true
		}
	}
	return r.use, r.roots, false
}

// Why returns what whoever has proved one of the retired cookies is to be told:
// nothing, unless [Retired] was negotiated.
func (r *Ring) Why(state tls.ConnectionState) (why Retirement, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, old := range r.retired {
		if old.vouches(state) {
			return old.Retirement, true
		}
	}
	return why, false
}

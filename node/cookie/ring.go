package cookie

import (
	"crypto/x509"
	"fmt"
	"io"
	"slices"
	"sync"
)

// maxRetired is how many cookies are remembered that were rotated away.
const maxRetired = 4

// A Ring is the cookies that one node accepts, and the certificates that it has
// by them: the one in use, and at most one beside it while the cluster rotates
// from one to the other. Both sides of a connection prove the same cookie: the
// first of those the dialler offers that the other side has. So a connection
// stands however far either has come, and it can be told, and ended, by the
// cookie that it was made with.
//
// A Ring is safe for concurrent use. It does no more under its lock than to
// look, so that no handshake waits for anything.
type Ring struct {
	id     Identity
	random io.Reader
	ahead  chan struct{}

	mu       sync.Mutex
	use      *held
	beside   *held // nil if there is none
	staged   bool  // the one beside is the next one, and not the former
	seen     bool  // it was proved by another node, which uses it
	roots    *x509.CertPool
	retired  []retiree // the latest last
	accepted map[*tracked]string
}

// held is a cookie that is accepted.
type held struct {
	keys *Keys
	cert *Certificate
}

func (h *held) fingerprint() string { return h.keys.fingerprint }

// retiree is a cookie that was. Its certificate stays, so that whoever still
// has that cookie can be told, and believe it.
type retiree struct {
	*held
	Retirement
}

// NewRing returns the ring of the node id, which has the cookie of keys. The
// keys of its certificates are drawn from random, as by [Keys.Certify].
func NewRing(keys *Keys, id Identity, random io.Reader) (*Ring, error) {
	r := &Ring{id: id, random: random, ahead: make(chan struct{}, 1), accepted: make(map[*tracked]string)}
	h, err := r.hold(keys)
	if err != nil {
		return nil, err
	}
	r.use = h
	r.gather()
	return r, nil
}

func (r *Ring) hold(keys *Keys) (*held, error) {
	cert, err := keys.Certify(r.id, r.random)
	if err != nil {
		return nil, err
	}
	return &held{keys, cert}, nil
}

// gather makes the pool of the authorities that are accepted; r.mu is held, or
// nobody has r yet.
func (r *Ring) gather() {
	r.roots = x509.NewCertPool()
	r.roots.AddCert(r.use.keys.authority)
	if r.beside != nil {
		r.roots.AddCert(r.beside.keys.authority)
	}
}

// InUse returns the keys of the cookie that this node uses.
func (r *Ring) InUse() *Keys {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.use.keys
}

// Beside returns the keys of the other cookie that is accepted, nil if there is
// none, and whether it is the next one and not the former.
func (r *Ring) Beside() (keys *Keys, staged bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.beside == nil {
		return nil, false
	}
	return r.beside.keys, r.staged
}

// Fingerprints returns those of the cookies that are accepted, the one in use
// first.
func (r *Ring) Fingerprints() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fingerprints()
}

func (r *Ring) fingerprints() []string {
	all := []string{r.use.fingerprint()}
	if r.beside != nil {
		all = append(all, r.beside.fingerprint())
	}
	return all
}

// Retired returns the fingerprints of the last cookies that were rotated away.
func (r *Ring) Retired() (all []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, old := range r.retired {
		all = append(all, old.fingerprint())
	}
	return all
}

// Stage accepts the cookie of keys beside the one in use, in place of any other.
// The error wraps [ErrInvalid] if it is in use itself.
func (r *Ring) Stage(keys *Keys) error {
	next, err := r.hold(keys)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.use.fingerprint() == keys.fingerprint {
		return fmt.Errorf("%w: it is the one in use already", ErrInvalid)
	}
	r.retired = slices.DeleteFunc(r.retired, func(old retiree) bool { return old.fingerprint() == keys.fingerprint })
	r.beside, r.staged, r.seen = next, true, false
	r.gather()
	return nil
}

// Use turns to the cookie that was staged, and reports whether there was one
// with that fingerprint. The former one is accepted until it is dropped.
func (r *Ring) Use(fingerprint string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.beside == nil || !r.staged || r.beside.fingerprint() != fingerprint {
		return false
	}
	r.use, r.beside, r.staged = r.beside, r.use, false
	return true
}

// Drop accepts the cookie beside no more, and reports whether there was one with
// that fingerprint. If it is the former one, who still has it is told why from
// now on. The connections that it made go on until [Ring.Sever].
func (r *Ring) Drop(fingerprint string, why Retirement) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.beside == nil || r.beside.fingerprint() != fingerprint {
		return false
	}
	if !r.staged {
		r.retired = append(r.retired, retiree{r.beside, why})
		r.retired = slices.Clone(r.retired[max(0, len(r.retired)-maxRetired):])
	}
	r.beside, r.staged = nil, false
	r.gather()
	return true
}

// Ahead ticks when another node has proved the cookie that is staged here: it
// uses it, so this one may; see [Ring.Seen]. Ticks merge.
func (r *Ring) Ahead() <-chan struct{} { return r.ahead }

// Seen returns the keys that are staged, if another node uses them.
func (r *Ring) Seen() (keys *Keys, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.staged || !r.seen {
		return nil, false
	}
	return r.beside.keys, true
}

// proved tells that a connection was made with a cookie; r.mu is not held.
func (r *Ring) proved(h *held) {
	r.mu.Lock()
	ahead := r.staged && r.beside.fingerprint() == h.fingerprint()
	r.seen = r.seen || ahead
	r.mu.Unlock()
	if ahead {
		select {
		case r.ahead <- struct{}{}:
		default:
		}
	}
}

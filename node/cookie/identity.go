package cookie

import (
	"crypto/tls"
	"errors"
	"fmt"
	"regexp"
	"strconv"
)

// ErrIdentity is wrapped by every error about an identity that is malformed
// or missing.
var ErrIdentity = errors.New("cookie: no valid node identity")

// An Identity is who a certificate speaks for: one life of one node of one
// cluster.
type Identity struct {
	Cluster     string // 1 to 32 of a-z, 0-9 and -
	Name        string // the node's name; 1 to 32 of the same
	Incarnation uint64 // drawn anew at each start of the node
}

var (
	word        = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)
	identityURI = regexp.MustCompile(`^parking://([a-z0-9-]{1,32})/([a-z0-9-]{1,32})/([0-9a-f]{16})$`)
)

// String returns the identity as the URI that stands in a certificate:
// parking://CLUSTER/NAME/INCARNATION, the last as 16 hexadecimal digits.
func (id Identity) String() string {
	return fmt.Sprintf("parking://%s/%s/%016x", id.Cluster, id.Name, id.Incarnation)
}

// ParseIdentity is the inverse of [Identity.String]. It accepts no other
// spelling; the error wraps [ErrIdentity].
func ParseIdentity(uri string) (Identity, error) {
	m := identityURI.FindStringSubmatch(uri)
	if m == nil {
		return Identity{}, fmt.Errorf("%w: %.120q is not parking://CLUSTER/NAME/INCARNATION", ErrIdentity, uri)
	}
	incarnation, err := strconv.ParseUint(m[3], 16, 64)
	if err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	return Identity{Cluster: m[1], Name: m[2], Incarnation: incarnation}, nil
}

// validate reports whether the identity can stand in a certificate.
func (id Identity) validate() error {
	if !word.MatchString(id.Cluster) {
		return fmt.Errorf("%w: cluster %.40q: use 1 to 32 of a-z, 0-9 and -", ErrIdentity, id.Cluster)
	}
	if !word.MatchString(id.Name) {
		return fmt.Errorf("%w: name %.40q: use 1 to 32 of a-z, 0-9 and -", ErrIdentity, id.Name)
	}
	return nil
}

// Peer returns the identity of the other side of a connection made with the
// configurations of a [Certificate]. It fails, wrapping [ErrIdentity], unless
// that side showed a certificate which has been verified and carries exactly
// one well-formed identity.
func Peer(state tls.ConnectionState) (Identity, error) {
	if len(state.VerifiedChains) == 0 || len(state.PeerCertificates) == 0 {
		return Identity{}, fmt.Errorf("%w: the other side showed no verified certificate", ErrIdentity)
	}
	uris := state.PeerCertificates[0].URIs
	if len(uris) != 1 {
		return Identity{}, fmt.Errorf("%w: the other side's certificate carries %d, not 1", ErrIdentity, len(uris))
	}
	return ParseIdentity(uris[0].String())
}

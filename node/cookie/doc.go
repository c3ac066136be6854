// Package cookie turns the secret that the nodes of a cluster share into the
// keys they prove it with.
//
// A cookie is a short text, possibly chosen by a person, so it is stretched
// once per start with Argon2id (RFC 9106) and split with HKDF (RFC 5869) into
// independent keys: one that encrypts gossip, one that is a certificate
// authority, and a fingerprint that may be shown. The authority is the same
// on every node with that cookie. Each node signs its own certificate with it
// at start, for a fresh key and for exactly one [Identity], so two nodes of
// one cookie can open a mutually authenticated TLS 1.3 connection without
// having met, and no certificate is ever stored or sent ahead.
//
// No check depends on the clock: a node whose clock is wrong is not locked
// out.
//
// A cookie is changed while the cluster runs by a [Ring]: for a while a node
// accepts two. Whoever comes with one that was rotated away proves that he had
// it, and is told so.
//
// Non-goals: telling apart the holders of one cookie (whoever holds it can
// sign any identity), and revoking a single node's certificate.
package cookie

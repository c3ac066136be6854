// Package peer is the authenticated stream between nodes: HTTP/2 over TLS 1.3
// with a certificate on either side, made from the cookie, on the port that
// carries the gossip. What is said on it is lot/wire's service Peer, by
// Connect. Beside it there are lanes, on connections of their own.
package peer

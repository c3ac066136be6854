// Package node is one member of a parking cluster: it owns every goroutine and
// wires the parts together - the Serf agent (member), the streams to the other
// nodes (peer), the replica of the lot (replicate over lot/crdt) and the gates
// that run here (gates).
//
// New starts nothing. Run lives until its context ends, then hands its gates
// over, leaves, and returns when all it started has stopped. Network, peers'
// directory and randomness come from outside, so that the same node runs on
// the host's network and, in tests, on one in memory in virtual time.
package node

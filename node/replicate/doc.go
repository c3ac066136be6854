// Package replicate keeps a node's replica of the lot and brings it together
// with the others. Mutations are pushed as gossip, which is fast and may lose
// them; and each node pulls what it lacks from a peer, now and then and
// whenever something suggests that it lacks something. Pull alone makes any
// two replicas equal (anti-entropy: Demers et al., "Epidemic Algorithms for
// Replicated Database Maintenance", 1987); push only makes it fast.
package replicate

// Package crdt keeps a parking lot as a delta-state CRDT: a Document that
// every node changes on its own and that converges however mutations travel -
// late, twice, out of order, one by one, in groups or as a whole state.
//
// The unit of change is a Mutation: a dot (replica, sequence number), the dots
// it supersedes, and a value. An entry of a plate adds a value, an exit
// supersedes the values seen, a register write does both. Concurrent values
// all stay, so an entry wins over a concurrent exit, and concurrent entries
// are siblings until something supersedes them.
//
// What has been seen is the causal context: a version vector and, for dots
// that came out of order, a cloud. Joining a mutation adds only its own dot to
// the context. A superseded dot that has not been seen yet is kept as an early
// removal until its own mutation comes; counting it as seen instead would drop
// that mutation's own supersessions, and chains delivered backwards would
// diverge. There are no tombstones: a dot in the context without a live value
// is gone.
//
// The ideas are those of Almeida, Shoker and Baquero, "Delta State Replicated
// Data Types" (2018), section 7 (causal delta-CRDTs and the add-wins map), of
// Bieniusa et al., "An Optimized Conflict-free Replicated Set" (2012), for
// removing without tombstones, and of Kulkarni et al., "Logical Physical
// Clocks" (2014), for the stamps that rank concurrent values. Stamps never
// override causality.
//
// The package has no goroutine, lock, clock or random source: a Document
// belongs to whoever calls it, and the time comes from outside.
package crdt

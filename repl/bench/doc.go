// Package bench measures clusters of real node processes on this host: how soon
// a change is seen everywhere, how many of them a cluster takes, what joining,
// failing over and doing nothing cost.
//
// It has two ends. Handler is the node's: a service on its attach socket, for
// what typing commands is too slow for. Run is the other one: it starts nodes,
// or takes those that run, loads them and tells what it saw, as text, as JSON
// and as plots. docs/benchmarks.md says how to read that.
//
// A time counts from when its operation was due, not from when it was begun;
// what is visible counts once every replica shows it; what was recorded counts
// once all replicas have equal digests. The clocks of the processes of one host
// are one clock, so moments that different nodes tell can be subtracted.
//
// Non-goals: nodes on other hosts; faults of the network; tuning.
package bench

// Package history keeps what a node told its users and what ran on it: each
// change it made and what it had seen before, answers and refusals, gates that
// started and stopped, faults. It is written to an append-only log, one for each
// life of a node, that outlives the process, so that a session can be judged
// after nodes have died in it.
//
// A log is bounded: it is made of segments, of which the two latest are kept.
// Each says on its own what came before it, so a reader knows what it cannot know.
package history

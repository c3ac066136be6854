// Package member is a node's membership in its cluster: a Serf agent, which
// knows who is alive by SWIM (Das, Gupta and Motivala 2002) and carries small
// events by gossip. It is the only package that knows Serf and memberlist.
//
// Gossip is a hint: an event may be lost, doubled and reordered, and one that
// was sent without an error may never arrive.
package member

// Package fault injects faults into what a node sends and dials: packets that
// are dropped, doubled or late, streams that are slow or cut. It wraps the
// node's member.Transport, so it needs neither root nor a firewall, and works
// alike on a laptop and in containers.
//
// Faults lie on links, which are directions between two nodes known by name.
// They act at the end that sends a packet or has dialled a stream, so both nodes
// of a link have to know them. What else passes between nodes, such as the orders
// to inject and to heal, goes by the transport that was wrapped.
//
// Nodes observe the same as when packet filters break their links, which a test
// in scripts compares. One thing differs: a cut one way stops a stream at once,
// whereas TCP still delivers some of what goes the other way, until it lacks
// acknowledgements. A call may be carried out then; its caller knows that as
// little.
package fault

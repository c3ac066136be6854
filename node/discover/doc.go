// Package discover lets the nodes of one host find each other, through files
// in a directory that they share.
//
// A node claims its name with [ClaimName], publishes its address with
// [Claim.Publish] once it can be reached, and asks [List] for the others. A
// name is unique per cluster and cookie; nodes of other clusters or cookies
// stand in the same directory and in the same list, and are the caller's to
// filter out.
//
// # Who is alive
//
// A claim is a flock(2) held for the life of the process. The kernel frees it
// however the process ends, so a node is alive exactly if its lock is held: no
// heartbeat, no process number that another process may have by now. What a
// dead node left is removed by whoever looks next. Only its port is kept, for
// a day, so that its next life can have the same address.
//
// # Order
//
// Every operation holds the lock of the directory itself while it looks and
// changes, so operations happen one after another, in the same order for all.
// A node that publishes before it lists relies on it: of any two such nodes
// the one whose List comes later sees the other, since both Publish calls lie
// before it. Nodes that start at the same moment thus never miss each other
// both ways.
//
// # Files
//
// For the node larry, with 8 hexadecimal digits of a hash over cluster,
// cookie fingerprint and name:
//
//	larry-1a2b3c4d.lock  locked while the node lives; holds its process number
//	larry-1a2b3c4d.json  its entry, while it is published
//	larry-1a2b3c4d.sock  the unix socket on which it serves terminals
//	larry-1a2b3c4d.port  the port of its last life
//	larry-1a2b3c4d.tmp   one of these, being written
//
// Whatever else is in the directory is left alone. Nothing read is trusted:
// reads are bounded and never wait, and an entry counts only if it is well
// formed and stands under its own name.
//
// Non-goals: directories on a network file system, other hosts, and telling
// nodes apart that lie about themselves (proving the cookie is left to the
// connection).
package discover

// Package dns finds nodes by a name in the Domain Name System: the addresses
// behind a host's name (A and AAAA), or what an SRV record says of a service.
//
// It asks, it does not remember: whoever wants to follow a name asks again. A
// name server is not trusted. What it answers is bounded, malformed parts are
// left out, and an address is a hint where a node may be; that it is one, the
// connection to it proves.
//
// Non-goals: DNSSEC, multicast DNS, and the time to live of answers, which is
// often longer than it takes to replace a process.
package dns

// Package lot is the domain: a parking lot with numbered gates and a bounded
// number of spaces. It holds what a plate, a gate and a vehicle are, when an
// entry or an exit is refused, and in which words.
//
// The package is pure: no network, disk, log, goroutine or clock. Where its
// values live and how replicas of them agree is the business of lot/crdt and
// of the packages above it.
package lot

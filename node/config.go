package node

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"parking/lot"
	"parking/node/cookie"
	"parking/node/history"
	"parking/node/member"
)

// Ledger is the name of the promise that this node's lot is kept under.
const Ledger = "crdt"

// Config says what node to run. The zero value of a field means its default
// only where that is said.
type Config struct {
	Name    string       // unique in the cluster
	Cluster string       // authenticated; nodes of other clusters are refused
	Keys    *cookie.Keys // shared by the cluster

	Network   member.Transport // owned by the node from New on
	Directory Directory        // the nodes of this host; nil: it is in none
	Apart     bool             // those in Directory are not joined
	Vault     Vault            // where the cookie was from; nil: nowhere
	History   history.Archive  // of the nodes of this host; nil: none is kept
	Join      []string         // HOST:PORT of nodes to join
	MustJoin  bool             // a node in Join that cannot be reached is fatal
	Seeds     Seeds            // where more nodes may be; nil: nowhere

	Gates  Setting // what this lot has if this is the cluster's first node
	Spaces Setting

	Push     Push          // the way that changes take at once
	Profile  Profile       // the network that the gossip is tuned for
	Ack      int           // how many other nodes a write waits for, at most MaxAck
	Gossip   time.Duration // between two rounds of gossip; 0: the profile's
	Pull     time.Duration // between two pulls, on average
	NoFaults bool          // refuse kill-node and injected faults
	Signal   Signal        // nil: processes of this host cannot be paused
	Die      func()        // ends the process at once, without leaving; must not return
	Now      func() time.Time
	Rand     *rand.Rand // owned by the node; incarnations, jitter
	Log      *slog.Logger
}

// Push is a way for changes to reach the other nodes at once. Whatever it loses
// is pulled.
type Push string

// The ways to push.
const (
	Gossip Push = "gossip" // Serf's user events
	Fanout Push = "fanout" // straight to each node, in clusters of up to 33; else gossip
)

// ParsePush refuses what is no way to push.
func ParsePush(s string) (Push, error) {
	switch p := Push(s); p {
	case Gossip, Fanout:
		return p, nil
	}
	return "", lot.Refuse(lot.Usage, "the push lane %.40q is not gossip or fanout", s)
}

// A Profile is a kind of network, for which the gossip is tuned.
type Profile = member.Profile

// The profiles.
const (
	Laptop = member.Laptop // nodes of one host
	LAN    = member.LAN    // a network between them, of hosts or of pods
)

// ParseProfile refuses what is no profile.
func ParseProfile(s string) (Profile, error) {
	switch p := Profile(s); p {
	case Laptop, LAN:
		return p, nil
	}
	return "", lot.Refuse(lot.Usage, "the profile %.40q is not laptop or lan", s)
}

// A Setting is a configured value, and whether somebody chose it.
type Setting struct {
	Value int
	Given bool
}

// DefaultConfig returns a configuration that lacks name, keys and network.
func DefaultConfig() Config {
	return Config{
		Cluster: "parking",
		Gates:   Setting{Value: 4},
		Spaces:  Setting{Value: 100},
		Push:    Gossip,
		Profile: Laptop,
		Pull:    2 * time.Second,
		Die:     func() { panic("node: nobody said how to die") },
		Now:     time.Now,
		Log:     slog.New(slog.DiscardHandler),
	}
}

func (c *Config) validate() error {
	if err := cmp.Or(lot.CheckName("name", c.Name), lot.CheckName("cluster", c.Cluster)); err != nil {
		return fmt.Errorf("node: %w", err)
	}
	switch {
	case c.Keys == nil || c.Network == nil || c.Rand == nil || c.Log == nil || c.Die == nil || c.Now == nil:
		return errors.New("node: keys, network, randomness, log, clock and a way to die are needed")
	case c.Gossip < 0 || c.Pull <= 0:
		return errors.New("node: the intervals must be positive")
	}
	_, err := ParsePush(string(c.Push))
	_, wrong := ParseProfile(string(c.Profile))
	return errors.Join(err, wrong, CheckAck(c.Ack), lot.CheckGates(c.Gates.Value), lot.CheckSpaces(c.Spaces.Value))
}

// A Directory knows the nodes of this host that belong to the same cluster.
type Directory interface {
	// Publish puts this node in view, reachable at addr.
	Publish(addr string, incarnation uint64) error
	// Neighbours returns the other nodes in view. Of two nodes that each
	// publish before they look, at least one sees the other.
	Neighbours() ([]Neighbour, error)
	// Accept says by which cookies nodes belong together, as fingerprints: this
	// node is in view by the first, and those with any of them are its
	// neighbours. A node that starts with one of the retired ones is to be told.
	Accept(fingerprints, retired []string) error
}

// Signal stops a process of this host, which is a living neighbour's, or lets it
// go on.
type Signal func(pid int, stop bool) error

// A Neighbour is another node of this host.
type Neighbour struct {
	Name, Addr  string
	PID         int // of its process
	Incarnation uint64
}

package member

import (
	"strconv"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/serf/serf"
)

// A Profile is a kind of network, for which the gossip is tuned.
type Profile string

// The profiles.
const (
	// Laptop is for nodes on one host, where a loopback carries the gossip: packets
	// larger than an Ethernet frame, and silence noticed within a second.
	Laptop Profile = "laptop"
	// LAN is for nodes that a network is between, of hosts or of pods: packets that
	// no link has to break up, and silence noticed when it is more than a pause.
	LAN Profile = "lan"
)

// lanPacket is the most that a packet of the LAN profile carries, in bytes: an
// Ethernet frame that a tunnel wraps once more, by IPv6 at that, has room for it.
const lanPacket = 1400

// laptopPacket is the most that a packet of the laptop profile carries, in bytes.
// Loopback would carry more, but a packet counts its messages in a byte, and
// memberlist piggybacks what has room on a probe without looking at that: 255 of the
// smallest events have none.
const laptopPacket = 8000

// checksum is what memberlist adds to a packet and does not reckon with.
const checksum = 5

// serf returns the settings of the profile: what is Serf's is alike in all.
func (c Config) serf() *serf.Config {
	ml := memberlist.DefaultLANConfig()
	switch c.Profile {
	case LAN:
		lan(ml)
	default:
		laptop(ml)
	}
	if c.Gossip > 0 {
		ml.GossipInterval = c.Gossip
	}
	ml.Transport = c.Transport
	ml.Label = c.Cluster
	ml.GossipNodes = 3
	ml.RetransmitMult = 4
	ml.EnableCompression = false

	conf := serf.DefaultConfig()
	conf.NodeName = c.Name
	conf.MemberlistConfig = ml
	// The incarnation makes a restart under the same name and address visible.
	conf.Tags = map[string]string{"inc": strconv.FormatUint(c.Incarnation, 16)}
	// Serf's push/pull carries the whole ring at every join: it stays small.
	conf.EventBuffer = 128
	conf.UserEventSizeLimit = MaxEvent + 64
	// The node looks for failed members itself; Serf forgets them after an hour.
	conf.ReconnectInterval = 24 * time.Hour
	conf.ReconnectTimeout = time.Hour
	conf.TombstoneTimeout = 10 * time.Minute
	conf.LeavePropagateDelay = 100 * time.Millisecond
	conf.BroadcastTimeout = time.Second
	conf.QueryTimeoutMult = 100
	conf.QueueCheckInterval = 5 * time.Second
	conf.DisableCoordinates = true
	// Names are refused before a join; Serf's own way shuts nodes down.
	conf.EnableNameConflictResolution = false
	if c.Profile == LAN {
		conf.LeavePropagateDelay = 300 * time.Millisecond // three rounds of gossip
	}
	return conf
}

func laptop(ml *memberlist.Config) {
	ml.GossipInterval = 50 * time.Millisecond
	ml.UDPBufferSize = laptopPacket
	ml.HandoffQueueDepth = 65536
	ml.ProbeInterval = 250 * time.Millisecond
	ml.ProbeTimeout = 100 * time.Millisecond
	ml.SuspicionMult = 3
	ml.SuspicionMaxTimeoutMult = 2
	ml.TCPTimeout = 2 * time.Second
	ml.PushPullInterval = time.Minute // it carries the events of the latest load again and again
	ml.DeadNodeReclaimTime = time.Millisecond
}

func lan(ml *memberlist.Config) {
	ml.GossipInterval = 100 * time.Millisecond // news does not wait for it: see gossiper
	ml.UDPBufferSize = lanPacket - checksum
	ml.HandoffQueueDepth = 4096
	ml.ProbeInterval = time.Second
	ml.ProbeTimeout = 500 * time.Millisecond
	ml.SuspicionMult = 4
	ml.SuspicionMaxTimeoutMult = 2
	ml.TCPTimeout = 5 * time.Second
	// It repairs what gossip has missed about members. The node compares views
	// itself, and it carries the events of the latest load again: not more often.
	ml.PushPullInterval = 15 * time.Second
	// A pod comes back under its name with another address as soon as it has
	// failed: names are refused before a join, so that no living node loses its own.
	ml.DeadNodeReclaimTime = time.Millisecond
}

package member

import "github.com/hashicorp/memberlist"

// What bounds a wave, and how far they are apart.
const (
	Wave     = wave
	MaxWave  = maxWave
	Envelope = envelope
	Pause    = pause

	LANPacket = lanPacket
	Checksum  = checksum
)

// A Gossiper is an agent's, for a queue of the test's own.
type Gossiper struct{ *gossiper }

// NewGossiper returns one for what queue holds.
func NewGossiper(list *memberlist.Memberlist, queue memberlist.Delegate) Gossiper {
	others := func() (out []memberlist.Node) {
		for _, n := range list.Members() {
			if n.Name != list.LocalNode().Name {
				out = append(out, *n)
			}
		}
		return out
	}
	return Gossiper{newGossiper(list, others, queue)}
}

// Tell is the gossiper's.
func (g Gossiper) Tell(payload []byte) { g.tell(len(payload)) }

// Run is the gossiper's.
func (g Gossiper) Run(done <-chan struct{}) { g.run(done) }

// HearLeave makes the agent hear that a node leaves, by news from the future.
func (a *Agent) HearLeave(name string) {
	b := joinIntent(1<<40, name)
	b[0] = 0 // a leave has the same fields, and one that may be left out
	a.gossip.queue.NotifyMsg(b)
}

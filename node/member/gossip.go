package member

import (
	"math/rand/v2"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	// spread is the time between two rounds of gossip while there is something
	// to tell.
	spread = 2 * time.Millisecond
	// maxRound bounds the bytes that a round sends to one node. What is more
	// than that goes in memberlist's own rounds, in larger packets.
	maxRound = 3 * MaxEvent
	// perMessage is the room a message takes in a packet beside itself.
	perMessage = 3
)

// A gossiper tells news at once. Memberlist gossips when its ticker says so: a
// short interval costs a quiet node the most of its CPU, a long one is what a
// change waits at each hop. So the ticker is slow, and rounds of the gossiper's
// own, which send what memberlist's would, begin with the news and end with it.
//
// Whatever is sent counts as a transmission, by whichever rounds: a message is
// told RetransmitMult * ceil(log10(n+1)) times by each node, as ever.
type gossiper struct {
	list  *memberlist.Memberlist
	queue memberlist.Delegate // holds what waits to be gossiped
	news  chan struct{}
}

func newGossiper(list *memberlist.Memberlist, queue memberlist.Delegate) *gossiper {
	return &gossiper{list: list, queue: queue, news: make(chan struct{}, 1)}
}

// tell begins rounds, if none are under way. It does not block.
func (g *gossiper) tell() {
	select {
	case g.news <- struct{}{}:
	default:
	}
}

// run gossips until done is closed.
func (g *gossiper) run(done <-chan struct{}) {
	pause := time.NewTicker(spread)
	defer pause.Stop()
	for {
		pause.Stop() // a ticker that nobody waits for would wake the process
		select {
		case <-g.news:
		case <-done:
			return
		}
		pause.Reset(spread)
		// News may come a moment before they are in the queue: one round that
		// finds nothing does not end it.
		for quiet := 0; quiet < 2; quiet++ {
			if g.round() {
				quiet = 0
			}
			select {
			case <-pause.C:
			case <-done:
				return
			}
		}
	}
}

// round tells a few nodes, at random, what waits to be told. It reports
// whether there was anything.
func (g *gossiper) round() bool {
	targets := g.list.Members() // a copy
	rand.Shuffle(len(targets), func(i, j int) { targets[i], targets[j] = targets[j], targets[i] })
	self, told, some := g.list.LocalNode().Name, 0, false
	for _, to := range targets {
		if to.Name == self {
			continue
		}
		if told++; told > gossipNodes {
			break
		}
		messages := g.queue.GetBroadcasts(perMessage, maxRound)
		if len(messages) == 0 {
			break
		}
		some = true
		for _, m := range messages {
			_ = g.list.SendBestEffort(to, m) // the next round may come through
		}
	}
	return some
}

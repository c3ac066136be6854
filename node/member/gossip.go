package member

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	// wave is how many nodes are told of news at once. Of a large cluster all
	// but about e^-wave hear of it so.
	wave = 6
	// maxWave bounds the bytes that are told at once to one node. What is more
	// than that waits for memberlist's rounds, which send it in larger packets.
	maxWave = 3 * MaxEvent
	// pause is the time from one wave to the next: what comes meanwhile goes
	// together.
	pause = time.Millisecond
	// envelope is the most that Serf puts around a payload, in bytes.
	envelope = 48
)

// A gossiper tells news at once. Memberlist gossips when its ticker says so: a
// short interval costs a quiet node most of its CPU, a long one is what a change
// waits at each hop. So the ticker is slow, and whoever hears of an event for the
// first time tells a few others at random immediately. It is those messages that
// memberlist would send, and each counts as one of the RetransmitMult *
// ceil(log10(n+1)) times that a node sends a message. What a wave leaves of
// them, the ticker's rounds use, for those whom the waves have missed.
type gossiper struct {
	list  *memberlist.Memberlist
	queue memberlist.Delegate // holds what waits to be gossiped
	fresh atomic.Int64        // bytes of news in the queue, about
	news  chan struct{}
}

func newGossiper(list *memberlist.Memberlist, queue memberlist.Delegate) *gossiper {
	return &gossiper{list: list, queue: queue, news: make(chan struct{}, 1)}
}

// tell makes an event with that payload, which is in the queue or about to be,
// leave at once. It does not block.
func (g *gossiper) tell(payload []byte) {
	g.fresh.Add(int64(len(payload) + envelope))
	select {
	case g.news <- struct{}{}:
	default:
	}
}

// run sends waves until done is closed.
func (g *gossiper) run(done <-chan struct{}) {
	rest := time.NewTimer(0)
	defer rest.Stop()
	for {
		select {
		case <-g.news:
		case <-done:
			return
		}
		g.send(int(min(g.fresh.Swap(0), maxWave)))
		rest.Reset(pause)
		select {
		case <-rest.C:
		case <-done:
			return
		}
	}
}

// send tells each of a wave so many bytes of what waits. The queue gives what
// was sent least first, and that is the news.
func (g *gossiper) send(bytes int) {
	targets := g.list.Members() // a copy
	rand.Shuffle(len(targets), func(i, j int) { targets[i], targets[j] = targets[j], targets[i] })
	self, told := g.list.LocalNode().Name, 0
	for _, to := range targets {
		if to.Name == self {
			continue
		}
		if told++; told > wave {
			return
		}
		for _, m := range g.queue.GetBroadcasts(0, bytes) {
			_ = g.list.SendBestEffort(to, m) // the ticker's rounds may come through
		}
	}
}

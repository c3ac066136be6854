package member

import (
	"math/rand/v2"
	"runtime"
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
	// looks is how often the queue is looked at for news that is not in it, before
	// a last look after a pause: Serf tells of an event a moment before it queues
	// it.
	looks = 50
	// envelope is the most that Serf puts around a payload, in bytes.
	envelope = 48
	// intent is more than it takes to say that a node comes or goes.
	intent = 256
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
	peers func() []memberlist.Node // whom to tell; copies, for memberlist writes to its own
	queue memberlist.Delegate      // holds what waits to be gossiped
	fresh atomic.Int64             // bytes of news in the queue, about
	news  chan struct{}
}

func newGossiper(list *memberlist.Memberlist, peers func() []memberlist.Node, queue memberlist.Delegate) *gossiper {
	return &gossiper{list: list, peers: peers, queue: queue, news: make(chan struct{}, 1)}
}

// tell makes news with a payload of that size, which is in the queue or about to
// be, leave at once. It does not block.
func (g *gossiper) tell(size int) {
	g.fresh.Add(int64(size + envelope))
	select {
	case g.news <- struct{}{}:
	default:
	}
}

// run sends waves until done is closed.
func (g *gossiper) run(done <-chan struct{}) {
	rest := time.NewTimer(0)
	defer rest.Stop()
	var (
		missed int64            // bytes of news that were not in the queue
		again  <-chan time.Time // a last look for them is due; nil if none is
	)
	for {
		last := false
		select {
		case <-g.news:
		case <-again:
			last = true
		case <-done:
			return
		}
		missed += g.fresh.Swap(0)
		sent := g.send(int(min(missed, maxWave)))
		for look := 0; !sent && look < looks; look++ {
			runtime.Gosched()
			sent = g.send(int(min(missed, maxWave)))
		}
		if !sent && !last {
			rest.Reset(pause)
			again = rest.C
			continue
		}
		missed, again = 0, nil
		if !sent {
			continue
		}
		rest.Reset(pause)
		select {
		case <-rest.C:
		case <-done:
			return
		}
	}
}

// send tells each of a wave so many bytes of what waits. The queue gives what
// was sent least first, and that is the news. It reports whether there was any,
// if there is anybody to tell.
func (g *gossiper) send(bytes int) bool {
	targets := g.peers()
	rand.Shuffle(len(targets), func(i, j int) { targets[i], targets[j] = targets[j], targets[i] })
	told := 0
	for i := range targets {
		messages := g.queue.GetBroadcasts(0, bytes)
		if len(messages) == 0 {
			return told > 0
		}
		for _, m := range messages {
			_ = g.list.SendBestEffort(&targets[i], m) // the ticker's rounds may come through
		}
		if told++; told == wave {
			return true
		}
	}
	return true
}

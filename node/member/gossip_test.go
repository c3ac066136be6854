package member_test

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"

	"parking/node/member"
	"parking/node/simnet"
)

// hop is how long a packet travels.
const hop = 200 * time.Microsecond

// A circle is a gossiper and the others that it knows, in virtual time. Their
// memberlists send nothing by themselves.
type circle struct {
	member.Gossiper
	queue *memberlist.TransmitLimitedQueue
	begin time.Time

	mu    sync.Mutex
	heard map[string][]word // by who has heard it; "self" is the gossiper
}

// A word is a message that was heard.
type word struct {
	after time.Duration // since the beginning
	text  string
}

// inCircle runs f in a circle with so many others, where a message is sent so
// many times at most.
func inCircle(t *testing.T, others, transmits int, f func(*circle)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := &circle{heard: make(map[string][]word)}
		c.queue = &memberlist.TransmitLimitedQueue{NumNodes: func() int { return 1 }, RetransmitMult: transmits}
		network := simnet.New(1, hop)
		var lists []*memberlist.Memberlist
		for i := range 1 + others {
			host, err := network.Host("10.0.0.1", 7000+i)
			if err != nil {
				t.Fatal(err)
			}
			conf := memberlist.DefaultLANConfig()
			conf.Name = fmt.Sprintf("other-%d", i)
			if i == 0 {
				conf.Name = "self"
			}
			conf.Transport, conf.Delegate = host, ear{c, conf.Name}
			conf.EnableCompression = false
			conf.GossipInterval, conf.ProbeInterval, conf.PushPullInterval = 0, 0, 0
			conf.LogOutput = io.Discard
			list, err := memberlist.Create(conf)
			if err != nil {
				t.Fatal(err)
			}
			defer list.Shutdown()
			if i > 0 {
				if _, err := lists[0].Join([]string{host.Addr()}); err != nil {
					t.Fatal(err)
				}
			}
			lists = append(lists, list)
		}
		c.Gossiper = member.NewGossiper(lists[0], mouth{ear{}, c.queue})
		done, ended := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			c.Run(done)
		}()
		synctest.Wait()
		c.begin = time.Now()
		f(c)
		told := time.Now()
		close(done)
		<-ended
		if took := time.Since(told); took > 0 {
			t.Errorf("it ended %v after it was told to", took)
		}
	})
}

// ear is the delegate of a member that listens.
type ear struct {
	*circle
	name string
}

func (e ear) NotifyMsg(b []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard[e.name] = append(e.heard[e.name], word{time.Since(e.begin), string(b)})
}

func (e ear) NodeMeta(int) []byte             { return nil }
func (e ear) GetBroadcasts(int, int) [][]byte { return nil }
func (e ear) LocalState(bool) []byte          { return nil }
func (e ear) MergeRemoteState([]byte, bool)   {}

// mouth is the delegate whose queue the gossiper sends from.
type mouth struct {
	ear
	queue *memberlist.TransmitLimitedQueue
}

func (m mouth) GetBroadcasts(overhead, limit int) [][]byte {
	return m.queue.GetBroadcasts(overhead, limit)
}

// message is what waits in the queue.
type message string

func (m message) Invalidates(memberlist.Broadcast) bool { return false }
func (m message) Message() []byte                       { return []byte(m) }
func (m message) Finished()                             {}

// say queues a message, and has it told.
func (c *circle) say(text string) {
	c.queue.QueueBroadcast(message(text))
	c.Tell([]byte(text))
}

// listen waits so long, and returns what was heard until then.
func (c *circle) listen(d time.Duration) map[string][]word {
	time.Sleep(d)
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	heard := c.heard
	c.heard = make(map[string][]word)
	return heard
}

// News goes at once to a few others, to each once and never to oneself, and not
// more often than a message is sent. The rest is left to memberlist's rounds.
func TestAWaveOfNews(t *testing.T) {
	for _, c := range []struct{ others, transmits, told int }{
		{others: 0, transmits: 4, told: 0},
		{others: 1, transmits: 4, told: 1},
		{others: member.Wave, transmits: 2 * member.Wave, told: member.Wave},
		{others: 3 * member.Wave, transmits: 2 * member.Wave, told: member.Wave},
		{others: member.Wave, transmits: 4, told: 4},
		{others: 3 * member.Wave, transmits: member.Wave, told: member.Wave},
	} {
		t.Run(fmt.Sprintf("%d others, %d transmits", c.others, c.transmits), func(t *testing.T) {
			inCircle(t, c.others, c.transmits, func(in *circle) {
				in.say("news")
				heard := in.listen(time.Minute)
				if len(heard) != c.told {
					t.Errorf("%d have heard, want %d: %v", len(heard), c.told, heard)
				}
				for name, words := range heard {
					if name == "self" || !slices.Equal(words, []word{{hop, "news"}}) {
						t.Errorf("%s has heard %v", name, words)
					}
				}
				left := 0
				for len(in.queue.GetBroadcasts(0, 1000)) > 0 {
					left++
				}
				if want := c.transmits - c.told; left != want {
					t.Errorf("it is to be sent %d times more, want %d", left, want)
				}
			})
		})
	}
}

// News that is told of before it is queued leaves after the pause, and is not
// waited for longer than that.
func TestNewsBeforeItsTime(t *testing.T) {
	inCircle(t, 1, 1, func(c *circle) {
		c.Tell([]byte("news"))
		synctest.Wait()
		c.queue.QueueBroadcast(message("news"))
		if heard := c.listen(2 * member.Pause); len(heard["other-1"]) != 1 {
			t.Errorf("heard was %v", heard)
		}
		c.Tell([]byte("nothing"))
		time.Sleep(3 * member.Pause)
		c.queue.QueueBroadcast(message("later"))
		if heard := c.listen(time.Second); len(heard) > 0 {
			t.Errorf("heard was %v, long after it was told of", heard)
		}
	})
}

// Different ones are told each time.
func TestWavesGoToOthersAtRandom(t *testing.T) {
	inCircle(t, 2*member.Wave, member.Wave, func(c *circle) {
		heard := make(map[string]bool)
		for range 20 { // that one is left out is as likely as one in 80,000
			c.say("news")
			for name := range c.listen(time.Second) {
				heard[name] = true
			}
		}
		if len(heard) != 2*member.Wave {
			t.Errorf("%d others have heard of 20 waves, want all %d", len(heard), 2*member.Wave)
		}
	})
}

// News that comes in the pause after a wave goes together when that is over.
func TestNewsInThePause(t *testing.T) {
	inCircle(t, 1, 1, func(c *circle) {
		c.say("one")
		time.Sleep(member.Pause / 4)
		c.say("two")
		time.Sleep(member.Pause / 4)
		c.say("three")
		heard := c.listen(time.Minute)["other-1"]
		slices.SortFunc(heard, func(a, b word) int { return strings.Compare(a.text, b.text) })
		if want := []word{{hop, "one"}, {member.Pause + hop, "three"}, {member.Pause + hop, "two"}}; !slices.Equal(heard, want) {
			t.Errorf("heard %v, want %v", heard, want)
		}
	})
}

// A wave tells each no more than so many bytes, however much there is. The rest
// waits.
func TestAWaveIsBounded(t *testing.T) {
	inCircle(t, member.Wave, 1, func(c *circle) {
		const messages = 100
		for i := range messages {
			c.say(fmt.Sprintf("%02d%s", i, strings.Repeat("x", member.MaxEvent-2)))
		}
		heard, sent := c.listen(time.Minute), 0
		for name, words := range heard {
			at := make(map[time.Duration]int) // bytes
			for _, w := range words {
				at[w.after] += len(w.text)
			}
			for after, bytes := range at {
				if bytes > member.MaxWave {
					t.Errorf("%s was told %d bytes at once, after %v; %d at most", name, bytes, after, member.MaxWave)
				}
			}
			if len(at) > 2 { // the first message may leave before the others are there
				t.Errorf("%s was told something at %d moments", name, len(at))
			}
			sent += len(words)
		}
		if waits := c.queue.NumQueued(); len(heard) != member.Wave || waits != messages-sent {
			t.Errorf("%d have heard %d messages, %d wait", len(heard), sent, waits)
		}
		c.say("later")
		for name, words := range c.listen(time.Minute) {
			if len(words) != 1 || words[0].text != "later" {
				t.Errorf("%s was told of what had waited, beside the news", name)
			}
		}
	})
}

// A wave of a message's size has room for what Serf puts around it.
func TestTheEnvelopeFits(t *testing.T) {
	for _, size := range []int{0, 1, 200, member.MaxEvent} {
		inCircle(t, 1, 1, func(c *circle) {
			c.queue.QueueBroadcast(message(strings.Repeat("x", size+member.Envelope-1)))
			c.Tell(make([]byte, size))
			if heard := c.listen(time.Second); len(heard) != 1 {
				t.Errorf("nobody has heard an event of %d bytes", size)
			}
		})
	}
}

// Telling never blocks, also when nobody sends any more; and a gossiper ends in
// the pause after a wave too.
func TestAGossiperEnds(t *testing.T) {
	inCircle(t, 1, 4, func(c *circle) {
		idle := member.NewGossiper(nil, mouth{})
		for range 1000 {
			idle.Tell([]byte("news"))
		}
		closed := make(chan struct{})
		close(closed)
		member.NewGossiper(nil, mouth{}).Run(closed)
		c.say("news")
		synctest.Wait() // it is in the pause, when f returns and done is closed
	})
}

// An event is with everyone one hop later, though the next round of gossip is in
// an hour; who cannot be reached from its origin has it after two, by the waves
// of those that have heard it. One that Serf had not queued yet takes a pause
// longer.
func TestEventsDoNotWaitForTheRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := simnet.New(1, hop)
		var agents []*member.Agent
		var hosts []*simnet.Host
		for i := range 5 { // so few that a wave reaches all
			host, err := network.Host("10.0.0.1", 7000+i)
			if err != nil {
				t.Fatal(err)
			}
			a, err := member.New(member.Config{
				Name: fmt.Sprintf("node-%d", i), Incarnation: uint64(i + 1), Cluster: "parking", Key: make([]byte, 32),
				Gossip: time.Hour, Transport: host, Log: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, other := range hosts {
				if err := a.Join(other.Addr()); err != nil {
					t.Fatal(err)
				}
			}
			agents, hosts = append(agents, a), append(hosts, host)
		}
		time.Sleep(5 * time.Second) // probes take along what is told of the joins
		network.Cut(hosts[0], hosts[4])
		for _, size := range []int{1, member.MaxEvent} {
			text := strings.Repeat("x", size)
			begin := time.Now()
			if err := agents[0].Broadcast([]byte(text)); err != nil {
				t.Fatal(err)
			}
			for i, hops := range []time.Duration{0, 1, 1, 1, 2} {
				select {
				case got := <-agents[i].Events():
					if took := time.Since(begin); string(got) != text || took > hops*(hop+member.Pause) {
						t.Errorf("an event of %d bytes is with node-%d after %v as %d bytes", size, i, took, len(got))
					}
				case <-time.After(time.Second):
					t.Errorf("an event of %d bytes is not with node-%d", size, i)
				}
			}
			time.Sleep(2 * member.Pause)
		}
		for _, a := range agents {
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(15 * time.Second) // memberlist's last probes
	})
}

// A member that seems to leave, by news of a former life that outdo its own, is
// alive once somebody says that it stays; its own agent goes on too.
func TestAMemberStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := simnet.New(1, hop)
		var agents []*member.Agent
		for i := range 2 {
			host, err := network.Host("10.0.0.1", 7000+i)
			if err != nil {
				t.Fatal(err)
			}
			a, err := member.New(member.Config{
				Name: fmt.Sprintf("a-%028d-%d", 0, i), Incarnation: 1, Cluster: "test", Key: make([]byte, 32), // the longest name
				Gossip: 50 * time.Millisecond, Transport: host, Log: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				t.Fatal(err)
			}
			defer time.Sleep(15 * time.Second) // memberlist's last probes
			defer a.Close()
			agents = append(agents, a)
		}
		if err := agents[1].Join("10.0.0.1:7000"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		other := agents[0].Members()[1]
		status := func() member.Status { return agents[0].Members()[1].Status }
		if other.Status != member.Alive {
			t.Fatalf("%+v at first", other)
		}
		agents[0].HearLeave(other.Name)
		if status() != member.Leaving {
			t.Fatalf("%v after it was said to leave", status())
		}
		agents[0].Stays(other.Name)
		if status() != member.Alive {
			t.Errorf("%v after it was said to stay", status())
		}
		time.Sleep(5 * time.Second)
		if status() != member.Alive {
			t.Errorf("%v later", status())
		}
	})
}

package member

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/serf/serf"
)

// MaxEvent is the size of the largest payload that gossip really delivers:
// Serf accepts larger ones and never sends them.
const MaxEvent = 1280

// eventName is the name of every user event: Serf keeps one counter a name.
const eventName = "d"

// Status is what SWIM thinks of a member.
type Status string

// The states of a member.
const (
	Alive   Status = "alive"
	Leaving Status = "leaving"
	Left    Status = "left"
	Failed  Status = "failed"
)

// A Member is one node as the cluster sees it.
type Member struct {
	Name        string
	Addr        string // HOST:PORT
	Incarnation uint64 // which life of that name
	Status      Status
}

// Config says what agent to start.
type Config struct {
	Name        string
	Incarnation uint64
	Cluster     string        // authenticated with every message
	Key         []byte        // 32 bytes
	Profile     Profile       // the network that it is tuned for
	Gossip      time.Duration // between two rounds of gossip; more saves CPU; 0: the profile's
	Transport   Transport     // owned by the agent from New on
	Log         *slog.Logger
}

// An Agent is a running Serf agent.
type Agent struct {
	serf    *serf.Serf
	gossip  *gossiper
	keys    *memberlist.Keyring
	events  chan []byte
	changes chan struct{}
	done    chan struct{}
	joining chan struct{} // held by the one join under way
}

// New starts an agent that knows nobody yet. Close ends it.
func New(cfg Config) (*Agent, error) {
	logger := newLogger(cfg.Log)
	incoming := make(chan serf.Event, 512)
	keys, err := memberlist.NewKeyring(nil, cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("member: %w", err)
	}
	conf := cfg.serf()
	conf.MemberlistConfig.Keyring = keys
	conf.EventCh = incoming
	conf.Logger, conf.MemberlistConfig.Logger = logger, logger
	s, err := serf.Create(conf)
	if err != nil {
		return nil, fmt.Errorf("member: %w", err)
	}
	a := &Agent{
		serf:    s,
		keys:    keys,
		events:  make(chan []byte, 4096),
		changes: make(chan struct{}, 1),
		done:    make(chan struct{}),
		joining: make(chan struct{}, 1),
		// Serf has made itself the delegate.
		gossip: newGossiper(s.Memberlist(), func() []memberlist.Node { return peersOf(s) }, conf.MemberlistConfig.Delegate),
	}
	go func() {
		defer close(a.done)
		var running sync.WaitGroup
		running.Go(func() { a.drain(incoming) })
		running.Go(func() { a.gossip.run(s.ShutdownCh()) })
		running.Wait()
	}()
	return a, nil
}

// drain only hands over: Serf calls while it holds its locks.
func (a *Agent) drain(in <-chan serf.Event) {
	for {
		select {
		case e := <-in:
			switch e := e.(type) {
			case serf.UserEvent:
				a.gossip.tell(len(e.Payload))
				select {
				case a.events <- e.Payload:
				default: // a hint was lost; anti-entropy will tell
				}
			case serf.MemberEvent:
				select {
				case a.changes <- struct{}{}:
				default:
				}
			}
		case <-a.serf.ShutdownCh():
			return
		}
	}
}

// Events delivers the payloads of events from all nodes, this one's too. The
// queue is bounded: what nobody takes is dropped.
func (a *Agent) Events() <-chan []byte { return a.events }

// Changes ticks after members changed; ticks merge.
func (a *Agent) Changes() <-chan struct{} { return a.changes }

// Done is closed once the agent has ended.
func (a *Agent) Done() <-chan struct{} { return a.done }

// Members returns everyone the agent knows, itself too, sorted by name.
func (a *Agent) Members() []Member {
	all := a.serf.Members()
	out := make([]Member, 0, len(all))
	for _, m := range all {
		inc, err := strconv.ParseUint(m.Tags["inc"], 16, 64)
		if err != nil {
			continue // no node of ours
		}
		out = append(out, Member{
			Name:        m.Name,
			Addr:        net.JoinHostPort(m.Addr.String(), strconv.Itoa(int(m.Port))),
			Incarnation: inc,
			Status:      statusOf(m.Status),
		})
	}
	slices.SortFunc(out, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// peersOf returns the other members that can be told something.
func peersOf(s *serf.Serf) (out []memberlist.Node) {
	self := s.LocalMember().Name
	for _, m := range s.Members() {
		if m.Name != self && (m.Status == serf.StatusAlive || m.Status == serf.StatusLeaving) {
			out = append(out, memberlist.Node{Name: m.Name, Addr: m.Addr, Port: m.Port, PMax: m.ProtocolMax})
		}
	}
	return out
}

func statusOf(s serf.MemberStatus) Status {
	switch s {
	case serf.StatusAlive:
		return Alive
	case serf.StatusLeaving:
		return Leaving
	case serf.StatusLeft:
		return Left
	default:
		return Failed
	}
}

// Join makes this node a member of the cluster that the node at addr is in. It
// blocks until that node answered, for a few seconds at most; joins wait for
// each other.
func (a *Agent) Join(addr string) error {
	// Serf has a mutex for this. Nobody waits at one for the network in virtual
	// time, so that it is taken without a wait.
	a.joining <- struct{}{}
	defer func() { <-a.joining }()
	if _, err := a.serf.Join([]string{addr}, true); err != nil {
		return fmt.Errorf("member: joining %s: %w", addr, err)
	}
	a.gossip.tell(intent) // or older news, of a former life that left, may overtake it
	return nil
}

// Stays tells everyone that a member which seems to leave does not. Serf keeps one
// time a name for who comes and goes, and adds to it when it passes on that
// somebody has left: so the news of a former life that left may outdo that of the
// next one's coming, and only who came can say otherwise, but does not hear of it.
func (a *Agent) Stays(name string) {
	now, err := strconv.ParseUint(a.serf.Stats()["member_time"], 10, 64) // above all that were heard
	if err != nil {
		return
	}
	a.gossip.queue.NotifyMsg(joinIntent(now, name))
	a.gossip.tell(intent)
}

// joinIntent returns Serf's message that a node has come at that time: a type,
// then a map in MessagePack.
func joinIntent(at uint64, name string) []byte {
	b := append([]byte{1, 0x80 | 2, 0xa0 | 5}, "LTime"...)
	b = binary.BigEndian.AppendUint64(append(b, 0xcf), at)
	b = append(append(b, 0xa0|4), "Node"...)
	b = binary.BigEndian.AppendUint16(append(b, 0xda), uint16(len(name)))
	return append(b, name...)
}

// Broadcast sends an event of at most MaxEvent bytes to all nodes, best
// effort. It does not block on the network.
func (a *Agent) Broadcast(payload []byte) error {
	if len(payload) > MaxEvent {
		return fmt.Errorf("member: event of %d bytes, %d at most", len(payload), MaxEvent)
	}
	if err := a.serf.UserEvent(eventName, payload, false); err != nil {
		return fmt.Errorf("member: event: %w", err)
	}
	a.gossip.tell(len(payload))
	return nil
}

// QueueDepth returns how many events wait to be gossiped.
func (a *Agent) QueueDepth() int {
	n, _ := strconv.Atoi(a.serf.Stats()["event_queue"])
	return n
}

// Leave tells the others that this node goes, and blocks until they were told
// or a second has passed.
func (a *Agent) Leave() error {
	a.gossip.tell(intent)
	if err := a.serf.Leave(); err != nil {
		return fmt.Errorf("member: leaving: %w", err)
	}
	return nil
}

// Close ends the agent and its transport, without telling anyone.
func (a *Agent) Close() error {
	err := a.serf.Shutdown()
	<-a.done
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("member: %w", err)
	}
	return nil
}

package member_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"parking/node/member"
	"parking/node/simnet"
)

// scale is a host that notes the size of the largest packet it has sent.
type scale struct {
	*simnet.Host
	largest *atomic.Int64
}

func (s scale) WriteTo(b []byte, addr string) (time.Time, error) {
	s.weigh(b)
	return s.Host.WriteTo(b, addr)
}

func (s scale) WriteToAddress(b []byte, a member.Address) (time.Time, error) {
	s.weigh(b)
	return s.Host.WriteToAddress(b, a)
}

func (s scale) weigh(b []byte) {
	for {
		was := s.largest.Load()
		if int64(len(b)) <= was || s.largest.CompareAndSwap(was, int64(len(b))) {
			return
		}
	}
}

// By the LAN profile no packet is larger than the frames of a network carry, not
// that of the largest event, in a cluster with the longest name, among nodes with
// the longest names; and such an event comes to all.
func TestTheLargestEventFitsAPacketOfTheLAN(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const nodes = 5
		network := simnet.New(1, hop)
		var largest atomic.Int64
		var agents []*member.Agent
		for i := range nodes {
			host, err := network.Host("10.0.0.1", 7000+i)
			if err != nil {
				t.Fatal(err)
			}
			a, err := member.New(member.Config{
				Name: fmt.Sprintf("%032d", i), Incarnation: 1<<64 - 1 - uint64(i), Cluster: strings.Repeat("c", 32),
				Key: bytes.Repeat([]byte{7}, 32), Profile: member.LAN,
				Transport: scale{host, &largest}, Log: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			if agents = append(agents, a); i > 0 {
				if err := a.Join("10.0.0.1:7000"); err != nil {
					t.Fatal(err)
				}
			}
		}
		time.Sleep(time.Second)
		event := bytes.Repeat([]byte{0xab}, member.MaxEvent)
		if err := agents[1].Broadcast(event); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // no push/pull comes so soon
		for i, a := range agents {
			select {
			case got := <-a.Events():
				if !bytes.Equal(got, event) {
					t.Errorf("%d heard %d bytes of another event", i, len(got))
				}
			default:
				t.Errorf("%d has not heard of the event", i)
			}
		}
		// What a round of gossip would have no room for, it never sends.
		if got := largest.Load(); got > member.LANPacket-member.Checksum {
			t.Errorf("the event takes a packet of %d bytes", got)
		}
		for i := range 400 { // so many at once that packets hold several
			_ = agents[i%nodes].Broadcast(bytes.Repeat([]byte{byte(i), byte(i >> 8)}, 1+i%(member.MaxEvent/2)))
		}
		time.Sleep(20 * time.Second) // probes and push/pulls, too
		if got := largest.Load(); got > member.LANPacket || got < member.MaxEvent {
			t.Errorf("the largest packet has %d bytes, want %d at most, and the event's %d at least", got, member.LANPacket, member.MaxEvent)
		}
		t.Logf("the largest packet has %d bytes", largest.Load())
	})
}

// A packet counts its messages in a byte. What is piggybacked on a probe is no more
// than that, be there ever so much news and each ever so small: else nobody
// understands it, and a probe that is not understood is not answered.
func TestPacketsCountTheirMessages(t *testing.T) {
	for _, profile := range []member.Profile{member.Laptop, member.LAN} {
		t.Run(string(profile), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := simnet.New(1, hop)
				var log syncBuffer
				var agents []*member.Agent
				for i := range 3 {
					host, err := network.Host("10.0.0.1", 7000+i)
					if err != nil {
						t.Fatal(err)
					}
					a, err := member.New(member.Config{
						Name: fmt.Sprintf("n%d", i), Incarnation: 1, Cluster: "c", Key: bytes.Repeat([]byte{7}, 32), Profile: profile,
						Transport: host, Log: slog.New(slog.NewTextHandler(&log, nil)),
					})
					if err != nil {
						t.Fatal(err)
					}
					defer a.Close()
					if agents = append(agents, a); i > 0 {
						if err := a.Join("10.0.0.1:7000"); err != nil {
							t.Fatal(err)
						}
					}
				}
				for i := range 12000 {
					if err := agents[0].Broadcast([]byte{byte(i), byte(i >> 8)}); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(5 * time.Second)
				for line := range strings.Lines(log.String()) {
					if strings.Contains(line, "decode") || strings.Contains(line, "not supported") {
						t.Fatalf("a packet that is not understood: %s", line)
					}
				}
			})
		})
	}
}

// A syncBuffer is written to by several.
type syncBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

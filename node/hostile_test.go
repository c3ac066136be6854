package node_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	mathrand "math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/hashicorp/memberlist"
	"google.golang.org/protobuf/proto"

	"parking/lot"
	"parking/lot/crdt"
	"parking/lot/wire"
	"parking/node"
	"parking/node/cookie"
	"parking/node/peer"
	"parking/node/replicate"
	"parking/node/simnet"
)

// Events that are garbage, too long, or claim what cannot be, by somebody who
// holds the cookie: refused, counted, logged without flooding the log, and the
// cluster goes on.
func TestHostileEvents(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		nodes, gossip := l.withMallory()
		larry := nodes[0]
		if _, err := larry.TrackEntry(t.Context(), "HONEST", 1); err != nil {
			t.Fatal(err)
		}
		l.settled(3 * time.Second)
		before := larry.Digest()
		garbage := make([]byte, 500)
		_, _ = rand.Read(garbage)
		garbage[0] = 5 // a delta's first byte
		unknown := append([]byte{3}, garbage...)
		bad := [][]byte{
			garbage,
			entry("mallory", 1, crdt.MaxSeq+1, "HUGE"),
			entry("No Such Name!", 1, 1, "NAMELESS"),
			entry("mallory", 1, 1, strings.Repeat("long", 50)),
			entry("mallory", 1, 0, "ZERO"),
		}
		const rounds = 20
		for range rounds {
			for _, b := range append(append([][]byte(nil), bad...), unknown, nil) {
				if err := gossip.Broadcast(b); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(50 * time.Millisecond)
		}
		if err := gossip.Broadcast(make([]byte, 4000)); err == nil {
			t.Error("an event larger than gossip delivers was accepted")
		}
		time.Sleep(time.Second)
		if larry.Digest() != before {
			t.Errorf("hostile events changed the lot: %+v", slices.Collect(larry.Read().Vehicles("")))
		}
		if n := larry.Status().Refused; n < rounds*uint64(len(bad))/2 {
			t.Errorf("%d refusals were counted, about %d were sent", n, rounds*len(bad))
		}
		if n := larry.warned.count("refused"); n < 1 || n > 5 {
			t.Errorf("%d lines in the log in 2s, want one a second at most", n)
		}
		l.settled(3 * time.Second)
		if err := larry.Enter(t.Context(), 1, "STILL"); err != nil {
			t.Error(err)
		}
	})
}

// entry is an event about one entry, of any replica.
func entry(node string, inc, seq uint64, plate string) []byte {
	return crdt.Encode([]crdt.Mutation{{
		Dot: crdt.Dot{Replica: crdt.NewReplica(node, inc), Seq: seq}, Stamp: 1, Kind: crdt.Entry, Plate: lot.Plate(plate), Gate: 1,
	}})
}

// Who holds the cookie can forge what another node never said; that node does
// not believe it, and goes on hearing everything else from those who do.
func TestAForgedDot(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		var gossip replicate.Gossip
		l.tweak = func(n *lively) {
			n.WrapGossip(func(g replicate.Gossip) replicate.Gossip {
				if n.Name() == "mallory" {
					gossip = g
				}
				return &mangled{Gossip: g, rand: mathrand.New(mathrand.NewPCG(1, 2)), lose: 1} // pulls only
			})
		}
		nodes := l.cluster("larry", "gary", "mallory")
		larry, gary := nodes[0], nodes[1]
		if err := gossip.Broadcast(entry("larry", larry.Status().Incarnation, 1000, "FORGED")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		if larry.has("FORGED") || larry.Status().Refused == 0 {
			t.Errorf("larry believes that it said what it never did; %d refused", larry.Status().Refused)
		}
		for i, n := range nodes {
			if _, err := n.TrackEntry(t.Context(), plate(i), 1); err != nil {
				t.Fatal(err)
			}
		}
		l.eventually(12*time.Second, "the honest entries everywhere", func() bool {
			for i := range nodes {
				if !larry.has(plate(i)) || !gary.has(plate(i)) {
					return false
				}
			}
			return true
		})
	})
}

// One forged dot does not keep whole states from the node that it names.
func TestAForgedDotAndAWholeState(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		nodes, gossip := l.withMallory()
		larry, gary := nodes[0], nodes[1]
		if err := gossip.Broadcast(entry("larry", larry.Status().Incarnation, 1000, "FORGED")); err != nil {
			t.Fatal(err)
		}
		l.eventually(3*time.Second, "gary is taken in", func() bool { return gary.has("FORGED") })
		l.leave("mallory")
		l.cut([]string{"larry"}, []string{"gary"})
		time.Sleep(3 * time.Second)
		for i := range 1500 { // so that only the whole state is left to send
			if _, err := gary.TrackEntry(t.Context(), plate(i), 1); err != nil {
				t.Fatal(err)
			}
			if _, err := gary.TrackExit(t.Context(), plate(i), 1); err != nil {
				t.Fatal(err)
			}
		}
		for _, f := range []func() error{
			func() error { _, err := gary.TrackExit(t.Context(), "FORGED", 1); return err },
			func() error { _, err := gary.TrackEntry(t.Context(), "HONEST", 1); return err },
		} {
			if err := f(); err != nil {
				t.Fatal(err)
			}
		}
		l.heal([]string{"larry"}, []string{"gary"})
		l.eventually(10*time.Second, "the honest entry at larry", func() bool { return larry.has("HONEST") })
		if larry.has("FORGED") {
			t.Error("larry believes that it said what it never did")
		}
	})
}

// Two nodes of which a third forged something have different digests for good.
// They do not pull from each other all the time for that.
func TestTwoForgedDots(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		nodes, gossip := l.withMallory()
		for _, n := range nodes[:2] {
			if err := gossip.Broadcast(entry(n.Name(), n.Status().Incarnation, 1000, "F "+n.Name())); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(3 * time.Second)
		before := nodes[0].Status().Refused
		time.Sleep(10 * time.Second)
		if n := nodes[0].Status().Refused - before; n == 0 || n > 60 {
			t.Errorf("%d refusals in ten seconds", n)
		}
	})
}

// withMallory starts larry, gary and mallory, who may gossip what it likes.
func (l *lab) withMallory() (nodes []*lively, gossip replicate.Gossip) {
	l.t.Helper()
	l.tweak = func(n *lively) {
		if n.Name() == "mallory" {
			n.WrapGossip(func(g replicate.Gossip) replicate.Gossip { gossip = g; return g })
		}
	}
	return l.cluster("larry", "gary", "mallory"), gossip
}

// impostor speaks to nodes with a certificate of the cookie and no agent.
func (l *lab) impostor(name string) (dial func(addr string) *peer.Link) {
	l.t.Helper()
	host, err := l.net.Host("10.0.0.9", 9000)
	if err != nil {
		l.t.Fatal(err)
	}
	cert, err := testKeys().Certify(cookie.Identity{Cluster: "parking", Name: name, Incarnation: 7}, rand.Reader)
	if err != nil {
		l.t.Fatal(err)
	}
	return func(addr string) *peer.Link { return peer.NewLink(rawDialer{host}, cert, "", addr) }
}

type rawDialer struct{ *simnet.Host }

func (d rawDialer) Dial(addr, name string, timeout time.Duration) (net.Conn, error) {
	return d.DialAddressTimeout(memberlist.Address{Addr: addr, Name: name}, timeout)
}

// Calls with nonsense in them are refused in words, in a bounded time.
func TestHostileCalls(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary")
		epochs := l.gateEpochs()
		link := l.impostor("mallory")(nodes[0].Addr())
		defer link.Close()
		ctx := context.Background()
		begin := time.Now()
		for i, m := range []*wire.TakeRequest{
			{Gate: 0}, {Gate: 99}, {},
			{Gate: 1, Version: &wire.Version{Rows: []*wire.Version_Row{{Replica: &wire.Replica{Node: "gary", Incarnation: 1}, Max: 1 << 40}}}},
			{Gate: 1, Version: &wire.Version{Rows: []*wire.Version_Row{{}}}},
		} {
			r, err := link.Take(ctx, connect.NewRequest(m))
			if err != nil || r.Msg.GetVerdict().GetCode() == "" {
				t.Errorf("take %d of %v: %v, %v", i, m, r, err)
			}
		}
		for i, m := range []*wire.OrderRequest{{Gate: 1}, {Gate: 99, Order: &wire.OrderRequest_Crash{Crash: true}}, {Gate: 1, Order: &wire.OrderRequest_MoveTo{MoveTo: "nobody"}}} {
			r, err := link.Order(ctx, connect.NewRequest(m))
			if err != nil || r.Msg.GetVerdict().GetCode() == "" && !r.Msg.GetVerdict().GetElsewhere() {
				t.Errorf("order %d of %v: %v, %v", i, m, r, err)
			}
		}
		for _, p := range []string{"", strings.Repeat("x", 100), "new\nline", "\xff"} {
			req := &wire.PassRequest{Gate: 1, Plate: p}
			r, err := link.Pass(ctx, connect.NewRequest(req))
			if _, cannot := proto.Marshal(req); cannot != nil {
				continue // no bytes on the wire say that
			}
			if err != nil || r.Msg.GetVerdict().GetCode() != string(lot.Usage) {
				t.Errorf("the plate %q was answered %v, %v", p, r, err)
			}
		}
		stream, err := link.Pull(ctx, connect.NewRequest(&wire.PullRequest{Version: &wire.Version{Rows: []*wire.Version_Row{{}}}}))
		if err != nil {
			t.Fatal(err)
		}
		for stream.Receive() {
		}
		if connect.CodeOf(stream.Err()) != connect.CodeInvalidArgument {
			t.Errorf("a pull with a malformed version ended with %v", stream.Err())
		}
		stream.Close()
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("nonsense kept the node busy for %v", took)
		}
		if now := l.gateEpochs(); now != epochs {
			t.Errorf("gates moved: %s, then %s", epochs, now)
		}
		l.settled(3 * time.Second)
	})
}

// What comes by a lane and is malformed, claims what cannot be, or comes from
// somebody without the cookie, is refused, counted and logged, and changes
// nothing; what was sent before may be sent again.
func TestHostileLanes(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary")
		larry := nodes[0]
		if _, err := nodes[1].TrackEntry(t.Context(), "HONEST", 1); err != nil {
			t.Fatal(err)
		}
		l.settled(3 * time.Second)
		before := larry.Digest()
		host, err := l.net.Host("10.0.0.9", 9000)
		if err != nil {
			t.Fatal(err)
		}
		open := func(keys *cookie.Keys) (*tls.Conn, error) {
			cert, err := keys.Certify(cookie.Identity{Cluster: "parking", Name: "mallory", Incarnation: 7}, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			config := cert.Client("", "parking-lane/1")
			config.InsecureSkipVerify, config.VerifyConnection = true, nil
			raw, err := host.DialTimeout(larry.Addr(), time.Second)
			if err != nil {
				t.Fatal(err)
			}
			c := tls.Client(raw, config)
			t.Cleanup(func() { c.Close() })
			return c, c.Handshake()
		}
		// carry returns what larry answers, and how the lane ended if it did.
		carry := func(c net.Conn, frame []byte) (answer byte, err error) {
			if _, err := c.Write(frame); err != nil {
				t.Fatal(err)
			}
			var b [1]byte
			_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
			_, err = io.ReadFull(c, b[:])
			return b[0], err
		}
		frame := func(m *wire.PushRequest) []byte {
			body, err := proto.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
		}
		honest := entry("mallory", 7, 1, "MALLORY'S")
		refused := uint64(0)
		for what, b := range map[string][]byte{
			"an endless message":  {0xff, 0xff, 0xff, 0xff, 1},
			"garbage":             {0, 0, 0, 3, 0xff, 0xff, 0xff},
			"half a delta":        frame(&wire.PushRequest{Delta: honest[:len(honest)/2]}),
			"no sequence number":  frame(&wire.PushRequest{Delta: entry("mallory", 7, crdt.MaxSeq+1, "HUGE")}),
			"a forged dot":        frame(&wire.PushRequest{Delta: entry("larry", larry.Status().Incarnation, 1000, "FORGED")}),
			"a malformed version": frame(&wire.PushRequest{Version: &wire.Version{Rows: []*wire.Version_Row{{}}}}),
		} {
			c, err := open(testKeys())
			if err != nil {
				t.Fatal(err)
			}
			if answer, err := carry(c, b); err == nil {
				t.Errorf("%s was answered %d", what, answer)
			}
			if refused++; larry.Status().Refused != refused {
				t.Errorf("%s: %d refusals were counted, want %d", what, larry.Status().Refused, refused)
			}
		}
		if c, err := open(keysOf("x")); err == nil {
			if answer, err := carry(c, frame(&wire.PushRequest{Delta: honest})); err == nil {
				t.Errorf("a stranger was answered %d", answer)
			}
		}
		if refused++; larry.Status().Refused != refused {
			t.Errorf("a stranger: %d refusals were counted, want %d", larry.Status().Refused, refused)
		}
		unfinished, err := open(testKeys())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := carry(unfinished, []byte{0, 0, 1, 0, 1}); !errors.Is(err, io.EOF) {
			t.Errorf("a message that did not go on ended with %v", err)
		}
		if larry.Digest() != before {
			t.Errorf("hostile messages changed the lot: %+v", slices.Collect(larry.Read().Vehicles("")))
		}
		c, err := open(testKeys())
		if err != nil {
			t.Fatal(err)
		}
		var once crdt.Digest
		for i := range 3 {
			if answer, err := carry(c, frame(&wire.PushRequest{Delta: honest})); answer != 1 || err != nil {
				t.Errorf("an honest message was answered %d, %v", answer, err)
			}
			if i == 0 {
				once = larry.Digest()
			}
		}
		if larry.Digest() != once || once == before {
			t.Error("a message that came again changed the lot, or the first did not")
		}
		if n := larry.warned.count("refused"); n < 1 || n > 20 {
			t.Errorf("%d lines in the log", n)
		}
		l.settled(3 * time.Second)
	})
}

// Another ledger, or another program on the port, is turned away in words.
func TestAnotherLedger(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry := l.start("larry")
		link := l.impostor("mallory")(larry.Addr())
		defer link.Close()
		r, err := link.Hello(t.Context(), connect.NewRequest(&wire.HelloRequest{Ledger: "raft"}))
		if err != nil || !strings.Contains(r.Msg.GetRefusal(), "ledger crdt, not raft") {
			t.Errorf("another ledger was answered %v, %v", r, err)
		}
	})
}

// Connections that stay silent, or send a byte an hour, are dropped and cost
// the node nothing.
func TestSilentConnections(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary")
		host, err := l.net.Host("10.0.0.9", 9000)
		if err != nil {
			t.Fatal(err)
		}
		var conns []net.Conn
		for i := range 400 {
			c, err := host.DialTimeout(nodes[0].Addr(), time.Second)
			if err != nil {
				continue // the backlog is full for a moment
			}
			if i%2 == 0 {
				_, _ = c.Write([]byte{0x16})
			}
			conns = append(conns, c)
			time.Sleep(time.Millisecond)
		}
		if err := nodes[1].Enter(t.Context(), 1, "MEANWHILE"); err != nil {
			t.Error(err)
		}
		l.settled(3 * time.Second)
		time.Sleep(20 * time.Second)
		open := 0
		for _, c := range conns {
			_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
			if _, err := c.Read(make([]byte, 1)); err != nil && strings.Contains(err.Error(), "timeout") {
				open++
			}
		}
		if open > 0 {
			t.Errorf("%d of %d silent connections are still open", open, len(conns))
		}
		l.start("harry")
		l.settled(3 * time.Second)
	})
}

// A subscriber that does not read loses events, is told how many, and holds up
// nobody.
func TestASubscriberThatDoesNotRead(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary")
		if err := nodes[0].SetSpaces(t.Context(), 10000); err != nil {
			t.Fatal(err)
		}
		l.settled(3 * time.Second)
		lazy := nodes[1].Subscribe()
		const entries = 3000
		for i := range entries {
			if _, err := nodes[0].TrackEntry(t.Context(), plate(i), 1); err != nil {
				t.Fatal(err)
			}
		}
		l.settled(3 * time.Second)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		queued := 0
		events, missed := lazy.Next(ended)
		for ; events != nil; events, _ = lazy.Next(ended) {
			queued += len(events)
		}
		if missed == 0 || queued+missed < entries || queued > 2048 {
			t.Errorf("%d events wait, %d were missed, of %d", queued, missed, entries)
		}
		if n := len(nodes[1].told(node.VehicleCame)); n == 0 {
			t.Error("the other subscriber got nothing")
		}
		l.leave("gary")
		for _, sub := range []*node.Subscription{lazy, nodes[1].Subscribe()} {
			for events, _ := sub.Next(t.Context()); events != nil; events, _ = sub.Next(t.Context()) {
			} // it ends
		}
	})
}

package node_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"parking/lot"
	"parking/lot/crdt"
	"parking/lot/wire"
	"parking/lot/wire/wireconnect"
	"parking/node"
	"parking/node/cookie"
)

// What nodes of a newer schema may send, and what one of this makes of it.

// toCome are fields that no message of this schema has.
func toCome() []byte {
	b := protowire.AppendTag(nil, 1000, protowire.BytesType)
	b = protowire.AppendString(b, "of a schema to come")
	b = protowire.AppendTag(b, 1001, protowire.VarintType)
	return protowire.AppendVarint(b, 1<<40)
}

// newer gives a message such fields.
func newer[M proto.Message](m M) M {
	m.ProtoReflect().SetUnknown(toCome())
	return m
}

// Fields of a newer schema in requests are passed over.
func TestNewerFields(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary")
		larry := nodes[0]
		if _, err := larry.TrackEntry(t.Context(), "HERE", 1); err != nil {
			t.Fatal(err)
		}
		l.settled(3 * time.Second)
		link := l.impostor("newer")(larry.Addr())
		defer link.Close()
		ctx := t.Context()
		hello, err := link.Hello(ctx, connect.NewRequest(newer(&wire.HelloRequest{Schema: 99, Ledger: "crdt"})))
		if err != nil || hello.Msg.GetRefusal() != "" || hello.Msg.GetNode() != "larry" {
			t.Errorf("hello: %v, %v", hello, err)
		}
		digest, err := link.Digest(ctx, connect.NewRequest(newer(&wire.DigestRequest{})))
		if want := larry.Digest(); err != nil || string(digest.Msg.GetDigest()) != string(want[:]) {
			t.Errorf("digest: %v, %v", digest, err)
		}
		stream, err := link.Pull(ctx, connect.NewRequest(newer(&wire.PullRequest{Schema: 99, Version: newer(&wire.Version{})})))
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		for stream.Receive() {
			ms, err := crdt.Decode(stream.Msg().GetDelta())
			if got += len(ms); err != nil {
				t.Error(err)
			}
		}
		if err := stream.Err(); err != nil || got == 0 {
			t.Errorf("a pull brought %d changes, %v", got, err)
		}
		stream.Close()
		gate := uint32(1)
		for _, g := range larry.RunsHere() {
			gate = uint32(g)
		}
		pass, err := link.Pass(ctx, connect.NewRequest(newer(&wire.PassRequest{Gate: gate, Plate: "THROUGH"})))
		if err != nil || pass.Msg.GetVerdict().GetCode() != "" {
			t.Errorf("pass: %v, %v", pass, err)
		}
		l.eventually(5*time.Second, "what came through the gate", func() bool { return nodes[1].has("THROUGH") })
		if n := larry.Status().Refused; n > 0 {
			t.Errorf("%d messages were refused", n)
		}
	})
}

// An order or a step that is not known is refused, in words.
func TestNewerOrders(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary")
		link := l.impostor("newer")(nodes[0].Addr())
		defer link.Close()
		order, err := link.Order(t.Context(), connect.NewRequest(newer(&wire.OrderRequest{Gate: 1})))
		if err != nil || !strings.Contains(order.Msg.GetVerdict().GetText(), "same version of parking") {
			t.Errorf("an order: %v, %v", order, err)
		}
		step, err := link.Cookie(t.Context(), connect.NewRequest(newer(&wire.CookieRequest{})))
		if err != nil || !strings.Contains(step.Msg.GetVerdict().GetText(), "same version of parking") {
			t.Errorf("a step: %v, %v", step, err)
		}
		l.settled(3 * time.Second)
	})
}

// Calls that a newer node makes, and this one does not know, are answered as
// connect answers them, by which the caller can tell; the connection goes on.
func TestNewerCalls(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary")
		client := l.bareClient(nodes[0].Addr())
		defer client.CloseIdleConnections()
		url := "https://" + nodes[0].Addr() + "/parking.v1.Peer/"
		teleport := connect.NewClient[wire.DigestRequest, wire.DigestReply](client, url+"Teleport")
		for range 2 {
			if _, err := teleport.CallUnary(t.Context(), connect.NewRequest(&wire.DigestRequest{})); connect.CodeOf(err) != connect.CodeUnimplemented {
				t.Errorf("a call to come: %v", err)
			}
		}
		known := connect.NewClient[wire.DigestRequest, wire.DigestReply](client, url+"Digest")
		if _, err := known.CallUnary(t.Context(), connect.NewRequest(&wire.DigestRequest{})); err != nil {
			t.Errorf("a call after that: %v", err)
		}
	})
}

// bareClient speaks HTTP to a node with a certificate of the cookie.
func (l *lab) bareClient(addr string) *http.Client {
	dial, cert := l.outsider("newer")
	var h2 http.Protocols
	h2.SetHTTP2(true)
	return &http.Client{Transport: &http.Transport{
		Protocols: &h2,
		DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			c := tls.Client(dial(addr), cert.Client("", "h2"))
			return c, c.HandshakeContext(ctx)
		},
	}}
}

// outsider is a host that no node runs on, and a certificate for one.
func (l *lab) outsider(name string) (dial func(addr string) net.Conn, cert *cookie.Certificate) {
	l.t.Helper()
	host, err := l.net.Host("10.0.0.8", 9000)
	if err != nil {
		l.t.Fatal(err)
	}
	if cert, err = testKeys().Certify(cookie.Identity{Cluster: "parking", Name: name, Incarnation: 7}, rand.Reader); err != nil {
		l.t.Fatal(err)
	}
	return func(addr string) net.Conn {
		c, err := host.DialTimeout(addr, time.Second)
		if err != nil {
			l.t.Fatal(err)
		}
		return c
	}, cert
}

// carry sends messages by a lane and returns how many were answered.
func (l *lab) carry(addr string, all ...*wire.PushRequest) (answered int) {
	l.t.Helper()
	dial, cert := l.outsider("newer")
	c := tls.Client(dial(addr), cert.Client("", "parking-lane/1"))
	defer c.Close()
	for _, m := range all {
		b, err := proto.Marshal(m)
		if err != nil {
			l.t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)); err != nil {
			return answered
		}
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			return answered
		}
		answered++
	}
	return answered
}

// Events of kinds to come are passed over, and of those that are known the
// fields to come.
func TestNewerEvents(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		nodes, gossip := l.withMallory()
		larry := nodes[0]
		if _, err := nodes[2].TrackEntry(t.Context(), "KNOWN", 1); err != nil {
			t.Fatal(err)
		}
		l.settled(3 * time.Second)
		announcement, err := proto.Marshal(newer(&wire.Announcement{Node: "mallory"}))
		if err != nil {
			t.Fatal(err)
		}
		before := larry.Digest()
		for _, event := range [][]byte{{0, 1, 2}, {3, 4, 5}, append([]byte{7}, toCome()...), append([]byte{2}, announcement...)} {
			if err := gossip.Broadcast(event); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(3 * time.Second)
		if n := larry.Status().Refused; n > 0 || larry.Digest() != before {
			t.Errorf("%d events were refused; the digest was %v and is %v", n, before, larry.Digest())
		}
		l.settled(3 * time.Second)
	})
}

// A setting that is not known here, and fields to come of one that is, are kept
// as they are, and passed on: replicas of any version hold the same.
func TestNewerSettingsArePassedOn(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary")
		spaces, err := proto.Marshal(newer(&wire.Setting{Value: 42}))
		if err != nil {
			t.Fatal(err)
		}
		from := crdt.New(crdt.NewReplica("newer", 7), crdt.DefaultLog)
		now := time.Now().Add(time.Second)
		delta := crdt.Encode([]crdt.Mutation{from.Set(now, "set/spaces", spaces), from.Set(now, "colour", []byte("green\x00"))})
		if n := l.carry(nodes[0].Addr(), newer(&wire.PushRequest{Delta: delta})); n != 1 {
			t.Error("what is known, or kept as it is, was not acknowledged")
		}
		l.eventually(5*time.Second, "the settings at gary", func() bool {
			return string(nodes[1].Register("colour")) == "green\x00" && string(nodes[1].Register("set/spaces")) == string(spaces)
		})
		l.settled(5 * time.Second)
		for _, n := range nodes {
			if s := n.Spaces(); s.Total != 42 {
				t.Errorf("%s has %d spaces", n.Name(), s.Total)
			}
		}
		if _, err := nodes[1].TrackEntry(t.Context(), "AFTER", 1); err != nil {
			t.Error(err)
		}
	})
}

// A change of a kind to come is left out, and said to be: it is not acknowledged,
// it is no part of the digest, and the log says what to do. What came along with
// it is taken.
func TestNewerChanges(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary")
		larry := nodes[0]
		whole := kindToCome(t, crdt.NewReplica("newer", 7))
		if n := l.carry(larry.Addr(), &wire.PushRequest{Delta: whole}); n != 0 {
			t.Error("a change that was left out was acknowledged")
		}
		if !larry.has("OLD") {
			t.Error("what came along with it was not taken")
		}
		if larry.Status().Refused == 0 || larry.warned.count("upgrade this node") == 0 {
			t.Errorf("nothing was said: %q", larry.warned.all)
		}
		l.settled(5 * time.Second)
		if _, err := larry.TrackEntry(node.WithAck(t.Context(), 1), "AFTER", 1); err != nil {
			t.Error(err)
		}
	})
}

// What a gate's newer node answers is taken as far as it is known: an order's
// verdict stands; whether a passage is recorded here, of which the change was left
// out, is said not to be known.
func TestNewerAnswers(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		extra := kindToCome(t, crdt.NewReplica("newer", 7)) // an entry of OLD, and what is not known
		l.tweak = func(n *lively) {
			if n.Name() == "larry" {
				n.WrapCalls(func(h wireconnect.PeerHandler) wireconnect.PeerHandler { return newerGate{h, extra} })
			}
		}
		nodes := l.cluster("larry", "gary")
		gate := nodes[0].RunsHere()[0]
		if err := nodes[1].Enter(t.Context(), gate, "OLD"); err != nil {
			t.Errorf("a passage whose change came with others: %v", err)
		}
		if err := nodes[1].Enter(t.Context(), gate, "X1"); lot.CodeOf(err) != lot.Unknown || !strings.Contains(err.Error(), "upgrade this node") {
			t.Errorf("a passage whose change was left out: %v", err)
		}
		if nodes[1].Status().Refused == 0 {
			t.Error("nothing was counted")
		}
		l.settled(5 * time.Second)
		if !nodes[0].has("X1") {
			t.Error("it was not let in")
		}
	})
}

// newerGate answers what passes with another delta.
type newerGate struct {
	wireconnect.PeerHandler
	delta []byte
}

func (g newerGate) Pass(ctx context.Context, req *connect.Request[wire.PassRequest]) (*connect.Response[wire.PassReply], error) {
	reply, err := g.PeerHandler.Pass(ctx, req)
	if err == nil && len(reply.Msg.GetDelta()) > 0 {
		reply.Msg.Delta = g.delta
	}
	return reply, err
}

// kindToCome is a delta with an entry of OLD, and a mutation of a kind that this
// program does not know.
func kindToCome(t *testing.T, by crdt.Replica) []byte {
	t.Helper()
	from := crdt.New(by, crdt.DefaultLog)
	now := time.Now()
	// Four bytes follow the gate's number: behind a kind to come, so many are
	// skipped.
	b := crdt.Encode([]crdt.Mutation{from.Enter(now, "OLD", 1), from.Enter(now, "NEW", 4)})
	for i := range b {
		c := append([]byte(nil), b...)
		c[i] &^= 3
		if ms, err := crdt.Decode(c); errors.Is(err, crdt.ErrNewer) && len(ms) == 1 && ms[0].Plate == "OLD" {
			return c
		}
	}
	t.Fatal("no byte is the head of the second mutation")
	return nil
}

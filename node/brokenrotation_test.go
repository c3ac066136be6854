package node_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"

	"parking/lot"
	"parking/lot/wire"
	"parking/lot/wire/wireconnect"
	"parking/node"
)

func stepName(req *wire.CookieRequest) string {
	switch req.GetStep().(type) {
	case *wire.CookieRequest_Stage:
		return "stage"
	case *wire.CookieRequest_Use:
		return "use"
	case *wire.CookieRequest_Drop:
		return "drop"
	}
	return "forget"
}

// onCookie is what answers other nodes, with something around the steps of a
// rotation.
type onCookie struct {
	wireconnect.PeerHandler
	around func(ctx context.Context, req *connect.Request[wire.CookieRequest], step func() (*connect.Response[wire.CookieReply], error)) (*connect.Response[wire.CookieReply], error)
}

func (h onCookie) Cookie(ctx context.Context, req *connect.Request[wire.CookieRequest]) (*connect.Response[wire.CookieReply], error) {
	return h.around(ctx, req, func() (*connect.Response[wire.CookieReply], error) { return h.PeerHandler.Cookie(ctx, req) })
}

// The node that rotates dies at any moment: all others end with one cookie, the
// same, whatever it was about to do.
func TestTheNodeThatRotatesDies(t *testing.T) {
	for _, after := range []string{"stage", "use", "drop"} {
		t.Run(after, func(t *testing.T) {
			inLab(t, func(t *testing.T, l *lab) {
				var steps atomic.Int32
				l.setup = func(c *node.Config) { c.Spaces = node.Setting{Value: 1000} }
				l.tweak = func(n *lively) {
					if n.Name() == "moe" {
						return
					}
					n.WrapCalls(func(h wireconnect.PeerHandler) wireconnect.PeerHandler {
						return onCookie{h, func(_ context.Context, req *connect.Request[wire.CookieRequest], step func() (*connect.Response[wire.CookieReply], error)) (*connect.Response[wire.CookieReply], error) {
							reply, err := step()
							if stepName(req.Msg) == after {
								if steps.Add(1) == 1 { // one has taken it
									go l.crash("moe")
								}
							}
							return reply, err
						}}
					})
				}
				nodes := l.cluster("larry", "gary", "harry", "moe")
				go nodes[3].RotateCookie(t.Context(), "next")
				l.eventually(time.Minute, "moe's death", func() bool { return len(l.living()) == 3 })
				stop := l.writing(time.Second, nodes[:3]...)
				time.Sleep(2 * time.Minute)
				if acked, failed := stop(); len(failed) > 0 {
					t.Errorf("%d of %d writes were not answered: %v", len(failed), len(failed)+len(acked), failed[0])
				}
				c, _ := nodes[0].Cookie(t.Context())
				for _, n := range nodes[:3] {
					if is, _ := n.Cookie(t.Context()); is.Fingerprint != c.Fingerprint || after != "stage" && len(is.Accepted) != 1 {
						t.Fatalf("two minutes after: %s", l.cookies())
					}
				}
				if (c.Fingerprint != testKeys().Fingerprint()) != (after != "stage") {
					t.Errorf("it ended with %s", c.Fingerprint)
				}
				r, err := nodes[1].RotateCookie(t.Context(), "another")
				if err != nil || !l.fingerprints(r.To) {
					t.Errorf("a rotation after that: %v, %s", err, l.cookies())
				}
				l.settled(10 * time.Second)
			})
		})
	}
}

// A node misses the order to turn: it does by itself, when it meets those that
// have.
func TestANodeThatMissesAStep(t *testing.T) {
	for _, missed := range []string{"use", "drop"} {
		t.Run(missed, func(t *testing.T) {
			inLab(t, func(t *testing.T, l *lab) {
				l.tweak = func(n *lively) {
					if n.Name() != "gary" {
						return
					}
					n.WrapCalls(func(h wireconnect.PeerHandler) wireconnect.PeerHandler {
						return onCookie{h, func(_ context.Context, req *connect.Request[wire.CookieRequest], step func() (*connect.Response[wire.CookieReply], error)) (*connect.Response[wire.CookieReply], error) {
							if stepName(req.Msg) == missed {
								return nil, connect.NewError(connect.CodeUnavailable, errors.New("lost"))
							}
							return step()
						}}
					})
				}
				nodes := l.cluster("larry", "gary", "harry")
				for _, n := range nodes {
					n.forget()
				}
				r, err := nodes[0].RotateCookie(t.Context(), "next")
				if err != nil {
					t.Fatal(err)
				}
				l.eventually(3*time.Minute, "gary to follow", func() bool { return l.fingerprints(r.To) })
				l.settled(10 * time.Second)
				for _, n := range nodes {
					if e := n.told(node.NodeFailed); len(e) > 0 {
						t.Errorf("%s: %+v", n.Name(), e)
					}
				}
			})
		})
	}
}

// Without the same step known to all nodes nothing is changed.
func TestAnOlderNodeCannotRotate(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		l.tweak = func(n *lively) {
			if n.Name() == "gary" {
				n.WrapCalls(func(h wireconnect.PeerHandler) wireconnect.PeerHandler {
					return onCookie{h, func(ctx context.Context, req *connect.Request[wire.CookieRequest], _ func() (*connect.Response[wire.CookieReply], error)) (*connect.Response[wire.CookieReply], error) {
						return wireconnect.UnimplementedPeerHandler{}.Cookie(ctx, req)
					}}
				})
			}
		}
		nodes := l.cluster("larry", "gary", "harry")
		_, err := nodes[0].RotateCookie(t.Context(), "next")
		if lot.CodeOf(err) != lot.Refused || !strings.Contains(err.Error(), "gary cannot rotate") || !strings.Contains(err.Error(), "upgrade") {
			t.Errorf("%v", err)
		}
		if !l.fingerprints(testKeys().Fingerprint()) {
			t.Error(l.cookies())
		}
		l.settled(5 * time.Second)
	})
}

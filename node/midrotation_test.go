package node_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"parking/lot/wire"
	"parking/lot/wire/wireconnect"
	"parking/node"
	"parking/node/cookie"
)

// Nodes that come while a cookie is staged, the one that looks at a name and the one
// that was told whom to join, wait for the end of that rotation, whichever it is.
func TestStartersWaitForARotation(t *testing.T) {
	for _, tt := range []struct {
		what string
		with string // their cookie
		use  bool   // it goes on, or is taken back
	}{
		{"with the new cookie", "next", true},
		{"with the old one, and it is taken back", "", false},
	} {
		t.Run(tt.what, func(t *testing.T) {
			inLab(t, func(t *testing.T, l *lab) {
				b := &book{}
				b.say(nil, addrs(7001, 3)...)
				l.setup = func(c *node.Config) { c.Directory = nil }
				nodes := []*lively{l.start("larry"), l.start("gary", func(c *node.Config) { c.Join = addrs(7001, 1) })}
				l.settled(3 * time.Second)
				zed := l.impostor("zed")
				order := func(step func(*wire.CookieRequest)) {
					t.Helper()
					req := &wire.CookieRequest{Rotation: 7}
					step(req)
					for _, n := range nodes {
						link := zed(n.Addr())
						r, err := link.Cookie(t.Context(), connect.NewRequest(req))
						link.Close()
						if err != nil || r.Msg.GetVerdict().GetCode() != "" {
							t.Fatal(r, err)
						}
					}
				}
				keys := testKeys()
				next, err := cookie.Derive("next")
				if err != nil {
					t.Fatal(err)
				}
				if tt.with != "" {
					keys = next
				}
				order(func(r *wire.CookieRequest) { r.Step = &wire.CookieRequest_Stage{Stage: "next"} })
				has := func(c *node.Config) { c.Keys = keys }
				starters := []*lively{
					l.launch("named", by(b), has),
					l.launch("told", has, func(c *node.Config) {
						c.Join = []string{nodes[0].Addr(), nodes[1].Addr()}
					}),
				}
				time.Sleep(20 * time.Second)
				for _, n := range starters {
					if ready, why := n.Readiness(); ready || n.Addr() != "" || !strings.Contains(why, "rotat") {
						t.Errorf("%s is %v, %q", n.Name(), ready, why)
					}
					select {
					case err := <-n.done:
						n.done <- err
						t.Fatalf("%s ended: %v", n.Name(), err)
					default:
					}
				}
				if !tt.use { // else they have turned, having met it, and zed is heard no more
					order(func(r *wire.CookieRequest) { r.Step = &wire.CookieRequest_Forget{Forget: next.Fingerprint()} })
				}
				for _, n := range starters {
					l.await(n)
				}
				l.settled(10 * time.Second)
				time.Sleep(time.Minute)
				if !l.fingerprints(keys.Fingerprint()) {
					t.Error(l.cookies())
				}
			})
		})
	}
}

// One that cannot wait for ever ends in words that say what to do.
func TestARotationWithoutAnEnd(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry := l.start("larry")
		link := l.impostor("zed")(larry.Addr())
		defer link.Close()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go func() {
			for ctx.Err() == nil {
				_, _ = link.Cookie(ctx, connect.NewRequest(&wire.CookieRequest{Rotation: 7, Step: &wire.CookieRequest_Stage{Stage: "next"}}))
				time.Sleep(10 * time.Second)
			}
		}()
		time.Sleep(time.Second)
		late := l.launch("late", func(c *node.Config) { c.Directory, c.Join = nil, []string{larry.Addr()} })
		select {
		case err := <-late.done:
			late.done <- err
			l.bury(late)
			if err == nil || !strings.Contains(err.Error(), "is being rotated by zed; start this node again in a moment") {
				t.Errorf("%v", err)
			}
		case <-time.After(3 * time.Minute):
			t.Error("late waits for ever")
		}
	})
}

// A node that comes in the midst of a rotation is asked to come again, or goes
// along with it; it is never left behind without a word.
func TestAJoinerInTheMidstOfARotation(t *testing.T) {
	inLabs(t, 3, func(t *testing.T, l *lab) {
		var late *lively
		l.tweak = func(n *lively) {
			if n.Name() != "gary" {
				return
			}
			n.WrapCalls(func(h wireconnect.PeerHandler) wireconnect.PeerHandler {
				return onCookie{h, func(_ context.Context, req *connect.Request[wire.CookieRequest], step func() (*connect.Response[wire.CookieReply], error)) (*connect.Response[wire.CookieReply], error) {
					reply, err := step()
					if stepName(req.Msg) == "stage" && late == nil {
						late = l.launch("late")
						time.Sleep(100 * time.Millisecond)
					}
					return reply, err
				}}
			})
		}
		nodes := l.cluster("larry", "gary", "harry")
		r, err := nodes[0].RotateCookie(t.Context(), "next")
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-late.Ready():
		case err := <-late.done:
			late.done <- err
			l.bury(late)
			if err == nil || !strings.Contains(err.Error(), "is being rotated by larry") {
				t.Errorf("%v", err)
			}
		case <-time.After(time.Minute):
			t.Error("late is neither ready nor ended")
		}
		l.eventually(time.Minute, "the rotation", func() bool { return l.fingerprints(r.To) })
		l.settled(10 * time.Second)
	})
}

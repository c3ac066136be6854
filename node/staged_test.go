package node_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"parking/lot/wire"
	"parking/lot/wire/wireconnect"
	"parking/node"
	"parking/node/cookie"
)

// A cookie that was staged by one who went away is forgotten. Whoever comes with
// it later is a stranger, and takes no node away from the others.
func TestAStagedCookieIsForgotten(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary", "harry")
		link := l.impostor("zed")(nodes[1].Addr())
		r, err := link.Cookie(t.Context(), connect.NewRequest(&wire.CookieRequest{Rotation: 7, Step: &wire.CookieRequest_Stage{Stage: "next"}}))
		if err != nil || r.Msg.GetVerdict().GetCode() != "" {
			t.Fatal(r, err)
		}
		link.Close()
		keys, err := cookie.Derive("next")
		if err != nil {
			t.Fatal(err)
		}
		if k, err := nodes[1].Cookie(t.Context()); err != nil || k.Staged != keys.Fingerprint() || k.Former != "" {
			t.Errorf("%+v, %v", k, err)
		}
		time.Sleep(11 * time.Minute)
		if !l.fingerprints(testKeys().Fingerprint()) {
			t.Fatal(l.cookies())
		}
		err = l.refused(l.launch("dora", func(c *node.Config) {
			c.Directory, c.Join, c.Keys = nil, []string{nodes[1].Addr()}, keys
		}))
		if !strings.Contains(err.Error(), "another cookie") {
			t.Errorf("%v", err)
		}
		time.Sleep(time.Minute)
		if !l.fingerprints(testKeys().Fingerprint()) {
			t.Error(l.cookies())
		}
		l.settled(5 * time.Second)
	})
}

// A rotation that cannot begin is taken back at those too that do not hear of it
// at once.
func TestAStageIsTakenBackLater(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		deaf := time.Now().Add(time.Minute)
		l.tweak = func(n *lively) {
			if n.Name() != "harry" && n.Name() != "gary" {
				return
			}
			n.WrapCalls(func(h wireconnect.PeerHandler) wireconnect.PeerHandler {
				return onCookie{h, func(_ context.Context, req *connect.Request[wire.CookieRequest], step func() (*connect.Response[wire.CookieReply], error)) (*connect.Response[wire.CookieReply], error) {
					if n.Name() == "harry" || stepName(req.Msg) == "forget" && time.Now().Before(deaf) {
						return nil, connect.NewError(connect.CodeUnavailable, errors.New("lost"))
					}
					return step()
				}}
			})
		}
		nodes := l.cluster("larry", "gary", "harry")
		if _, err := nodes[0].RotateCookie(t.Context(), "next"); err == nil {
			t.Fatal("it was rotated without harry")
		}
		if k, _ := nodes[1].Cookie(t.Context()); k.Staged == "" {
			t.Fatal("gary heard that it is taken back")
		}
		time.Sleep(90 * time.Second)
		if !l.fingerprints(testKeys().Fingerprint()) {
			t.Error(l.cookies())
		}
		l.settled(5 * time.Second)
	})
}

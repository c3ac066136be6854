package node_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"

	"parking/lot"
	"parking/lot/wire"
	"parking/lot/wire/wireconnect"
	"parking/node"
	"parking/node/cookie"
)

// vault is a file with a cookie, which several nodes may share.
type vault struct {
	mu   sync.Mutex
	text string
	full error // why it cannot be written to
}

func (v *vault) Source() string     { return "the file of a test" }
func (v *vault) Check(string) error { return v.full }

func (v *vault) Keep(text string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.full == nil {
		v.text = text
	}
	return v.full
}

func (v *vault) Load() (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.text, nil
}

// keepIn has a node keep its cookie there.
func keepIn(v node.Vault) func(*node.Config) { return func(c *node.Config) { c.Vault = v } }

func (l *lab) fingerprints(want ...string) bool {
	for _, n := range l.living() {
		c, err := n.Cookie(l.t.Context())
		if err != nil || !slices.Equal(c.Accepted, want) {
			return false
		}
	}
	return true
}

// writing has every node take a write that long after the last one, as
// the ways go by which changes take: its own, and through gates elsewhere. stop
// returns the plates that were acknowledged, and how many answers were none.
func (l *lab) writing(every time.Duration, nodes ...*lively) (stop func() (acked []lot.Plate, failed []error)) {
	ctx, cancel := context.WithCancel(l.t.Context())
	var mu sync.Mutex
	var wg sync.WaitGroup
	var acked []lot.Plate
	var failed []error
	for i, n := range nodes {
		wg.Go(func() {
			for k := 0; ctx.Err() == nil; k++ {
				p := lot.Plate(fmt.Sprintf("%s%d", strings.ToUpper(n.Name()), k))
				var err error
				if k%2 == 0 {
					_, err = n.TrackEntry(node.WithAck(l.t.Context(), 1), p, 1)
				} else {
					err = n.Enter(l.t.Context(), lot.GateID(1+(i+k)%4), p)
				}
				mu.Lock()
				if err == nil {
					acked = append(acked, p)
				} else {
					failed = append(failed, fmt.Errorf("%s: %w", p, err))
				}
				mu.Unlock()
				time.Sleep(every)
			}
		})
	}
	return func() ([]lot.Plate, []error) {
		cancel()
		wg.Wait()
		return acked, failed
	}
}

// A cookie is rotated under writes: every one of them is answered and nowhere
// lost, and no node takes another for gone.
func TestACookieIsRotatedUnderWrites(t *testing.T) {
	for _, names := range [][]string{
		{"larry", "gary", "harry"},
		{"larry", "gary", "harry", "moe", "curly", "shemp", "joe"},
	} {
		for _, push := range []node.Push{node.Gossip, node.Fanout} {
			t.Run(fmt.Sprintf("%d nodes, %s", len(names), push), func(t *testing.T) {
				inLab(t, func(t *testing.T, l *lab) {
					file := &vault{text: "k"}
					l.setup = func(c *node.Config) {
						c.Vault, c.Push, c.Spaces = file, push, node.Setting{Value: 100000}
					}
					nodes := l.cluster(names...)
					before := testKeys().Fingerprint()
					for _, n := range nodes {
						n.forget()
					}
					stop := l.writing(40*time.Millisecond, nodes...)
					time.Sleep(500 * time.Millisecond)
					r, err := nodes[0].RotateCookie(t.Context(), "")
					if err != nil {
						t.Fatal(err)
					}
					if !l.fingerprints(r.To) || r.From != before {
						t.Errorf("after a rotation from %s to %s: %s", r.From, r.To, l.cookies())
					}
					for _, at := range r.Nodes {
						if !at.Turned || !at.Kept {
							t.Errorf("%+v", at)
						}
					}
					if len(r.Nodes) != len(names) {
						t.Errorf("the answer tells of %d nodes: %+v", len(r.Nodes), r.Nodes)
					}
					time.Sleep(7 * time.Second) // until what hangs on the former cookie is cut
					acked, failed := stop()
					if len(failed) > 0 {
						t.Errorf("%d of %d writes were not answered: %v", len(failed), len(failed)+len(acked), failed[0])
					}
					l.settled(5 * time.Second)
					for _, n := range nodes {
						has := n.Lot()
						for _, p := range acked {
							if len(has[p]) == 0 {
								t.Fatalf("%s lacks %s", n.Name(), p)
							}
						}
						if n.warned.count("were cut") > 0 {
							t.Errorf("%s had to cut connections", n.Name())
						}
						if e := n.told(node.NodeFailed, node.NodeLeft, node.GatesClosed); len(e) > 0 {
							t.Errorf("%s: %+v", n.Name(), e)
						}
					}
					text, _ := file.Load()
					if keys, err := cookie.Derive(text); err != nil || keys.Fingerprint() != r.To {
						t.Errorf("%v was kept: %v", keys, err)
					}
				})
			})
		}
	}
}

// cookies tells which node accepts which.
func (l *lab) cookies() string {
	var b strings.Builder
	for _, n := range l.living() {
		c, err := n.Cookie(l.t.Context())
		fmt.Fprintf(&b, "%s accepts %v %v; ", n.Name(), c.Accepted, err)
	}
	return b.String()
}

// One who starts with the cookie that was rotated away is told so, and what to
// do; one with the new one comes in.
func TestTheOldCookieIsRefusedInWords(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary")
		if _, err := nodes[1].RotateCookie(t.Context(), "brandnew"); err != nil {
			t.Fatal(err)
		}
		join := func(c *node.Config) { c.Directory, c.Join = nil, []string{nodes[0].Addr()} }
		err := l.refused(l.launch("late", join))
		for _, want := range []string{"rotated at 2000-", "at gary", "cookie file"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the old cookie was refused with %v", err)
			}
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%v has lines", err)
		}
		// One that finds them by a name must not found a cluster beside theirs.
		b := &book{}
		b.say(nil, nodes[0].Addr(), nodes[1].Addr())
		if err := l.refused(l.launch("later", by(b))); !strings.Contains(err.Error(), "rotated at 2000-") {
			t.Errorf("the old cookie was refused by a name with %v", err)
		}
		keys, err := cookie.Derive("brandnew")
		if err != nil {
			t.Fatal(err)
		}
		l.start("harry", join, func(c *node.Config) { c.Keys = keys })
		l.settled(5 * time.Second)
		if err := l.refused(l.launch("stranger", join, func(c *node.Config) { c.Keys = keysOf("x") })); !strings.Contains(err.Error(), "another cookie") {
			t.Errorf("a third cookie was refused with %v", err)
		}
	})
}

// Where no node could keep a random cookie, nobody would ever know it.
func TestARandomCookieIsKeptSomewhere(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary")
		_, err := nodes[0].RotateCookie(t.Context(), "")
		if err == nil || !strings.Contains(err.Error(), "cookie rotate FILE") {
			t.Errorf("%v", err)
		}
		if _, err := nodes[0].RotateCookie(t.Context(), strings.Repeat("x", cookie.MaxLen+1)); lot.CodeOf(err) != lot.Usage {
			t.Errorf("a long cookie: %v", err)
		}
		if !l.fingerprints(testKeys().Fingerprint()) {
			t.Error(l.cookies())
		}
		r, err := nodes[0].RotateCookie(t.Context(), "given")
		if err != nil || !r.Nodes[0].Turned || r.Nodes[0].Kept || r.Nodes[0].Why == "" {
			t.Errorf("%+v, %v", r, err)
		}
		if _, err := nodes[0].RotateCookie(t.Context(), "given"); lot.CodeOf(err) != lot.Refused {
			t.Errorf("the same again: %v", err)
		}
		l.settled(5 * time.Second)
	})
}

// While a node that seems alive cannot be reached, nothing is changed.
func TestARotationThatCannotBegin(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary", "harry")
		l.cut([]string{"harry"}, []string{"larry"})
		_, err := nodes[0].RotateCookie(t.Context(), "next")
		if lot.CodeOf(err) != lot.Unreachable || !strings.Contains(err.Error(), "harry") {
			t.Errorf("%v", err)
		}
		l.heal([]string{"harry"}, []string{"larry"})
		time.Sleep(3 * time.Second)
		if !l.fingerprints(testKeys().Fingerprint()) {
			t.Error(l.cookies())
		}
		l.settled(10 * time.Second)
		if _, err := nodes[1].RotateCookie(t.Context(), "next"); err != nil {
			t.Error(err)
		}
	})
}

// A node that was cut off is told, accepts the new cookie at its own prompt, and
// brings what it has acknowledged.
func TestANodeThatWasAway(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary", "harry")
		others := []string{"larry", "gary"}
		l.cut([]string{"harry"}, others)
		l.eventually(time.Minute, "harry to be taken for failed", func() bool { return l.sees("larry", 2) && l.sees("gary", 2) })
		if _, err := nodes[2].TrackEntry(t.Context(), "AWAY", 1); err != nil {
			t.Fatal(err)
		}
		r, err := nodes[0].RotateCookie(t.Context(), "next")
		if err != nil || len(r.Nodes) != 3 || !r.Nodes[1].Away {
			t.Fatalf("%+v, %v", r, err)
		}
		time.Sleep(5 * time.Minute)
		l.heal([]string{"harry"}, others)
		told := func() bool {
			for _, e := range nodes[2].told(node.Notice) {
				if strings.Contains(e.Reason, "rotated at") && strings.Contains(e.Reason, "cookie accept FILE") {
					return true
				}
			}
			return false
		}
		l.eventually(time.Minute, "harry to be told", told)
		if l.sees("larry", 3) {
			t.Error("harry is in, by the old cookie")
		}
		if _, _, err := nodes[2].AcceptCookie(t.Context(), "next"); err != nil {
			t.Fatal(err)
		}
		l.settled(10 * time.Second)
		if len(nodes[0].Traces("AWAY")) == 0 {
			t.Error("what harry acknowledged while it was away is lost")
		}
		l.eventually(2*time.Minute, "the former cookie to be dropped", func() bool { return l.fingerprints(r.To) })
		l.settled(10 * time.Second)
	})
}

func (l *lab) sees(name string, alive int) bool {
	n := 0
	for _, m := range l.get(name).Members() {
		if m.Status == "alive" {
			n++
		}
	}
	return n == alive
}

// Of two rotations at once one goes on, and the other is refused.
func TestTwoRotationsAtOnce(t *testing.T) {
	inLabs(t, 3, func(t *testing.T, l *lab) {
		nodes := l.cluster("larry", "gary", "harry")
		var wg sync.WaitGroup
		var mu sync.Mutex
		var won []string
		var lost []error
		for _, n := range nodes {
			wg.Go(func() {
				r, err := n.RotateCookie(t.Context(), "of "+n.Name())
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won = append(won, r.To)
				} else {
					lost = append(lost, err)
				}
			})
		}
		wg.Wait()
		if len(won) != 1 || !l.fingerprints(won[0]) {
			t.Errorf("%d rotations went on: %s", len(won), l.cookies())
		}
		for _, err := range lost {
			if lot.CodeOf(err) != lot.Refused || !strings.Contains(err.Error(), "is under way; try again") {
				t.Errorf("%v", err)
			}
		}
		l.settled(5 * time.Second)
	})
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

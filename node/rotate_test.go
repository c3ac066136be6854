package node_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parking/lot"
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
		time.Sleep(3 * time.Second) // what was on its way to harry arrives, and is taken back
		l.eventually(10*time.Second, "all to have the cookie as it was", func() bool { return l.fingerprints(testKeys().Fingerprint()) })
		l.settled(10 * time.Second)
		if _, err := nodes[1].RotateCookie(t.Context(), "next"); err != nil {
			t.Error(err)
		}
	})
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

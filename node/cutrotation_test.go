package node_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"parking/lot"
	"parking/node"
)

// Both sides of a cut rotate the cookie. When it is healed each is told, once,
// what is to be done; that unites them, and what either has recorded is there.
func TestBothSidesOfACutRotate(t *testing.T) {
	for what, unite := range map[string]func(nodes []*lively) error{
		"one node accepts": func(nodes []*lively) error {
			_, _, err := nodes[2].AcceptCookie(context.Background(), "one")
			return err
		},
		"a side rotates to the other's": func(nodes []*lively) error {
			_, err := nodes[0].RotateCookie(context.Background(), "two")
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			inLab(t, func(t *testing.T, l *lab) { bothSidesRotate(t, l, unite) })
		})
	}
}

func bothSidesRotate(t *testing.T, l *lab, unite func([]*lively) error) {
	nodes := l.cluster("larry", "gary", "harry")
	others := []string{"larry", "gary"}
	l.cut([]string{"harry"}, others)
	l.eventually(time.Minute, "each side to be alone", func() bool {
		return l.sees("larry", 2) && l.sees("gary", 2) && l.sees("harry", 1)
	})
	if _, err := nodes[0].RotateCookie(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	if _, err := nodes[2].RotateCookie(t.Context(), "two"); err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		if _, err := n.TrackEntry(t.Context(), lot.Plate("BY "+strings.ToUpper(n.Name())), 1); err != nil {
			t.Fatal(err)
		}
	}
	l.heal([]string{"harry"}, others)
	time.Sleep(time.Minute)
	for _, n := range nodes {
		told := 0
		for _, e := range n.told(node.Notice) {
			if strings.Contains(e.Reason, "has another cookie") && strings.Contains(e.Reason, "cookie accept FILE") && !strings.Contains(e.Reason, "\n") {
				told++
			}
		}
		want := 1 // of harry
		if n == nodes[2] {
			want = 2 // of larry and gary
		}
		if told != want {
			t.Errorf("%s was told %d times: %+v", n.Name(), told, n.told(node.Notice))
		}
		if ready, why := n.Readiness(); !ready {
			t.Errorf("%s is not ready: %s", n.Name(), why)
		}
	}
	if l.sees("larry", 3) || l.sees("harry", 2) {
		t.Error("they are one without a cookie in common")
	}
	if err := unite(nodes); err != nil {
		t.Fatal(err)
	}
	l.settled(10 * time.Second)
	for _, n := range nodes {
		for _, from := range nodes {
			if p := lot.Plate("BY " + strings.ToUpper(from.Name())); len(n.Traces(p)) == 0 {
				t.Errorf("%s lacks %s", n.Name(), p)
			}
		}
	}
	k, err := nodes[0].Cookie(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.eventually(2*time.Minute, "the other cookie to be dropped", func() bool { return l.fingerprints(k.Fingerprint) })
	l.settled(10 * time.Second)
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

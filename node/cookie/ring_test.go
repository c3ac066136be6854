package cookie

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// ringOf returns the ring of a node with the secret made of fill.
func ringOf(t *testing.T, fill byte, name string) *Ring {
	t.Helper()
	r, err := NewRing(secretKeys(t, fill), Identity{Cluster: "parking", Name: name, Incarnation: 7}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// at puts a ring that has the first cookie where a node is in a rotation to the
// second: 0 has not begun, 1 has staged, 2 uses it, 3 has dropped the first.
func at(t *testing.T, name string, step int) *Ring {
	t.Helper()
	r := ringOf(t, 1, name)
	first, second := secretKeys(t, 1), secretKeys(t, 2)
	if step >= 1 {
		if err := r.Stage(second); err != nil {
			t.Fatal(err)
		}
	}
	if step >= 2 && !r.Use(second.Fingerprint()) {
		t.Fatal("what was staged cannot be used")
	}
	if step >= 3 && !r.Drop(first.Fingerprint(), Retirement{time.Unix(0, 0), "gary"}) {
		t.Fatal("the former cannot be dropped")
	}
	return r
}

// proof returns by which of the two cookies the other side of a connection proved
// itself, 0 if by none.
func proof(t *testing.T, e end) int {
	t.Helper()
	for fill := byte(1); fill <= 2; fill++ {
		if e.err == nil && (&held{keys: secretKeys(t, fill)}).vouches(e.state) {
			return int(fill)
		}
	}
	return 0
}

// However far two nodes are in a rotation they connect, if they are within a
// step of each other, and both prove the same cookie: the one that the dialler
// uses, unless the other side has it no more.
func TestNodesWithinAStepOfEachOtherConnect(t *testing.T) {
	want := [4][4]int{ // by the dialler's step, then the acceptor's
		{1, 1, 1, 0},
		{1, 1, 1, 2},
		{1, 2, 2, 2},
		{0, 2, 2, 2},
	}
	for dialler, row := range want {
		for acceptor, cookie := range row {
			t.Run(fmt.Sprintf("%d dials %d", dialler, acceptor), func(t *testing.T) {
				from, to := at(t, "larry", dialler), at(t, "curly", acceptor)
				got := handshake(t, to.Server("calls"), from.Client("curly", "calls"))
				if got.client.err == nil && got.client.state.NegotiatedProtocol == Retired {
					if dialler > 0 || acceptor < 3 {
						t.Error("a node that has the new cookie is told that its own is retired")
					}
					return
				}
				if c, s := proof(t, got.client), proof(t, got.server); c != cookie || s != cookie {
					t.Errorf("the sides proved %d and %d, want %d: %v, %v", s, c, cookie, got.client.err, got.server.err)
				}
				if cookie == 0 {
					return
				}
				if got.client.state.NegotiatedProtocol != "calls" {
					t.Errorf("they speak %q", got.client.state.NegotiatedProtocol)
				}
				for _, side := range []struct {
					ring *Ring
					step int
				}{{from, dialler}, {to, acceptor}} {
					if _, ok := side.ring.Seen(); ok != (cookie == 2 && side.step == 1) {
						t.Errorf("who is at step %d and met cookie %d: told to go on: %v", side.step, cookie, ok)
					}
				}
			})
		}
	}
}

// A certificate alone, as a node has it that knows no rotation, is judged by all
// that are accepted.
func TestARingAndASingleCertificate(t *testing.T) {
	for step, want := range []bool{true, true, true, false} {
		r, alone := at(t, "curly", step), node(t, 1, "parking", "larry")
		if got := handshake(t, r.Server("p"), alone.Client("curly", "p")); step < 2 && (got.client.err == nil) != want {
			t.Errorf("step %d is dialled: %v", step, got.client.err)
		}
		if got := handshake(t, alone.Server("p"), r.Client("larry", "p")); (got.client.err == nil) != want {
			t.Errorf("step %d dials: %v", step, got.client.err)
		}
	}
}

// Strangers, other clusters and other names are turned away by a ring as by a
// certificate.
func TestARingRefuses(t *testing.T) {
	r := at(t, "curly", 2)
	for name, tt := range map[string]struct {
		client *tls.Config
		want   error
	}{
		"a third cookie":  {node(t, 3, "parking", "larry").Client("", "p"), ErrCookie},
		"another cluster": {node(t, 2, "garage", "larry").Client("", "p"), ErrCluster},
		"another name":    {ringOf(t, 2, "larry").Client("moe", "p"), ErrName},
	} {
		got := handshake(t, r.Server("p"), tt.client)
		if err := Classify(got.client.err); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A dialler that offers one cookie and proves the other.
	liar := ringOf(t, 1, "larry").Client("", "p")
	liar.NextProtos = []string{"p", offer + secretKeys(t, 2).Fingerprint()}
	liar.InsecureSkipVerify, liar.VerifyConnection = true, nil
	if got := handshake(t, at(t, "curly", 3).Server("p"), liar); got.server.err == nil {
		t.Error("the dropped cookie was accepted under the name of the new one")
	}
}

// Who has the cookie that was dropped is told why, and nothing else; who only
// says that he has it is told nothing.
func TestTheRetiredAreToldWhy(t *testing.T) {
	r := at(t, "curly", 3)
	old := ringOf(t, 1, "larry")
	accepted, dialled := net.Pipe()
	go func() {
		defer accepted.Close()
		c := tls.Server(accepted, r.Server("calls"))
		if c.Handshake() != nil || c.ConnectionState().NegotiatedProtocol != Retired {
			return
		}
		if why, ok := r.Why(c.ConnectionState()); ok {
			WriteRetirement(c, why)
		}
	}()
	c := tls.Client(dialled, old.Client("curly", "calls"))
	if err := c.Handshake(); err != nil || c.ConnectionState().NegotiatedProtocol != Retired {
		t.Fatalf("%q, %v", c.ConnectionState().NegotiatedProtocol, err)
	}
	why, err := ReadRetirement(c)
	dialled.Close()
	if err != nil || !why.At.Equal(time.Unix(0, 0)) || why.By != "gary" {
		t.Fatalf("%+v, %v", why, err)
	}
	if text := why.Error(); !strings.Contains(text, "1970-01-01T00:00:00Z") || !strings.Contains(text, "cookie accept FILE") || strings.Contains(text, "\n") {
		t.Error(text)
	}
	liar := ringOf(t, 3, "larry").Client("", "calls")
	liar.NextProtos = append(liar.NextProtos, offer+secretKeys(t, 1).Fingerprint())
	liar.InsecureSkipVerify, liar.VerifyConnection = true, nil
	if got := handshake(t, r.Server("calls"), liar); got.server.err == nil {
		t.Error("a stranger was told")
	}
	live := ringOf(t, 2, "larry")
	got := handshake(t, r.Server("calls"), live.Client("curly", "calls"))
	if _, ok := r.Why(got.server.state); ok || got.server.err != nil {
		t.Errorf("a node with the cookie in use is told why it is retired: %v", got.server.err)
	}
}

func TestRetirementsAreNotTrusted(t *testing.T) {
	for _, text := range []string{
		"", "\n", "2026-11-29T18:00:00Z larry", "2026-11-29T18:00:00Z LARRY\n", "2026-13-29T18:00:00Z larry\n",
		"2026-11-29T18:00:00Z \x1b[2J\n", "2026-11-29T18:00:00Z larry\nmore\n", strings.Repeat("x", 1<<16),
	} {
		if r, err := ReadRetirement(strings.NewReader(text)); err == nil {
			t.Errorf("%.40q is %v", text, r)
		}
	}
	if _, err := ReadRetirement(errReader{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("%v", err)
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestTheStepsOfARing(t *testing.T) {
	one, two, three := secretKeys(t, 1), secretKeys(t, 2), secretKeys(t, 3)
	r := ringOf(t, 1, "larry")
	holds := func(step string, staged bool, want ...*Keys) {
		t.Helper()
		var fingerprints []string
		for _, k := range want {
			fingerprints = append(fingerprints, k.Fingerprint())
		}
		beside, is := r.Beside()
		if !slices.Equal(r.Fingerprints(), fingerprints) || r.InUse().Fingerprint() != fingerprints[0] || is != staged || (beside == nil) != (len(want) == 1) {
			t.Errorf("%s: %v, staged %v", step, r.Fingerprints(), is)
		}
	}
	holds("new", false, one)
	if err := r.Stage(one); !errors.Is(err, ErrInvalid) {
		t.Errorf("the one in use was staged: %v", err)
	}
	if r.Use(two.Fingerprint()) || r.Drop(one.Fingerprint(), Retirement{}) {
		t.Error("a cookie was used that is not there, or the one in use dropped")
	}
	r.Stage(two)
	holds("staged", true, one, two)
	r.Stage(three)
	holds("another staged", true, one, three)
	if r.Use(two.Fingerprint()) {
		t.Error("what is staged no more was used")
	}
	r.Drop(three.Fingerprint(), Retirement{})
	holds("forgotten", false, one)
	if len(r.Retired()) > 0 {
		t.Errorf("%v is retired, and was never in use", r.Retired())
	}
	r.Stage(two)
	r.Use(two.Fingerprint())
	holds("turned", false, two, one)
	if r.Use(one.Fingerprint()) {
		t.Error("it went back to the former")
	}
	r.Drop(one.Fingerprint(), Retirement{})
	holds("dropped", false, two)
	if !slices.Equal(r.Retired(), []string{one.Fingerprint()}) {
		t.Errorf("%v is retired", r.Retired())
	}
	r.Stage(one) // back to it
	if len(r.Retired()) > 0 {
		t.Error("a cookie is retired and staged")
	}
	for fill := byte(10); fill < 20; fill++ {
		before := r.InUse().Fingerprint()
		r.Stage(secretKeys(t, fill))
		r.Use(secretKeys(t, fill).Fingerprint())
		r.Drop(before, Retirement{})
	}
	if n := len(r.Retired()); n != maxRetired {
		t.Errorf("%d are remembered", n)
	}
}

// Connections end with the cookie that they were made by; and not those of the
// other.
func TestSever(t *testing.T) {
	r := at(t, "curly", 2)
	accept := make(chan net.Conn)
	l := r.Listen(chanListener{conns: accept})
	open := func(fill byte) (accepted, dialled *tls.Conn) {
		a, b := net.Pipe()
		go func() { accept <- a }()
		raw, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		accepted = tls.Server(raw, r.Server("p"))
		dialled = tls.Client(b, ringOf(t, fill, "larry").Client("", "p"))
		done := make(chan error)
		go func() { done <- accepted.Handshake() }()
		if err := errors.Join(dialled.Handshake(), <-done); err != nil {
			t.Fatal(err)
		}
		return accepted, dialled
	}
	_, old := open(1)
	_, gone := open(1)
	kept, current := open(2)
	gone.NetConn().Close()
	r.Sever()
	r.Drop(secretKeys(t, 1).Fingerprint(), Retirement{By: "gary"})
	if n := r.Sever(); n != 2 { // gone's other end is open
		t.Errorf("%d connections were cut", n)
	}
	old.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := old.Read(make([]byte, 1)); err == nil || errors.Is(err, errTimeout(err)) {
		t.Errorf("a connection by the dropped cookie ended with %v", err)
	}
	go kept.Write([]byte{1})
	if _, err := current.Read(make([]byte, 1)); err != nil {
		t.Errorf("a connection by the one in use: %v", err)
	}
	kept.NetConn().Close()
	current.NetConn().Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.accepted {
		if c == kept.NetConn() {
			t.Error("a closed connection is remembered")
		}
	}
}

// errTimeout returns err if it says that a deadline has passed.
func errTimeout(err error) error {
	if n, ok := errors.AsType[net.Error](err); ok && n.Timeout() {
		return err
	}
	return errors.New("none")
}

type chanListener struct{ conns chan net.Conn }

func (l chanListener) Accept() (net.Conn, error) { return <-l.conns, nil }
func (l chanListener) Close() error              { return nil }
func (l chanListener) Addr() net.Addr            { return &net.TCPAddr{} }

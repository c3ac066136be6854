package node_test

import (
	"fmt"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"parking/node"
	"parking/node/member"
)

// A transfer that breaks off after any number of bytes leaves nothing: the
// joiner gets the rest from the start, and nobody loses anything by what it had.
func TestATransferBreaksOff(t *testing.T) {
	for _, after := range []int64{20_000, 60_000, 120_000, 200_000} {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			inLab(t, func(t *testing.T, l *lab) {
				l.crowded(crowd)
				var left atomic.Int64
				left.Store(after)
				harry := l.launch("harry", func(c *node.Config) { c.Network = fragile{c.Network, &left} })
				l.await(harry)
				l.settled(20 * time.Second)
				if left.Load() > 0 {
					t.Fatalf("harry received fewer than %d bytes", after)
				}
				for _, n := range l.living() {
					if got := n.Spaces().Taken; got != crowd {
						t.Errorf("%s has %d vehicles, want %d", n.Name(), got, crowd)
					}
				}
			})
		})
	}
}

// fragile breaks the stream on which so many bytes have come on the streams that
// were opened here; those after it last.
type fragile struct {
	member.Transport
	left *atomic.Int64
}

func (f fragile) DialAddressTimeout(to member.Address, timeout time.Duration) (net.Conn, error) {
	c, err := f.Transport.DialAddressTimeout(to, timeout)
	if err != nil {
		return nil, err
	}
	return brittle{c, f.left}, nil
}

type brittle struct {
	net.Conn
	left *atomic.Int64
}

func (c brittle) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b[:min(len(b), 4096)])
	if left := c.left.Add(-int64(n)); left <= 0 && left+int64(n) > 0 {
		c.Close()
		return 0, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}
	return n, err
}

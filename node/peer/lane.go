package peer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"google.golang.org/protobuf/proto"

	"parking/lot/wire"
)

// laneProtocol is what lanes negotiate by ALPN.
const laneProtocol = "parking-lane/1"

const (
	// laneTimeout is how long the rest of a message may take to come, and its
	// answer to leave.
	laneTimeout = 5 * time.Second
	// laneBuffer is how much of a large message's memory is kept for the next.
	laneBuffer = 1 << 18
)

// laneAnswer is what answers a message: it has been dealt with. A message that
// is refused ends the lane instead.
const laneAnswer = 1

// A Lane carries messages to one node, one after the other: each is answered
// before the next leaves. It is a connection beside that of the calls, and
// frames on it are a length in four bytes, the highest first, and a
// wire.PushRequest. A call by HTTP/2 wakes half a dozen goroutines on its way,
// which is most of what a change takes that travels alone. A Lane is for one
// goroutine at a time.
type Lane struct {
	conn net.Conn
	buf  []byte
	stop func() bool
}

// Lane opens one. It blocks for a connection's time, and ends with ctx, or with
// the link.
func (l *Link) Lane(ctx context.Context) (*Lane, error) {
	c, err := l.dialTLS(ctx, laneProtocol)
	if err != nil {
		return nil, err
	}
	return &Lane{conn: c, stop: context.AfterFunc(ctx, func() { _ = c.Close() })}, nil
}

// Carry sends a message and blocks until the other node has dealt with it, for
// timeout at most. After an error the lane is of no more use.
func (l *Lane) Carry(m *wire.PushRequest, timeout time.Duration) error {
	frame, err := proto.MarshalOptions{}.MarshalAppend(append(l.buf[:0], 0, 0, 0, 0), m)
	if err != nil {
		return err
	}
	if l.buf = frame; cap(frame) > laneBuffer {
		l.buf = nil
	}
	n := len(frame) - 4
	if n > maxMessage {
		return fmt.Errorf("peer: a message of %d bytes, %d at most", n, maxMessage)
	}
	binary.BigEndian.PutUint32(frame, uint32(n))
	if err := l.conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	if _, err := l.conn.Write(frame); err != nil {
		return err
	}
	var answer [1]byte
	if _, err := io.ReadFull(l.conn, answer[:]); err != nil {
		return fmt.Errorf("peer: no answer on the lane: %w", err)
	}
	if answer[0] != laneAnswer {
		return fmt.Errorf("peer: the answer %d on a lane", answer[0])
	}
	return nil
}

// Close ends the lane.
func (l *Lane) Close() {
	l.stop()
	_ = l.conn.Close()
}

// errMalformed is the error of a frame that no Lane sends.
var errMalformed = errors.New("peer: a malformed message on a lane")

// laneEnd is the other end of a lane.
type laneEnd struct {
	conn net.Conn
	r    *bufio.Reader
	body bytes.Buffer
}

// serve hands what comes to deal until the lane ends. It does so by itself after
// an error.
func (l *laneEnd) serve(deal func(*wire.PushRequest) error) error {
	for {
		_ = l.conn.SetReadDeadline(time.Time{})
		if _, err := l.r.Peek(1); errors.Is(err, io.EOF) {
			return nil
		}
		_ = l.conn.SetReadDeadline(time.Now().Add(laneTimeout))
		m, err := l.next()
		if err == nil {
			err = deal(m)
		}
		if err == nil {
			_ = l.conn.SetWriteDeadline(time.Now().Add(laneTimeout))
			_, err = l.conn.Write([]byte{laneAnswer})
		}
		if err != nil {
			return err
		}
	}
}

// next reads a message. The error of one that is malformed, and not just
// unfinished, is errMalformed.
func (l *laneEnd) next() (*wire.PushRequest, error) {
	var head [4]byte
	if _, err := io.ReadFull(l.r, head[:]); err != nil {
		return nil, fmt.Errorf("peer: a message that breaks off: %w", err)
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxMessage {
		return nil, fmt.Errorf("%w: %d bytes, %d at most", errMalformed, n, maxMessage)
	}
	if l.body.Reset(); l.body.Cap() > laneBuffer {
		l.body = bytes.Buffer{}
	}
	// Memory is taken as it fills, not as it is announced.
	if _, err := io.CopyN(&l.body, l.r, int64(n)); err != nil {
		return nil, fmt.Errorf("peer: a message that breaks off: %w", err)
	}
	m := &wire.PushRequest{}
	if err := proto.Unmarshal(l.body.Bytes(), m); err != nil {
		return nil, fmt.Errorf("%w: %w", errMalformed, err)
	}
	return m, nil
}

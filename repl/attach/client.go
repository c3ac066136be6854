package attach

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"parking/lot"
	"parking/repl"
	"parking/repl/attach/wire"
	"parking/repl/attach/wire/wireconnect"
)

// dialTimeout bounds how long a node may take to say who it is.
const dialTimeout = 5 * time.Second

// A Client is a terminal's end of the socket: the Session of another process.
// Its methods are safe for concurrent use.
type Client struct {
	Node, Cluster string

	calls  wireconnect.TerminalClient
	http   *http.Transport
	killed atomic.Bool
	slow   atomic.Int64 // until when, in Unix nanoseconds, no suggestions are asked for
}

var _ repl.Session = (*Client)(nil)

// BaseURL is that of a node's services, for clients by HTTP.
const BaseURL = "http://node"

// Dial connects to the node that listens at path and asks who it is.
func Dial(ctx context.Context, path string) (*Client, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	t := &http.Transport{
		Protocols: h2c(),
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		},
	}
	c := &Client{
		calls: wireconnect.NewTerminalClient(&http.Client{Transport: t}, BaseURL,
			connect.WithReadMaxBytes(maxMessage), connect.WithAcceptCompression("gzip", nil, nil)),
		http: t,
	}
	who, err := c.calls.Who(ctx, connect.NewRequest(&wire.WhoRequest{}))
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = errors.New("no answer in time")
	}
	if err != nil {
		t.CloseIdleConnections()
		return nil, fmt.Errorf("attach: %w", err)
	}
	c.Node, c.Cluster = who.Msg.GetNode(), who.Msg.GetCluster()
	return c, nil
}

// HTTP returns what reaches the services beside the terminal's, below BaseURL.
func (c *Client) HTTP() *http.Client { return &http.Client{Transport: c.http} }

// Close ends the connection.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Killed reports whether a command of this client's told the node to die, and
// was answered.
func (c *Client) Killed() bool { return c.killed.Load() }

// Exec implements repl.Session. A node that ends before it has answered makes
// the outcome unknown; the error is repl.ErrGone, too.
func (c *Client) Exec(ctx context.Context, line string, opt repl.Options, out, remarks io.Writer) error {
	call, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.calls.Exec(call, connect.NewRequest(&wire.ExecRequest{Line: []byte(line), Options: encode(opt)}))
	if err == nil {
		defer stream.Close()
		defer cancel() // before Close, which would wait for the node's end of the stream
		for stream.Receive() {
			m := stream.Msg()
			if _, err := out.Write(m.GetOut()); err != nil {
				return err
			}
			if _, err := remarks.Write(m.GetRemarks()); err != nil {
				return err
			}
			switch {
			case m.GetDone() && m.GetError() != "":
				return lot.Refuse(lot.Code(m.GetCode()), "%s", m.GetError())
			case m.GetDone():
				c.killed.CompareAndSwap(false, m.GetDies())
				return nil
			}
		}
		err = stream.Err()
	}
	if ctx.Err() != nil {
		return lot.Refuse(lot.Refused, "interrupted")
	}
	return &gone{lot.Refusal{Code: lot.Unknown, Text: fmt.Sprintf("unknown: %s ended before it answered", c.Node)}, err}
}

// gone is the refusal of a command whose node ended meanwhile.
type gone struct {
	lot.Refusal
	cause error
}

func (g *gone) Unwrap() []error { return []error{&g.Refusal, repl.ErrGone, g.cause} }

// Watch implements repl.Session.
func (c *Client) Watch(ctx context.Context, opt repl.Options) func(func(string)) error {
	call, cancel := context.WithCancel(ctx)
	stream, err := c.calls.Watch(call, connect.NewRequest(&wire.WatchRequest{Options: encode(opt)}))
	stands := err == nil && stream.Receive()
	return func(show func(string)) error {
		if err == nil {
			defer stream.Close()
		}
		defer cancel()
		if stands {
			for stream.Receive() {
				show(stream.Msg().GetLine())
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			err = stream.Err()
		}
		return errors.Join(repl.ErrGone, err)
	}
}

const (
	// completeTime is how long a key may wait for suggestions. A node that
	// takes longer, since it is stopped or busy, is not asked again for a while.
	completeTime  = 100 * time.Millisecond
	completePause = time.Second
)

// Complete implements repl.Session.
func (c *Client) Complete(ctx context.Context, before string) (out []repl.Suggestion) {
	if time.Now().UnixNano() < c.slow.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, completeTime)
	defer cancel()
	reply, err := c.calls.Complete(ctx, connect.NewRequest(&wire.CompleteRequest{Before: []byte(before)}))
	if err != nil {
		c.slow.Store(time.Now().Add(completePause).UnixNano())
		return nil
	}
	for _, s := range reply.Msg.GetSuggestions() {
		out = append(out, repl.Suggestion{Text: s.GetText(), Description: s.GetDescription()})
	}
	return out
}

func encode(o repl.Options) *wire.Options {
	w := &wire.Options{Format: string(o.Format), Color: o.Color, Width: uint32(o.Width)}
	if o.Ack != nil {
		w.Ack = proto.Uint32(uint32(*o.Ack))
	}
	return w
}

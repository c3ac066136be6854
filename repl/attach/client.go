package attach

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"

	"connectrpc.com/connect"

	"parking/lot"
	"parking/repl"
	"parking/repl/attach/wire"
	"parking/repl/attach/wire/wireconnect"
)

// A Client is a terminal's end of the socket: the Session of another process.
type Client struct {
	Node, Cluster string
	calls         wireconnect.TerminalClient
	http          *http.Transport
}

var _ repl.Session = (*Client)(nil)

// Dial connects to the node that listens at path and asks who it is.
func Dial(ctx context.Context, path string) (*Client, error) {
	t := &http.Transport{
		Protocols: h2c(),
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		},
	}
	c := &Client{
		calls: wireconnect.NewTerminalClient(&http.Client{Transport: t}, "http://node", connect.WithReadMaxBytes(maxMessage)),
		http:  t,
	}
	who, err := c.calls.Who(ctx, connect.NewRequest(&wire.WhoRequest{}))
	if err != nil {
		t.CloseIdleConnections()
		return nil, fmt.Errorf("attach: %w", err)
	}
	c.Node, c.Cluster = who.Msg.GetNode(), who.Msg.GetCluster()
	return c, nil
}

// Close ends the connection.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Exec implements repl.Session. A node that ends before it has answered makes
// the outcome unknown.
func (c *Client) Exec(ctx context.Context, line string, opt repl.Options, out, remarks io.Writer) error {
	stream, err := c.calls.Exec(ctx, connect.NewRequest(&wire.ExecRequest{Line: line, Options: encode(opt)}))
	if err == nil {
		defer stream.Close()
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
				return nil
			}
		}
		err = stream.Err()
	}
	if ctx.Err() != nil {
		return lot.Refuse(lot.Refused, "interrupted")
	}
	return &gone{lot.Refusal{Code: lot.Unknown, Text: fmt.Sprintf("%s ended before it answered", c.Node)}, err}
}

// gone is the refusal of a command whose node ended meanwhile.
type gone struct {
	lot.Refusal
	cause error
}

func (g *gone) Unwrap() []error { return []error{&g.Refusal, repl.ErrGone, g.cause} }

// Watch implements repl.Session.
func (c *Client) Watch(ctx context.Context, opt repl.Options, show func(string)) error {
	stream, err := c.calls.Watch(ctx, connect.NewRequest(&wire.WatchRequest{Options: encode(opt)}))
	if err != nil {
		return fmt.Errorf("%w: %w", repl.ErrGone, err)
	}
	defer stream.Close()
	for stream.Receive() {
		if line := stream.Msg().GetLine(); line != "" {
			show(line)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return repl.ErrGone
}

func encode(o repl.Options) *wire.Options {
	return &wire.Options{Format: string(o.Format), Color: o.Color, Width: uint32(o.Width)}
}

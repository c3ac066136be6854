package peer

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"connectrpc.com/connect"

	"parking/lot/wire"
	"parking/lot/wire/wireconnect"
	"parking/node/cookie"
)

// Handlers are what a node does with what others send.
type Handlers struct {
	Calls wireconnect.PeerHandler
	// Push deals with a message of a lane. After an error the lane ends.
	Push func(context.Context, *wire.PushRequest) error
	// Refuse is told what came and was turned away before it got to the others:
	// what is "connection" or "lane", from an address or a node.
	Refuse func(what, from string, err error)
	// Why is what a dialler is told with whom cookie.Retired was negotiated; nil
	// if it never is.
	Why func(tls.ConnectionState) (cookie.Retirement, bool)
}

// farewell is how long a dialler may take to be told why it is turned away.
const farewell = 2 * time.Second

// Serve hands other nodes' calls on l, and what comes by their lanes, to h,
// until ctx ends, and returns when the handlers have. A handler finds its caller
// with Caller.
func Serve(ctx context.Context, l net.Listener, creds Credentials, h Handlers, logger *slog.Logger) error {
	mux := http.NewServeMux()
	mux.Handle(wireconnect.NewPeerHandler(h.Calls, connect.WithReadMaxBytes(maxMessage)))
	var h2 http.Protocols
	h2.SetHTTP2(true)
	var calls Drain
	lane := func(_ *http.Server, c *tls.Conn, _ http.Handler) {
		calls.during(func() {
			id, err := cookie.Peer(c.ConnectionState())
			if err == nil {
				ctx := context.WithValue(ctx, callerKey{}, id)
				end := laneEnd{conn: c, r: bufio.NewReader(c)}
				err = end.serve(func(m *wire.PushRequest) error { return h.Push(ctx, m) })
			}
			switch {
			case errors.Is(err, errMalformed):
				h.Refuse("lane", id.Name, err)
			case err != nil && ctx.Err() == nil:
				logger.Debug("lane", "from", id.Name, "err", err)
			}
		})
	}
	retired := func(_ *http.Server, c *tls.Conn, _ http.Handler) {
		calls.during(func() {
			_ = c.SetDeadline(time.Now().Add(farewell))
			if id, err := cookie.Peer(c.ConnectionState()); err == nil && h.Why != nil {
				h.Refuse("connection", id.Name, errRetired)
				if why, ok := h.Why(c.ConnectionState()); ok {
					_ = cookie.WriteRetirement(c, why)
				}
			}
		})
	}
	srv := &http.Server{
		Handler:           calls.Wrap(identified(mux)),
		TLSConfig:         creds.Server(protocol, laneProtocol),
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){laneProtocol: lane, cookie.Retired: retired},
		Protocols:         &h2,
		ReadHeaderTimeout: 5 * time.Second,
		ErrorLog:          log.New(lines{logger, h.Refuse}, "", 0),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		HTTP2: &http.HTTP2Config{
			SendPingTimeout: 15 * time.Second, // a caller that vanished is let go
			PingTimeout:     5 * time.Second,
		},
	}
	stopped := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stopped()
	err := srv.Serve(tls.NewListener(l, srv.TLSConfig))
	_ = srv.Close()
	calls.Wait()
	if ctx.Err() != nil || errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// errRetired is what is wrong with whoever still has the old cookie.
var errRetired = errors.New("peer: a cookie that was rotated away")

type callerKey struct{}

// identified puts the caller's verified identity into the request's context.
func identified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil {
			http.Error(w, "TLS only", http.StatusForbidden)
			return
		}
		id, err := cookie.Peer(*r.TLS)
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, id)))
	})
}

// Caller returns the identity of the node whose call is being handled.
func Caller(ctx context.Context) cookie.Identity {
	id, _ := ctx.Value(callerKey{}).(cookie.Identity)
	return id
}

// lines takes what the HTTP server has to say: of strangers mostly, whom it
// tells of in no other way.
type lines struct {
	to     *slog.Logger
	refuse func(what, from string, err error)
}

func (l lines) Write(p []byte) (int, error) {
	text := strings.TrimSpace(string(p))
	if rest, ok := strings.CutPrefix(text, "http: TLS handshake error from "); ok {
		// A connection that just broke is no stranger's.
		if from, reason, ok := strings.Cut(rest, ": "); ok && strings.Contains(reason, "tls: ") {
			l.refuse("connection", from, errors.New(reason))
			return len(p), nil
		}
	}
	l.to.Debug("peer stream", "event", text)
	return len(p), nil
}

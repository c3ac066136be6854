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
	"time"

	"connectrpc.com/connect"

	"parking/lot/wire"
	"parking/lot/wire/wireconnect"
	"parking/node/cookie"
)

// Serve answers other nodes' calls on l with h, and what comes by their lanes
// with push, until ctx ends, and returns when the handlers have. A handler finds
// its caller with Caller.
func Serve(ctx context.Context, l net.Listener, cert *cookie.Certificate, h wireconnect.PeerHandler, push func(context.Context, *wire.PushRequest) error, logger *slog.Logger) error {
	mux := http.NewServeMux()
	mux.Handle(wireconnect.NewPeerHandler(h, connect.WithReadMaxBytes(maxMessage)))
	var h2 http.Protocols
	h2.SetHTTP2(true)
	var calls Drain
	lane := func(_ *http.Server, c *tls.Conn, _ http.Handler) {
		calls.during(func() {
			end := laneEnd{conn: c, r: bufio.NewReader(c)}
			if err := end.serve(ctx, push); err != nil && ctx.Err() == nil {
				logger.Debug("lane", "err", err)
			}
		})
	}
	srv := &http.Server{
		Handler:           calls.Wrap(identified(mux)),
		TLSConfig:         cert.Server(protocol, laneProtocol),
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){laneProtocol: lane},
		Protocols:         &h2,
		ReadHeaderTimeout: 5 * time.Second,
		ErrorLog:          log.New(lines{logger}, "", 0),
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

// lines logs what the HTTP server has to say: strangers mostly.
type lines struct{ to *slog.Logger }

func (l lines) Write(p []byte) (int, error) {
	l.to.Debug("peer stream", "event", string(p))
	return len(p), nil
}

package attach

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"connectrpc.com/connect"

	"parking/lot"
	"parking/node"
	"parking/node/peer"
	"parking/repl"
	"parking/repl/attach/wire"
	"parking/repl/attach/wire/wireconnect"
)

// maxMessage bounds one message, in bytes.
const maxMessage = 1 << 20

// lastWords is how long a node that ends waits for its answers to arrive.
const lastWords = time.Second

// Listen opens the socket at path, readable and writable by its owner only. A
// socket that a dead process left there is replaced.
func Listen(path string) (net.Listener, error) {
	// It appears under its name when its permissions are right.
	tmp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path))
	_ = os.Remove(tmp)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: tmp, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(tmp, 0o600), os.Rename(tmp, path)); err != nil {
		l.Close()
		_ = os.Remove(tmp)
		return nil, err
	}
	made, err := os.Lstat(path)
	if err != nil {
		l.Close()
		return nil, err
	}
	return &socket{l, path, made}, nil
}

// socket removes its file when it is closed, if it is there still: a node whose
// cookie is rotated moves it.
type socket struct {
	net.Listener
	path string
	made os.FileInfo
}

func (s *socket) Close() error {
	err := s.Listener.Close()
	if there, gone := os.Lstat(s.path); gone == nil && os.SameFile(there, s.made) {
		err = errors.Join(err, os.Remove(s.path))
	}
	return err
}

// Server serves one node's terminals.
type Server struct {
	Session       repl.Session
	Node, Cluster string
	Die           func()                  // ends the process at once
	Beside        map[string]http.Handler // what else answers on the socket, by its path
}

// Serve answers terminals on l until ctx ends, which ends their commands too.
// It closes l, and returns when all that it started has ended.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.Handle(wireconnect.NewTerminalHandler(handler{s}, connect.WithReadMaxBytes(maxMessage)))
	for path, h := range s.Beside {
		mux.Handle(path, h)
	}
	base, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer context.AfterFunc(ctx, func() { end(repl.ErrLeaving) })()
	defer end(nil)
	var calls peer.Drain
	srv := &http.Server{
		Handler:           calls.Wrap(mux),
		Protocols:         h2c(),
		ReadHeaderTimeout: 5 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          log.New(io.Discard, "", 0), // what speaks no HTTP/2 is hung up on
	}
	var failed error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		failed = srv.Serve(l)
	}()
	select {
	case <-ended:
		_ = srv.Close()
		calls.Wait()
		return failed
	case <-ctx.Done():
	}
	// Commands have ended with ctx; their answers still go out.
	grace, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	if srv.Shutdown(grace) != nil {
		_ = srv.Close()
	}
	<-ended
	calls.Wait()
	return nil
}

// h2c is HTTP/2 without TLS: one socket carries many calls, and closing it
// ends them.
func h2c() *http.Protocols {
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	return &p
}

type handler struct{ s *Server }

// Who implements the service.
func (h handler) Who(context.Context, *connect.Request[wire.WhoRequest]) (*connect.Response[wire.WhoReply], error) {
	return connect.NewResponse(&wire.WhoReply{Node: h.s.Node, Cluster: h.s.Cluster}), nil
}

// Exec implements the service.
func (h handler) Exec(ctx context.Context, req *connect.Request[wire.ExecRequest], stream *connect.ServerStream[wire.ExecReply]) error {
	opt, err := options(req.Msg.GetOptions())
	if err != nil {
		return connect.NewError(connect.CodeInvalidArgument, err)
	}
	out := writer(func(b []byte) error { return stream.Send(&wire.ExecReply{Out: b}) })
	remarks := writer(func(b []byte) error { return stream.Send(&wire.ExecReply{Remarks: b}) })
	err = h.s.Session.Exec(ctx, string(req.Msg.GetLine()), opt, out, remarks)
	last := &wire.ExecReply{Done: true}
	switch {
	case errors.Is(err, repl.ErrDie):
		last.Dies = true
	case err != nil:
		last.Code, last.Error = string(lot.CodeOf(err)), repl.Plain(err)
	}
	err = stream.Send(last)
	if last.Dies {
		// The answer goes first: the client ends the call when it has it.
		select {
		case <-ctx.Done():
		case <-time.After(lastWords):
		}
		h.s.Die()
	}
	return err
}

// Watch implements the service.
func (h handler) Watch(ctx context.Context, req *connect.Request[wire.WatchRequest], stream *connect.ServerStream[wire.WatchReply]) error {
	opt, err := options(req.Msg.GetOptions())
	if err != nil {
		return connect.NewError(connect.CodeInvalidArgument, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tell := h.s.Session.Watch(ctx, opt)
	if stream.Send(&wire.WatchReply{}) != nil { // the stream stands
		cancel()
	}
	err = tell(func(line string) {
		if stream.Send(&wire.WatchReply{Line: line}) != nil {
			cancel()
		}
	})
	if ctx.Err() != nil || errors.Is(err, repl.ErrGone) {
		return nil
	}
	return err
}

// Complete implements the service.
func (h handler) Complete(ctx context.Context, req *connect.Request[wire.CompleteRequest]) (*connect.Response[wire.CompleteReply], error) {
	reply := &wire.CompleteReply{}
	for _, s := range h.s.Session.Complete(ctx, string(req.Msg.GetBefore())) {
		reply.Suggestions = append(reply.Suggestions, &wire.CompleteReply_Suggestion{Text: s.Text, Description: s.Description})
	}
	return connect.NewResponse(reply), nil
}

func options(o *wire.Options) (repl.Options, error) {
	f, err := repl.ParseFormat(o.GetFormat())
	opt := repl.Options{Format: f, Color: o.GetColor(), Width: int(min(o.GetWidth(), 10000))}
	if o != nil && o.Ack != nil {
		ack := int(min(o.GetAck(), node.MaxAck))
		opt.Ack = &ack
	}
	return opt, err
}

// chunk is how much of an answer goes in one message.
const chunk = 64 << 10

// writer sends what is written, in parts.
type writer func([]byte) error

func (w writer) Write(b []byte) (int, error) {
	for n := 0; n < len(b); n += chunk {
		if err := w(b[n:min(len(b), n+chunk)]); err != nil {
			return n, err
		}
	}
	return len(b), nil
}

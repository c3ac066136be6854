package replicate

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"

	"parking/lot/crdt"
	"parking/lot/wire"
	"parking/lot/wire/wireconnect"
	"parking/node/probe"
)

// stranger is a peer that answers as it likes.
type stranger struct {
	wireconnect.UnimplementedPeerHandler
	digest []byte
	pull   func(ctx context.Context, send func(*wire.PullChunk) error) error
}

func (s stranger) Digest(context.Context, *connect.Request[wire.DigestRequest]) (*connect.Response[wire.DigestReply], error) {
	return connect.NewResponse(&wire.DigestReply{Digest: s.digest}), nil
}

func (s stranger) Pull(ctx context.Context, _ *connect.Request[wire.PullRequest], stream *connect.ServerStream[wire.PullChunk]) error {
	return s.pull(ctx, stream.Send)
}

// inMemory carries requests to a handler without a network.
type inMemory struct{ http.Handler }

type answer struct {
	header http.Header
	body   *io.PipeWriter
	ready  chan struct{}
	status int
}

func (a *answer) Header() http.Header { return a.header }
func (a *answer) Flush()              {}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
		close(a.ready)
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

func (h inMemory) RoundTrip(req *http.Request) (*http.Response, error) {
	body, w := io.Pipe()
	a := &answer{header: make(http.Header), body: w, ready: make(chan struct{})}
	go func() {
		h.ServeHTTP(a, req)
		a.WriteHeader(http.StatusOK)
		w.Close()
	}()
	context.AfterFunc(req.Context(), func() { w.CloseWithError(req.Context().Err()) })
	select {
	case <-a.ready:
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	return &http.Response{
		StatusCode: a.status, Proto: "HTTP/2.0", ProtoMajor: 2, Header: a.header, Trailer: make(http.Header), Body: body, Request: req,
	}, nil
}

// Whatever a peer answers, a look joins nothing and ends.
func TestALookAtAPeerThatAnswersWrongly(t *testing.T) {
	other := crdt.New(crdt.NewReplica("larry", 2), crdt.DefaultLog)
	version := &wire.PullChunk{Version: crdt.EncodeVersion(other.Version())}
	var many []crdt.Mutation
	for range 1000 {
		many = append(many, other.Enter(time.Unix(1, 0), "ABC", 1))
	}
	flood := &wire.PullChunk{Delta: crdt.Encode(many)}
	silent := func(ctx context.Context, _ func(*wire.PullChunk) error) error {
		<-ctx.Done()
		return ctx.Err()
	}
	forever := func(c *wire.PullChunk, pause time.Duration) func(context.Context, func(*wire.PullChunk) error) error {
		return func(_ context.Context, send func(*wire.PullChunk) error) error {
			err := send(version)
			for ; err == nil; err = send(c) {
				time.Sleep(pause)
			}
			return err
		}
	}
	digest := make([]byte, 16)
	for name, tc := range map[string]struct {
		peer    stranger
		text    string
		within  time.Duration
		refused bool // and counted
	}{
		"a short digest":    {stranger{digest: digest[:3]}, "malformed", 0, true},
		"a malformed delta": {stranger{digest: digest, pull: forever(&wire.PullChunk{Delta: []byte("\xff")}, 0)}, "malformed", 0, true},
		"a state that is none": {
			stranger{digest: digest, pull: forever(&wire.PullChunk{State: &wire.StateChunk{}}, 0)}, "a state without a version", 0, true,
		},
		"a flood":   {stranger{digest: digest, pull: forever(flood, 0)}, "too much", 0, false},
		"silence":   {stranger{digest: digest, pull: silent}, "larry does not answer", answerTimeout, false},
		"a trickle": {stranger{digest: digest, pull: forever(flood, time.Second)}, "larry takes too long", lookTimeout, false},
		"no answer": {stranger{digest: digest, pull: func(context.Context, func(*wire.PullChunk) error) error { return errors.New("no") }}, "no", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				defer time.Sleep(2 * time.Second) // who trickles has to find that nobody listens
				s := NewStore(crdt.New(crdt.NewReplica("moe", 1), crdt.DefaultLog), func(*crdt.Document, Change) {}, new(probe.Bus))
				r := New(Config{Self: "moe", Interval: time.Second, Rand: rand.New(rand.NewPCG(1, 2)), Log: slog.New(slog.DiscardHandler)}, s, nil, &mates{})
				if _, err := s.Update(Own, func(d *crdt.Document) ([]crdt.Mutation, error) {
					return []crdt.Mutation{d.Enter(time.Now(), "MINE", 1)}, nil
				}); err != nil {
					t.Fatal(err)
				}
				before := s.Digest()
				_, handler := wireconnect.NewPeerHandler(tc.peer)
				client := wireconnect.NewPeerClient(&http.Client{Transport: inMemory{handler}}, "http://larry")
				begin := time.Now()
				_, err := r.Look(t.Context(), client, "larry", func([]crdt.Mutation) {})
				if err == nil || !strings.Contains(err.Error(), tc.text) {
					t.Errorf("%v, want %q", err, tc.text)
				}
				if took := time.Since(begin); took > tc.within {
					t.Errorf("it took %v", took)
				}
				if s.Digest() != before || (r.Refused() > 0) != tc.refused || len(r.staging) > 0 {
					t.Errorf("changed %v, refused %d, staging %d", s.Digest() != before, r.Refused(), len(r.staging))
				}
			})
		})
	}
}

package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime/metrics"
	"slices"
	"time"

	"connectrpc.com/connect"

	"parking/lot"
	"parking/node"
	status "parking/node/member"
	"parking/repl/bench/wire"
	"parking/repl/bench/wire/wireconnect"
)

const (
	// maxLoad bounds the movements of one call.
	maxLoad = 1 << 14
	// maxAwaited bounds the plates that one call waits for.
	maxAwaited = 1 << 22
	// flushEvery is how long messages are apart. When a plate came is known from
	// its event, and telling it at once would disturb what is measured.
	flushEvery = 100 * time.Millisecond
	// maxBatch bounds the plates in one message.
	maxBatch = 1 << 13
	// lookEvery is how often the gates are looked at: one that starts or stops
	// changes nothing in the lot.
	lookEvery = 2 * time.Millisecond
)

// Handler returns the service by which a bench loads the node, and the path
// below which it answers. Version is the program's.
func Handler(n *node.Node, version string) (path string, h http.Handler) {
	return wireconnect.NewBenchHandler(server{n, version}, connect.WithReadMaxBytes(1<<16))
}

type server struct {
	node    *node.Node
	version string
}

// Load implements the service.
func (s server) Load(ctx context.Context, req *connect.Request[wire.LoadRequest]) (*connect.Response[wire.LoadReply], error) {
	m := req.Msg
	if m.GetCount() > maxLoad || m.GetFirst() >= maxNumber-maxLoad {
		return nil, connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("bench: %d movements from number %d on are more than one call takes", m.GetCount(), m.GetFirst()))
	}
	moves := make([]node.Movement, 0, m.GetCount())
	for number := m.GetFirst(); number < m.GetFirst()+uint64(m.GetCount()); number++ {
		move := s.entry(m.GetPrefix(), number)
		if move.Out = m.GetOut(); move.Out {
			if _, in := s.node.Vehicle(move.Plate); !in {
				continue
			}
		}
		moves = append(moves, move)
	}
	if len(moves) > 0 {
		if _, err := s.node.Track(ctx, moves...); err != nil {
			return nil, connect.NewError(connect.CodeFailedPrecondition, err)
		}
	}
	return connect.NewResponse(&wire.LoadReply{Moved: uint32(len(moves))}), nil
}

// Feed implements the service.
func (s server) Feed(ctx context.Context, req *connect.Request[wire.FeedRequest], stream *connect.ServerStream[wire.ArrivalsReply]) error {
	m := req.Msg
	if m.GetCount() > maxAwaited || m.GetStride() == 0 || m.GetFirst() >= maxNumber ||
		m.GetFirst()+uint64(m.GetCount())*uint64(m.GetStride()) > maxNumber {
		return connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("bench: %d plates, %d apart, are more than one call takes", m.GetCount(), m.GetStride()))
	}
	alarm, err := newAlarm()
	if err != nil {
		return connect.NewError(connect.CodeUnavailable, err)
	}
	defer alarm.close()
	var told wire.ArrivalsReply
	flushed := time.Now()
	for i := range m.GetCount() {
		if !alarm.until(ctx, time.Unix(0, m.GetBegin()+int64(i)*int64(m.GetInterval()))) {
			return context.Cause(ctx)
		}
		number := m.GetFirst() + uint64(i)*uint64(m.GetStride())
		if _, err := s.node.Track(ctx, s.entry(m.GetPrefix(), number)); err != nil {
			return connect.NewError(connect.CodeFailedPrecondition, err)
		}
		now := time.Now()
		told.Numbers, told.At = append(told.Numbers, number), append(told.At, now.UnixNano())
		if i+1 < m.GetCount() && now.Sub(flushed) < flushEvery {
			continue
		}
		if err := stream.Send(&told); err != nil {
			return err
		}
		told.Numbers, told.At, flushed = nil, nil, now
	}
	return nil
}

// entry returns the entry of the plate with that number. They are shared out
// among the gates.
func (s server) entry(prefix string, number uint64) node.Movement {
	return node.Movement{Plate: plate(prefix, number), Gate: lot.GateID(1 + number%uint64(max(1, s.node.Gates())))}
}

// Arrivals implements the service.
func (s server) Arrivals(ctx context.Context, req *connect.Request[wire.ArrivalsRequest], stream *connect.ServerStream[wire.ArrivalsReply]) error {
	m := req.Msg
	if m.GetCount() > maxAwaited || m.GetFirst() >= maxNumber-maxAwaited {
		return connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("bench: %d plates are more than one call waits for", m.GetCount()))
	}
	sub := s.node.Subscribe()
	if err := stream.Send(&wire.ArrivalsReply{}); err != nil {
		return err
	}
	a := arrivals{node: s.node, prefix: m.GetPrefix(), first: m.GetFirst(), seen: make([]bool, m.GetCount())}
	now, cancel := context.WithCancel(ctx)
	cancel() // of events, only those that are there
	pause := time.NewTicker(flushEvery)
	defer pause.Stop()
	for {
		select {
		case <-pause.C:
		case <-ctx.Done():
			return nil
		}
		for {
			events, missed := sub.Next(now)
			if len(events) == 0 && missed == 0 {
				break
			}
			for _, e := range events {
				a.note(e)
			}
			if missed > 0 {
				a.look(time.Now())
			}
		}
		for part := range a.parts() {
			if err := stream.Send(part); err != nil {
				return err
			}
		}
	}
}

// arrivals gathers which of the plates have come.
type arrivals struct {
	node   *node.Node
	prefix string
	first  uint64
	seen   []bool // by number, from first on
	told   wire.ArrivalsReply
}

// note gathers what an event tells.
func (a *arrivals) note(e node.Event) {
	switch e.Kind {
	case node.VehicleCame:
		if number, ok := numbered(e.Plate, a.prefix); ok {
			a.came(number, e.At)
		}
	case node.StateJoined: // which names nobody
		a.look(e.At)
	}
}

// look gathers the plates that are there and were not told of.
func (a *arrivals) look(at time.Time) {
	for i, seen := range a.seen {
		if seen {
			continue
		}
		number := a.first + uint64(i)
		if _, in := a.node.Vehicle(plate(a.prefix, number)); in {
			a.came(number, at)
			a.told.Late++
		}
	}
}

func (a *arrivals) came(number uint64, at time.Time) {
	i := number - a.first // wraps for a number before the first
	if i >= uint64(len(a.seen)) || a.seen[i] {
		return
	}
	a.seen[i] = true
	a.told.Numbers, a.told.At = append(a.told.Numbers, number), append(a.told.At, at.UnixNano())
}

// parts returns what was gathered, in messages of a bounded size, and begins
// anew.
func (a *arrivals) parts() func(yield func(*wire.ArrivalsReply) bool) {
	return func(yield func(*wire.ArrivalsReply) bool) {
		numbers, at, late := a.told.Numbers, a.told.At, a.told.Late
		a.told.Numbers, a.told.At, a.told.Late = nil, nil, 0
		for len(numbers) > 0 {
			n := min(len(numbers), maxBatch)
			if !yield(&wire.ArrivalsReply{Numbers: numbers[:n], At: at[:n], Late: late}) {
				return
			}
			numbers, at, late = numbers[n:], at[n:], 0
		}
	}
}

// heapMetric is what runtime/metrics calls the objects on the heap.
const heapMetric = "/memory/classes/heap/objects:bytes"

// goroutinesMetric is what it calls their number.
const goroutinesMetric = "/sched/goroutines:goroutines"

// Stats implements the service.
func (s server) Stats(context.Context, *connect.Request[wire.StatsRequest]) (*connect.Response[wire.StatsReply], error) {
	now, spaces := s.node.Status(), s.node.Spaces()
	sample := []metrics.Sample{{Name: heapMetric}, {Name: goroutinesMetric}}
	metrics.Read(sample)
	m := &wire.StatsReply{
		Node: now.Node, Version: s.version, Pid: int64(os.Getpid()),
		Digest: bytes.Clone(now.Digest[:]), Lag: now.Lag, Queue: uint64(max(0, now.Queue)),
		Taken: uint64(spaces.Taken), Spaces: uint64(spaces.Total),
		Packets: now.Sent.Packets, Gossip: now.Sent.Gossip, Streams: now.Sent.Streams,
		Started: nanos(now.Started), Welcomed: nanos(now.Welcomed), Ready: nanos(now.Ready),
		Heap: sample[0].Value.Uint64(), Goroutines: sample[1].Value.Uint64(),
	}
	for _, seq := range now.Version {
		m.Changes += seq
	}
	return connect.NewResponse(m), nil
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// Gates implements the service.
func (s server) Gates(ctx context.Context, _ *connect.Request[wire.GatesRequest], stream *connect.ServerStream[wire.GatesReply]) error {
	select {
	case <-s.node.Ready():
	case <-ctx.Done():
		return nil
	}
	var last *wire.GatesReply
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		changed := s.node.Changed()
		if now := s.gates(); last == nil || !sameGates(now, last) {
			now.At = time.Now().UnixNano()
			if err := stream.Send(now); err != nil {
				return err
			}
			last = now
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-tick.C:
		}
	}
}

func (s server) gates() *wire.GatesReply {
	m := &wire.GatesReply{}
	for _, g := range s.node.GateStates() {
		m.Gates = append(m.Gates, &wire.GatesReply_Gate{Gate: uint32(g.Gate), Owners: g.Owners})
	}
	for _, x := range s.node.Members() {
		if x.Status == status.Alive {
			m.Alive = append(m.Alive, x.Name)
		}
	}
	return m
}

// sameGates reports whether both tell the same, but for the moment.
func sameGates(a, b *wire.GatesReply) bool {
	return slices.Equal(a.Alive, b.Alive) && slices.EqualFunc(a.Gates, b.Gates, func(a, b *wire.GatesReply_Gate) bool {
		return a.Gate == b.Gate && slices.Equal(a.Owners, b.Owners)
	})
}

// plain is the error of a call, as the node has put it.
func plain(err error) error {
	if c, ok := errors.AsType[*connect.Error](err); ok {
		return errors.New(c.Message())
	}
	return err
}

package crdt

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"parking/lot"
	"parking/lot/wire"
)

// ErrMalformed is the error of every message that no correct node sends.
var ErrMalformed = errors.New("crdt: malformed message")

// Bounds on what a register may hold, in bytes.
const (
	MaxKey   = 64
	MaxValue = 256
)

// maxReplicas bounds the replicas that one message may name.
const maxReplicas = 1 << 16

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// table numbers replicas in the order of their first use.
type table struct {
	index map[Replica]uint32
	rows  []*wire.Replica
}

func (t *table) dot(d Dot) *wire.Dot {
	i, ok := t.index[d.Replica]
	if !ok {
		if t.index == nil {
			t.index = make(map[Replica]uint32)
		}
		i = uint32(len(t.rows))
		t.index[d.Replica] = i
		t.rows = append(t.rows, encodeReplica(d.Replica))
	}
	return &wire.Dot{Replica: i, Seq: d.Seq}
}

func (t *table) mutation(m *Mutation) *wire.Mutation {
	w := &wire.Mutation{Dot: t.dot(m.Dot), Stamp: uint64(m.Stamp)}
	for _, s := range m.Supersedes {
		w.Supersedes = append(w.Supersedes, t.dot(s))
	}
	switch m.Kind {
	case Entry:
		w.Value = &wire.Mutation_Entry{Entry: &wire.Entry{
			Plate: string(m.Plate), Gate: uint32(m.Gate), WallOffsetMs: m.Wall - int64(m.Stamp>>16)}}
	case Exit:
		w.Value = &wire.Mutation_Exit{Exit: &wire.Exit{
			Plate: string(m.Plate), Gate: uint32(m.Gate), WallOffsetMs: m.Wall - int64(m.Stamp>>16)}}
	case Register:
		w.Value = &wire.Mutation_Register{Register: &wire.Register{Key: m.Key, Value: m.Value}}
	}
	return w
}

func encodeReplica(r Replica) *wire.Replica {
	return &wire.Replica{Node: r.Node(), Incarnation: r.Incarnation()}
}

// Encode returns the mutations as one delta.
func Encode(ms []Mutation) *wire.Delta {
	var t table
	d := &wire.Delta{Schema: wire.Schema, Mutations: make([]*wire.Mutation, 0, len(ms))}
	for i := range ms {
		d.Mutations = append(d.Mutations, t.mutation(&ms[i]))
	}
	d.Replicas = t.rows
	return d
}

// Pack splits ms, in order, into deltas of at most limit encoded bytes each. A
// mutation that is too big by itself makes a delta by itself.
func Pack(ms []Mutation, limit int) []*wire.Delta {
	field := func(m proto.Message) int { return 1 + protowire.SizeBytes(proto.Size(m)) }
	var out []*wire.Delta
	var t table
	var cur *wire.Delta
	size := 0
	for i := range ms {
		before := len(t.rows)
		w := t.mutation(&ms[i])
		grow := field(w)
		for _, r := range t.rows[before:] {
			grow += field(r)
		}
		if cur == nil || size+grow > limit {
			t = table{}
			w = t.mutation(&ms[i])
			cur = &wire.Delta{Schema: wire.Schema}
			out = append(out, cur)
			size, grow = proto.Size(cur), field(w)
			for _, r := range t.rows {
				grow += field(r)
			}
		}
		cur.Mutations = append(cur.Mutations, w)
		cur.Replicas = t.rows
		size += grow
	}
	return out
}

// Decode checks a delta and returns its mutations.
func Decode(d *wire.Delta) ([]Mutation, error) {
	reps, err := decodeReplicas(nil, d.GetReplicas())
	if err != nil {
		return nil, err
	}
	ms := make([]Mutation, 0, len(d.GetMutations()))
	for _, w := range d.GetMutations() {
		m, known, err := decodeMutation(reps, w)
		if err != nil {
			return nil, err
		}
		if known {
			ms = append(ms, m)
		}
	}
	return ms, nil
}

func decodeReplicas(to []Replica, ws []*wire.Replica) ([]Replica, error) {
	if len(to)+len(ws) > maxReplicas {
		return nil, malformed("%d replicas", len(to)+len(ws))
	}
	to = slices.Grow(to, len(ws))
	for _, w := range ws {
		r, err := DecodeReplica(w.GetNode(), w.GetIncarnation())
		if err != nil {
			return nil, err
		}
		to = append(to, r)
	}
	return to, nil
}

// DecodeReplica checks a replica's parts and returns it.
func DecodeReplica(node string, incarnation uint64) (Replica, error) {
	if !lot.ValidName(node) {
		return Replica{}, malformed("node name %.40q", node)
	}
	return NewReplica(node, incarnation), nil
}

func decodeDot(reps []Replica, w *wire.Dot) (Dot, error) {
	if int64(w.GetReplica()) >= int64(len(reps)) {
		return Dot{}, malformed("replica %d of %d", w.GetReplica(), len(reps))
	}
	if w.GetSeq() == 0 || w.GetSeq() > MaxSeq {
		return Dot{}, malformed("sequence number %d", w.GetSeq())
	}
	return Dot{reps[w.GetReplica()], w.GetSeq()}, nil
}

// decodeMutation reports known as false for a kind of value that this program
// does not know. Such a mutation is left out whole: its dot stays unseen, so
// that it can still come once the program is newer.
func decodeMutation(reps []Replica, w *wire.Mutation) (m Mutation, known bool, err error) {
	if m.Dot, err = decodeDot(reps, w.GetDot()); err != nil {
		return m, false, err
	}
	for _, ws := range w.GetSupersedes() {
		s, err := decodeDot(reps, ws)
		if err != nil {
			return m, false, err
		}
		if s == m.Dot {
			return m, false, malformed("%v supersedes itself", s)
		}
		m.Supersedes = append(m.Supersedes, s)
	}
	m.Stamp = Stamp(w.GetStamp())
	if m.Stamp > maxStamp {
		return m, false, malformed("stamp %d", m.Stamp)
	}
	switch v := w.GetValue().(type) {
	case *wire.Mutation_Entry:
		m.Kind = Entry
		if v.Entry.GetGate() == 0 {
			return m, false, malformed("entry by gate 0")
		}
		err = m.decodePassage(v.Entry.GetPlate(), v.Entry.GetGate(), v.Entry.GetWallOffsetMs())
	case *wire.Mutation_Exit:
		m.Kind = Exit
		err = m.decodePassage(v.Exit.GetPlate(), v.Exit.GetGate(), v.Exit.GetWallOffsetMs())
	case *wire.Mutation_Register:
		m.Kind = Register
		m.Key, m.Value = v.Register.GetKey(), v.Register.GetValue()
		if m.Key == "" || len(m.Key) > MaxKey || len(m.Value) > MaxValue {
			err = malformed("register with a key of %d and a value of %d bytes", len(m.Key), len(m.Value))
		}
	default:
		return m, false, nil
	}
	return m, err == nil, err
}

func (m *Mutation) decodePassage(plate string, gate uint32, wallOffset int64) error {
	m.Plate = lot.Plate(plate)
	if !m.Plate.Valid() {
		return malformed("plate %.40q", plate)
	}
	if gate > lot.MaxGates {
		return malformed("gate %d", gate)
	}
	m.Gate = lot.GateID(gate)
	if wallOffset < -maxMillis || wallOffset > maxMillis {
		return malformed("wall time %d ms off", wallOffset)
	}
	m.Wall = int64(m.Stamp>>16) + wallOffset
	if m.Wall < 0 || m.Wall > maxMillis {
		return malformed("wall time %d", m.Wall)
	}
	return nil
}

// EncodeVersion returns v as a message.
func EncodeVersion(v Version) *wire.Version {
	w := &wire.Version{}
	for rep := range v.Replicas() {
		r := v.rows[rep]
		w.Rows = append(w.Rows, &wire.Version_Row{Replica: encodeReplica(rep), Max: r.max, Cloud: r.sortedCloud()})
	}
	return w
}

// DecodeVersion checks a version and returns it.
func DecodeVersion(w *wire.Version) (Version, error) {
	if len(w.GetRows()) > maxReplicas {
		return Version{}, malformed("%d replicas", len(w.GetRows()))
	}
	v := Version{rows: make(map[Replica]row, len(w.GetRows()))}
	for _, wr := range w.GetRows() {
		rep, err := DecodeReplica(wr.GetReplica().GetNode(), wr.GetReplica().GetIncarnation())
		if err != nil {
			return Version{}, err
		}
		if _, twice := v.rows[rep]; twice {
			return Version{}, malformed("%v twice in a version", rep)
		}
		r := row{max: wr.GetMax()}
		if r.max > MaxSeq || r.max == 0 && len(wr.GetCloud()) == 0 {
			return Version{}, malformed("maximum %d of %v", r.max, rep)
		}
		last := r.max + 1 // canonical: max+1 is not in the cloud
		for _, seq := range wr.GetCloud() {
			if seq <= last || seq > MaxSeq {
				return Version{}, malformed("%d after %d in the cloud of %v", seq, last, rep)
			}
			if r.cloud == nil {
				r.cloud = make(map[uint64]struct{}, len(wr.GetCloud()))
			}
			r.cloud[seq], last = struct{}{}, seq
		}
		v.rows[rep] = r
	}
	return v, nil
}

package crdt

import (
	"errors"
	"fmt"
	"slices"

	"parking/lot"
	"parking/lot/spans"
	"parking/lot/wire"
)

// ErrMalformed is the error of every message that no correct node sends.
var ErrMalformed = errors.New("crdt: malformed message")

// ErrNewer is the error of a message with changes of a kind that a newer program
// may make, and this one does not know. It is no ErrMalformed.
var ErrNewer = errors.New("crdt: changes of a kind that this version of parking does not know; upgrade this node")

// ErrForged is the error of what claims mutations of the very replica that it comes
// to, which that never made. It is an ErrMalformed, too.
var ErrForged = fmt.Errorf("%w: forged", ErrMalformed)

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

func encodeReplica(r Replica) *wire.Replica {
	return &wire.Replica{Node: r.Node(), Incarnation: r.Incarnation()}
}

// DecodeReplica checks a replica's parts and returns it.
func DecodeReplica(node string, incarnation uint64) (Replica, error) {
	if !lot.ValidName(node) {
		return Replica{}, malformed("node name %.40q", node)
	}
	return NewReplica(node, incarnation), nil
}

// EncodeVersion returns v as a message.
func EncodeVersion(v Version) *wire.Version {
	w := &wire.Version{}
	for rep := range v.Replicas() {
		s := v.rows[rep]
		cloud := slices.AppendSeq(make([]uint64, 0, s.Cloud().Size()), s.Cloud().Each)
		w.Rows = append(w.Rows, &wire.Version_Row{Replica: encodeReplica(rep), Max: s.Max(), Cloud: cloud})
	}
	return w
}

// DecodeVersion checks a version and returns it.
func DecodeVersion(w *wire.Version) (Version, error) {
	if len(w.GetRows()) > maxReplicas {
		return Version{}, malformed("%d replicas", len(w.GetRows()))
	}
	v := Version{rows: make(map[Replica]spans.Set, len(w.GetRows()))}
	for _, wr := range w.GetRows() {
		rep, err := DecodeReplica(wr.GetReplica().GetNode(), wr.GetReplica().GetIncarnation())
		if err != nil {
			return Version{}, err
		}
		if _, twice := v.rows[rep]; twice {
			return Version{}, malformed("%v twice in a version", rep)
		}
		last := wr.GetMax()
		if last > MaxSeq || last == 0 && len(wr.GetCloud()) == 0 {
			return Version{}, malformed("maximum %d of %v", last, rep)
		}
		var s spans.Set
		if last > 0 {
			s = spans.Set{{First: 1, Last: last}}
		}
		last++ // canonical: max+1 is not in the cloud
		for _, seq := range wr.GetCloud() {
			if seq <= last || seq > MaxSeq {
				return Version{}, malformed("%d after %d in the cloud of %v", seq, last, rep)
			}
			s.Insert(seq)
			last = seq
		}
		v.rows[rep] = s
	}
	return v, nil
}

package history

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"parking/lot"
)

// A Life is one life of one node.
type Life struct {
	Node        string
	Incarnation uint64
}

// String returns the form name/incarnation, which is short for people.
func (l Life) String() string { return fmt.Sprintf("%s/%04x", l.Node, l.Incarnation>>48) }

// Founding is the code of a setting that a node began a cluster with.
const Founding lot.Code = "founding"

// A Kind says what a Record tells.
type Kind uint8

// The kinds of records, and the fields that each uses beside Real.
const (
	Began    Kind = iota + 1 // Life is whose log it is; Count records were cut off before; Text is the ledger
	Saw                      // the changes First..Last of Life came
	Entered                  // this node made change First: Plate came in by Gate; Stamp
	Exited                   // likewise, Plate left
	Set                      // likewise, the setting Text became Count; First of Life; Code is Founding where it was that
	Wrote                    // likewise, something else
	Answered                 // a user's command: Text, Plate, Gate; Asked, AskedStamp, Stamp; Code (empty: ok); it made First..Last of Life; Need other nodes were to have that
	Refused                  // this node judged: Text, Plate, Gate and Code; it counted Count of Need
	GateOn                   // Gate runs here
	GateOff                  // and no more
	Faulted                  // Text is in force here; First is its number
	Mended                   // what is left of it is not; Text may be empty
	Member                   // Life is Text in this node's view
	Ended                    // the node is going: Text says why
)

// String names the kind.
func (k Kind) String() string {
	if int(k) < len(kinds) && kinds[k].name != "" {
		return kinds[k].name
	}
	return fmt.Sprintf("kind %d", k)
}

// A Record is one thing that happened on a node. Real times are of the host's
// clock, whatever the node was made to think of it; stamps are of the hybrid
// logical clock, and both are 0 where a kind has none.
type Record struct {
	Kind        Kind
	Real        time.Time
	Asked       time.Time // when the user's command came
	AskedStamp  uint64
	Stamp       uint64
	Life        Life
	First, Last uint64
	Plate       lot.Plate
	Gate        lot.GateID
	Code        lot.Code
	Text        string
	Count, Need int
}

// field is a part of a record's encoding.
type field uint8

const (
	fStamp field = iota
	fLife
	fFirst
	fLast
	fPlate
	fGate
	fCode
	fText
	fCount
	fNeed
	fAsked
)

// kinds is what each kind is called and made of. Every record begins with the
// byte of its kind and its time.
var kinds = [...]struct {
	name   string
	fields []field
}{
	Began:    {"began", []field{fLife, fCount, fText}},
	Saw:      {"saw", []field{fLife, fFirst, fLast}},
	Entered:  {"entered", []field{fFirst, fStamp, fPlate, fGate}},
	Exited:   {"exited", []field{fFirst, fStamp, fPlate, fGate}},
	Set:      {"set", []field{fFirst, fStamp, fText, fCount, fCode}},
	Wrote:    {"wrote", []field{fFirst, fStamp}},
	Answered: {"answered", []field{fStamp, fAsked, fText, fPlate, fGate, fCode, fLife, fFirst, fLast, fNeed}},
	Refused:  {"refused", []field{fText, fPlate, fGate, fCode, fCount, fNeed}},
	GateOn:   {"gate on", []field{fGate}},
	GateOff:  {"gate off", []field{fGate}},
	Faulted:  {"faulted", []field{fFirst, fText}},
	Mended:   {"mended", []field{fFirst, fText}},
	Member:   {"member", []field{fLife, fText}},
	Ended:    {"ended", []field{fText}},
}

// ranges are the kinds that tell of changes First..Last.
var ranges = [len(kinds)]bool{Saw: true, Entered: true, Exited: true, Set: true, Wrote: true, Answered: true}

// maxText bounds texts, in bytes; longer ones are cut.
const maxText = 200

// coder is what both sides of a segment know of what stood before in it.
type coder struct {
	real  int64 // microseconds since 1970 of the last record
	stamp uint64
	lives []Life
}

// encoder turns records into bytes.
type encoder struct {
	coder
	index map[Life]int
}

func newEncoder() encoder { return encoder{index: make(map[Life]int)} }

func (e *encoder) append(b []byte, r *Record) []byte {
	b = append(b, byte(r.Kind))
	at := r.Real.UnixMicro()
	b = binary.AppendVarint(b, at-e.real)
	e.real = at
	for _, f := range kinds[r.Kind].fields {
		switch f {
		case fStamp:
			b = binary.AppendVarint(b, int64(r.Stamp-e.stamp))
			e.stamp = r.Stamp
		case fLife:
			i, known := e.index[r.Life]
			b = binary.AppendUvarint(b, uint64(i))
			if !known {
				e.lives = append(e.lives, r.Life)
				e.index[r.Life] = len(e.lives)
				b = binary.LittleEndian.AppendUint64(appendText(b, r.Life.Node), r.Life.Incarnation)
			}
		case fFirst:
			b = binary.AppendUvarint(b, r.First)
		case fLast:
			b = binary.AppendUvarint(b, r.Last-r.First)
		case fPlate:
			b = appendText(b, string(r.Plate))
		case fGate:
			b = binary.AppendUvarint(b, uint64(r.Gate))
		case fCode:
			b = appendText(b, string(r.Code))
		case fText:
			b = appendText(b, r.Text)
		case fCount:
			b = binary.AppendVarint(b, int64(r.Count))
		case fNeed:
			b = binary.AppendVarint(b, int64(r.Need))
		case fAsked:
			b = binary.AppendVarint(b, at-r.Asked.UnixMicro())
			b = binary.AppendUvarint(b, r.Stamp-r.AskedStamp)
		}
	}
	return b
}

func appendText(b []byte, s string) []byte {
	s = s[:min(len(s), maxText)]
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// errMalformed is the error of bytes that no encoder has written.
var errMalformed = errors.New("history: malformed record")

// decoder turns bytes into records; texts are copied.
type decoder struct {
	coder
	b   []byte
	bad bool
}

// next reads a record.
func (d *decoder) next(r *Record) error {
	*r = Record{Kind: Kind(d.b[0])}
	d.b = d.b[1:]
	if int(r.Kind) >= len(kinds) || kinds[r.Kind].name == "" {
		return errMalformed
	}
	d.real += d.varint()
	r.Real = time.UnixMicro(d.real)
	for _, f := range kinds[r.Kind].fields {
		switch f {
		case fStamp:
			d.stamp += uint64(d.varint())
			r.Stamp = d.stamp
		case fLife:
			r.Life = d.life()
		case fFirst:
			r.First = d.uvarint()
			r.Last = r.First
		case fLast:
			r.Last = r.First + d.uvarint()
		case fPlate:
			r.Plate = lot.Plate(d.text())
		case fGate:
			r.Gate = lot.GateID(d.uvarint())
		case fCode:
			r.Code = lot.Code(d.text())
		case fText:
			r.Text = d.text()
		case fCount:
			r.Count = int(d.varint())
		case fNeed:
			r.Need = int(d.varint())
		case fAsked:
			r.Asked = time.UnixMicro(d.real - d.varint())
			r.AskedStamp = r.Stamp - d.uvarint()
		}
	}
	if d.bad || r.Last < r.First || ranges[r.Kind] && r.Last == math.MaxUint64 { // nobody counts on behind it
		return errMalformed
	}
	return nil
}

func (d *decoder) life() (l Life) {
	i := d.uvarint()
	if i > 0 {
		if i > uint64(len(d.lives)) {
			d.bad = true
			return l
		}
		return d.lives[i-1]
	}
	l.Node = d.text()
	if len(d.b) < 8 || l.Node != "" && !lot.ValidName(l.Node) {
		d.bad = true
		return l
	}
	l.Incarnation = binary.LittleEndian.Uint64(d.b)
	d.b = d.b[8:]
	d.lives = append(d.lives, l)
	return l
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	return took(d, v, n)
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	return took(d, v, n)
}

func took[T any](d *decoder, v T, n int) (none T) {
	if n <= 0 {
		d.bad, d.b = true, nil
		return none
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) text() string {
	n := d.uvarint()
	if n > uint64(len(d.b)) || n > maxText {
		d.bad, d.b = true, nil
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

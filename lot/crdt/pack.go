package crdt

import (
	"encoding/binary"
	"slices"

	"parking/lot"
)

// Mutations travel packed: one byte each that tells what is as one would guess
// from the mutation before, and the rest as variable-length numbers (those of
// Protocol Buffers). What a packed group looks like:
//
//	count of replicas << 2 | format
//	for each replica: length of the node's name, name, incarnation (8 bytes)
//	for each mutation:
//	  head: kind (2 bits; 0: of a kind to come), superseded (2 bits: none;
//	    one, an earlier one of the mutation's own replica; a list), and a bit
//	    each where the dot is not the next of the same replica, the stamp's
//	    millisecond is another, its counter is not the next (0 in a new
//	    millisecond), the wall time is not the stamp's
//	  dot, if not the next: distance from the next of its replica << 1 | whether
//	    the replica is another than before; then its number in the table
//	  stamp, as far as the head says: distance in milliseconds, counter
//	  wall time, if the head says so: distance from the stamp's millisecond
//	  superseded: distance back; or count, and number and sequence of each
//	  entry: gate, length of the plate, plate
//	  exit: gate; the plate only if nothing is superseded, which else tells it
//	  register: length of the key, key, length of the value, value
//	  to come: length, content
//
// Distances may be negative (zigzag), but for the one back.
const (
	packFormat = 1 // of the four that the first byte's low bits tell

	headKind    = 3
	headOne     = 1 << 2
	headList    = 2 << 2
	headSups    = 3 << 2
	headDot     = 1 << 4
	headMillis  = 1 << 5
	headCounter = 1 << 6
	headWall    = 1 << 7

	// packEpoch is the millisecond that the first stamp of a group is told from:
	// 1 January 2027. Half a year around it takes five bytes.
	packEpoch = 1_798_761_600_000
)

// packer packs a group of mutations.
type packer struct {
	table []Replica
	index map[Replica]int
	head  int    // bytes that the table takes
	body  []byte // the mutations
	at    packAt
}

// packAt is what the next mutation is told from.
type packAt struct {
	replica int
	seqs    []uint64 // the last of each replica in the table
	millis  int64
	counter int64
}

func startOfPack() packAt { return packAt{millis: packEpoch, counter: -1} }

func (a *packAt) seq(replica int) *uint64 {
	for len(a.seqs) <= replica {
		a.seqs = append(a.seqs, 0)
	}
	return &a.seqs[replica]
}

func (p *packer) reset() {
	p.table, p.body, p.head = p.table[:0], p.body[:0], 1
	clear(p.index)
	p.at = startOfPack()
}

// replica returns the replica's number in the table.
func (p *packer) replica(r Replica) int {
	if len(p.table) > 0 && p.table[p.at.replica] == r {
		return p.at.replica
	}
	if i, ok := p.index[r]; ok {
		return i
	}
	if p.index == nil {
		p.index = make(map[Replica]int)
	}
	i := len(p.table)
	p.index[r] = i
	p.table = append(p.table, r)
	p.head += 1 + len(r.Node()) + 8
	return i
}

// size returns how many bytes the group takes.
func (p *packer) size() int {
	n := p.head + len(p.body)
	if len(p.table) >= 32 {
		n += 2 // of a larger count
	}
	return n
}

// append appends the group to b.
func (p *packer) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(p.table))<<2|packFormat)
	for _, r := range p.table {
		b = append(b, byte(len(r.Node())))
		b = append(b, r.Node()...)
		b = binary.BigEndian.AppendUint64(b, r.Incarnation())
	}
	return append(b, p.body...)
}

func zigzag(x int64) uint64   { return uint64(x)<<1 ^ uint64(x>>63) }
func unzigzag(x uint64) int64 { return int64(x>>1) ^ -int64(x&1) }

// dot packs a dot that stands for a mutation or a live value.
func (p *packer) dot(b []byte, head *byte, d Dot) []byte {
	i := p.replica(d.Replica)
	last := p.at.seq(i)
	if i != p.at.replica || d.Seq != *last+1 {
		*head |= headDot
		x := zigzag(int64(d.Seq)-int64(*last+1)) << 1
		if i != p.at.replica {
			b = binary.AppendUvarint(b, x|1)
			b = binary.AppendUvarint(b, uint64(i))
		} else {
			b = binary.AppendUvarint(b, x)
		}
	}
	p.at.replica, *last = i, d.Seq
	return b
}

// add packs one more mutation.
func (p *packer) add(m *Mutation) {
	b := append(p.body, 0)
	i := len(p.body)
	head := byte(m.Kind)
	b = p.dot(b, &head, m.Dot)
	millis, counter := int64(m.Stamp>>16), int64(m.Stamp&0xffff)
	expected := p.at.counter + 1
	if millis != p.at.millis {
		head |= headMillis
		b = binary.AppendUvarint(b, zigzag(millis-p.at.millis))
		expected = 0
	}
	if counter != expected {
		head |= headCounter
		b = binary.AppendUvarint(b, uint64(counter))
	}
	p.at.millis, p.at.counter = millis, counter
	if m.Kind != Register && m.Wall != millis {
		head |= headWall
		b = binary.AppendUvarint(b, zigzag(m.Wall-millis))
	}
	switch s := m.Supersedes; {
	case len(s) == 0:
	case len(s) == 1 && s[0].Replica == m.Dot.Replica && s[0].Seq < m.Dot.Seq:
		head |= headOne
		b = binary.AppendUvarint(b, m.Dot.Seq-s[0].Seq)
	default:
		head |= headList
		b = binary.AppendUvarint(b, uint64(len(s)))
		for _, d := range s {
			b = binary.AppendUvarint(b, uint64(p.replica(d.Replica)))
			b = binary.AppendUvarint(b, d.Seq)
		}
	}
	switch m.Kind {
	case Entry:
		b = binary.AppendUvarint(b, uint64(m.Gate))
		b = appendString(b, string(m.Plate))
	case Exit:
		b = binary.AppendUvarint(b, uint64(m.Gate))
		if len(m.Supersedes) == 0 {
			b = appendString(b, string(m.Plate))
		}
	case Register:
		b = appendString(b, m.Key)
		b = appendString(b, string(m.Value))
	}
	b[i] = head
	p.body = b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// Encode returns the mutations of all parts as one delta.
func Encode(parts ...[]Mutation) []byte {
	var p packer
	p.reset()
	for _, ms := range parts {
		for i := range ms {
			p.add(&ms[i])
		}
	}
	return p.append(make([]byte, 0, p.size()))
}

// Pack splits the mutations of all parts, in order, into deltas of at most limit
// bytes each. A mutation that is too big by itself makes a delta by itself.
func Pack(limit int, parts ...[]Mutation) (out [][]byte) {
	var p packer
	p.reset()
	flush := func() {
		out = append(out, p.append(make([]byte, 0, p.size())))
		p.reset()
	}
	for _, ms := range parts {
		for i := range ms {
			table, head, body := len(p.table), p.head, len(p.body)
			p.add(&ms[i])
			if p.size() > limit && body > 0 {
				p.table, p.head, p.body = p.table[:table], head, p.body[:body]
				flush()
				p.add(&ms[i])
			}
		}
	}
	if len(p.body) > 0 {
		flush()
	}
	return out
}

// reader takes a packed group apart. What it returns shares the text.
type reader struct {
	text  string // what is left
	table []Replica
	at    packAt
	bad   bool
}

// newReader reads the table.
func newReader(data []byte) (*reader, error) {
	r := &reader{text: string(data), at: startOfPack()}
	head := r.uvarint()
	if head&3 != packFormat || r.bad {
		return nil, malformed("format %d", head&3)
	}
	n := head >> 2
	if n > maxReplicas || n > uint64(len(r.text))/10 {
		return nil, malformed("%d replicas", n)
	}
	r.table = make([]Replica, 0, n)
	for range n {
		name := r.string(lot.MaxName)
		incarnation := r.take(8)
		if r.bad {
			return nil, malformed("replica cut off")
		}
		rep, err := DecodeReplica(name, binary.BigEndian.Uint64([]byte(incarnation)))
		if err != nil {
			return nil, err
		}
		r.table = append(r.table, rep)
	}
	return r, nil
}

func (r *reader) uvarint() (x uint64) {
	for shift := 0; shift < 64 && len(r.text) > 0; shift += 7 {
		c := r.text[0]
		r.text = r.text[1:]
		if c < 0x80 {
			if shift == 63 && c > 1 {
				break
			}
			return x | uint64(c)<<shift
		}
		x |= uint64(c&0x7f) << shift
	}
	r.bad = true
	return 0
}

func (r *reader) varint() int64 { return unzigzag(r.uvarint()) }

func (r *reader) take(n uint64) string {
	if n > uint64(len(r.text)) {
		r.bad = true
		return ""
	}
	s := r.text[:n]
	r.text = r.text[n:]
	return s
}

func (r *reader) string(limit uint64) string {
	n := r.uvarint()
	if n > limit {
		r.bad = true
		return ""
	}
	return r.take(n)
}

// dot reads the dot of a mutation or a live value.
func (r *reader) dot(changed bool) (Dot, error) {
	i, distance := r.at.replica, int64(0)
	if changed {
		x := r.uvarint()
		if distance = unzigzag(x >> 1); x&1 != 0 {
			n := r.uvarint()
			if n >= uint64(len(r.table)) {
				return Dot{}, malformed("replica %d of %d", n, len(r.table))
			}
			i = int(n)
		}
	}
	if i >= len(r.table) {
		return Dot{}, malformed("replica %d of %d", i, len(r.table))
	}
	last := r.at.seq(i)
	seq := uint64(int64(*last) + 1 + distance)
	if r.bad || seq == 0 || seq > MaxSeq {
		return Dot{}, malformed("sequence number %d", seq)
	}
	r.at.replica, *last = i, seq
	return Dot{r.table[i], seq}, nil
}

// next reads one mutation into m. It reports known as false for a kind of value
// that this program does not know. Such a mutation is to be left out: its dot
// stays unseen, so that it can still come once the program is newer. The
// superseded dots are appended to sups, of which m keeps a part.
func (r *reader) next(m *Mutation, sups *[]Dot) (known bool, err error) {
	head := r.take(1)
	if r.bad {
		return false, malformed("cut off")
	}
	h := head[0]
	*m = Mutation{Kind: Kind(h & headKind)}
	if m.Dot, err = r.dot(h&headDot != 0); err != nil {
		return false, err
	}
	millis, counter := r.at.millis, r.at.counter+1
	if h&headMillis != 0 {
		millis, counter = millis+r.varint(), 0
	}
	if h&headCounter != 0 {
		counter = int64(r.uvarint())
	}
	if millis < 0 || millis > maxMillis || counter < 0 || counter > 0xffff {
		return false, malformed("stamp %d, %d", millis, counter)
	}
	r.at.millis, r.at.counter = millis, counter
	m.Stamp = Stamp(millis)<<16 | Stamp(counter)
	m.Wall = millis
	if h&headWall != 0 {
		off := r.varint()
		if off < -maxMillis || off > maxMillis || millis+off < 0 || millis+off > maxMillis {
			return false, malformed("wall time %d ms off", off)
		}
		m.Wall = millis + off
	}
	if err := r.superseded(m, h&headSups, sups); err != nil {
		return false, err
	}
	switch m.Kind {
	case Entry, Exit:
		gate := r.uvarint()
		if gate > lot.MaxGates || gate == 0 && m.Kind == Entry {
			return false, malformed("gate %d", gate)
		}
		m.Gate = lot.GateID(gate)
		if m.Kind == Exit && h&headSups != 0 {
			break
		}
		m.Plate = lot.Plate(r.string(4 * lot.MaxPlate))
		if !m.Plate.Valid() {
			return false, malformed("plate %.40q", m.Plate)
		}
	case Register:
		m.Wall = 0
		m.Key, m.Value = r.string(MaxKey), []byte(r.string(MaxValue))
		if m.Key == "" || h&headWall != 0 {
			return false, malformed("register without a key")
		}
	default:
		r.take(r.uvarint())
	}
	if r.bad {
		return false, malformed("cut off")
	}
	return m.Kind != 0, nil
}

func (r *reader) superseded(m *Mutation, how byte, sups *[]Dot) error {
	from := len(*sups)
	switch how {
	case 0:
		return nil
	case headOne:
		*sups = append(*sups, Dot{m.Dot.Replica, m.Dot.Seq - r.uvarint()})
	case headList:
		n := r.uvarint()
		if n == 0 || n > uint64(len(r.text))/2 {
			return malformed("%d superseded", n)
		}
		for range n {
			i, seq := r.uvarint(), r.uvarint()
			if i >= uint64(len(r.table)) {
				return malformed("replica %d of %d", i, len(r.table))
			}
			*sups = append(*sups, Dot{r.table[i], seq})
		}
	default:
		return malformed("head")
	}
	m.Supersedes = (*sups)[from:len(*sups):len(*sups)]
	for _, s := range m.Supersedes {
		if r.bad || s.Seq == 0 || s.Seq > MaxSeq || s == m.Dot {
			return malformed("%v supersedes %v", m.Dot, s)
		}
	}
	return nil
}

// Decode checks a delta and returns its mutations. Of an exit that supersedes
// something it does not tell the plate: Document.Believe does. If there are
// mutations of kinds to come, it returns the others and ErrNewer.
func Decode(delta []byte) ([]Mutation, error) {
	if len(delta) == 0 {
		return nil, nil
	}
	r, err := newReader(delta)
	if err != nil {
		return nil, err
	}
	var sups []Dot
	ms := make([]Mutation, 0, min(1+len(r.text)/10, 1<<14))
	var newer error
	for len(r.text) > 0 {
		var m Mutation
		known, err := r.next(&m, &sups)
		if err != nil {
			return nil, err
		}
		if known {
			ms = append(ms, m)
		} else {
			newer = ErrNewer
		}
	}
	return slices.Clip(ms), newer
}

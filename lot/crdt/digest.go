package crdt

import (
	"encoding/binary"
	"encoding/hex"
)

// A Digest is a 128-bit hash of what a document has seen and what of it is
// live, independent of the order in which it came. Equal digests mean equal
// documents, by a chance of 2^-64 and better; it does not guard against
// forgers, who hold the cookie anyway.
type Digest [16]byte

// String returns the first 32 bits as people compare them: "3f9a c201".
func (d Digest) String() string {
	return hex.EncodeToString(d[:2]) + " " + hex.EncodeToString(d[2:4])
}

// sum is the digest as it is kept up to date: the sum, modulo 2^64 in each
// half, of one hash per fact. Adding and taking away a fact commute.
type sum struct{ hi, lo uint64 }

// Each fact is hashed with the tag of its sort.
const (
	tagVector uint64 = iota + 1 // 1..seq of a replica were seen
	tagCloud                    // seq beyond the vector was seen
	tagLive                     // the value of seq is live
	tagEarly                    // seq was superseded before it was seen
)

func fact(tag uint64, d Dot) sum {
	h := d.Replica.id.Value().hash ^ mix(tag)
	return sum{mix(h + mix(d.Seq)), mix(mix(h^0x6a09e667f3bcc909) + d.Seq)}
}

func (s *sum) add(f sum)    { s.hi += f.hi; s.lo += f.lo }
func (s *sum) remove(f sum) { s.hi -= f.hi; s.lo -= f.lo }

func (s sum) digest() (d Digest) {
	binary.BigEndian.PutUint64(d[:8], s.hi)
	binary.BigEndian.PutUint64(d[8:], s.lo)
	return d
}

// mix is the finalizer of SplitMix64 (Steele, Lea and Flood 2014): a bijection
// whose output bits each depend on all input bits.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

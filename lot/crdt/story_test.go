package crdt

import (
	"slices"
	"testing"
	"time"

	"parking/lot"
)

// The helpers below make documents for tests that tell a story.

var (
	t0    = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	curly = NewReplica("curly", 1)
	larry = NewReplica("larry", 2)
	moe   = NewReplica("moe", 3)
)

func doc(r Replica) *Document { return New(r, DefaultLog) }

// joined returns a document of that replica which joined ms in that order.
func joined(r Replica, ms ...Mutation) *Document {
	d := doc(r)
	for _, m := range ms {
		d.Join(m)
	}
	return d
}

// modelOf returns the model that has seen ms.
func modelOf(ms ...Mutation) model {
	m := make(model)
	for _, mu := range ms {
		m[mu.Dot] = mu
	}
	return m
}

// permutations calls f with each order of ms.
func permutations(ms []Mutation, f func([]Mutation)) {
	var rec func(k int)
	rec = func(k int) {
		if k == len(ms) {
			f(ms)
			return
		}
		for i := k; i < len(ms); i++ {
			ms[k], ms[i] = ms[i], ms[k]
			rec(k + 1)
			ms[k], ms[i] = ms[i], ms[k]
		}
	}
	ms = slices.Clone(ms)
	rec(0)
}

func inLot(t *testing.T, d *Document, p lot.Plate) lot.Vehicle {
	t.Helper()
	v, ok := d.Vehicle(p)
	if !ok {
		t.Fatalf("%s is not in the lot of %v", p, d.Self())
	}
	return v
}

func notInLot(t *testing.T, d *Document, p lot.Plate) {
	t.Helper()
	if v, ok := d.Vehicle(p); ok {
		t.Fatalf("%s is in the lot of %v: %+v", p, d.Self(), v)
	}
}

func sameDigest(t failer, a, b *Document) {
	t.Helper()
	if a.Digest() != b.Digest() {
		t.Fatalf("digests differ: %v %v, %v %v", a.Self(), a.Digest(), b.Self(), b.Digest())
	}
}

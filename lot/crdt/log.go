package crdt

import (
	"maps"
	"slices"

	"parking/lot/spans"
)

// log keeps recent mutations, so that a peer a little behind can be sent just
// what it lacks. Of each replica it holds a gapless run that ends at the
// context's maximum, and what came beyond gaps. It is bounded: when it
// overflows, each run loses its oldest part, and the run's start is the floor
// below which the log cannot help.
type log struct {
	cap  int
	size int // mutations in all runs and clouds
	runs map[Replica]*run
	pool pool
}

type run struct {
	first uint64 // the sequence number of the first of
	muts  queue  // first, first+1, ...
	cloud map[uint64]Mutation
}

func newLog(capacity int) log {
	return log{cap: max(capacity, 1), runs: make(map[Replica]*run)}
}

// run returns the replica's run, a new one if there is none.
func (l *log) run(rep Replica) *run {
	r := l.runs[rep]
	if r == nil {
		r = &run{first: 1}
		l.runs[rep] = r
	}
	return r
}

// add keeps m. seen is the context's gapless maximum of m's replica, after m
// was added to it.
func (l *log) add(m Mutation, seen uint64) {
	r := l.run(m.Dot.Replica)
	if m.Dot.Seq > seen {
		if r.cloud == nil {
			r.cloud = make(map[uint64]Mutation)
		}
		r.cloud[m.Dot.Seq] = m
	} else {
		r.muts.push(&m, &l.pool)
		for seq := m.Dot.Seq + 1; seq <= seen; seq++ {
			next, ok := r.cloud[seq]
			if !ok { // trimmed, or seen by way of a state: the run starts anew behind it
				l.restart(r, seq+1)
				continue
			}
			delete(r.cloud, seq)
			r.muts.push(&next, &l.pool)
		}
	}
	if l.size++; l.size > l.cap {
		l.trim()
	}
}

// trim takes the oldest quarter from each run and the farthest from each cloud,
// rounded down: what a quiet replica just said stays. Where rounding leaves too
// much, for there are very many runs, it takes all. So its cost is amortized.
func (l *log) trim() {
	l.take(func(n int) int { return n / 4 })
	if l.size > l.cap*7/8 {
		l.take(func(n int) int { return n })
	}
}

// take takes, of the n mutations of each run and each cloud, part(n).
func (l *log) take(part func(n int) int) {
	l.size = 0
	for _, r := range l.runs {
		n := part(r.muts.n)
		r.muts.drop(n, &l.pool)
		r.first += uint64(n)
		if n = part(len(r.cloud)); n > 0 {
			seqs := slices.AppendSeq(make([]uint64, 0, len(r.cloud)), maps.Keys(r.cloud))
			slices.Sort(seqs)
			for _, seq := range seqs[len(seqs)-n:] {
				delete(r.cloud, seq)
			}
		}
		l.size += r.muts.n + len(r.cloud)
	}
}

// reset makes good for a joined state: where the context's maximum of the
// replica, now seen, is beyond the end of its run, mutations were seen that
// never came here, and the run starts anew behind them.
func (l *log) reset(rep Replica, seen uint64) {
	r := l.run(rep)
	if r.first+uint64(r.muts.n) > seen {
		return
	}
	l.restart(r, seen+1)
	for seq := range r.cloud {
		if seq <= seen {
			delete(r.cloud, seq)
			l.size--
		}
	}
}

// restart empties the run, which goes on with first.
func (l *log) restart(r *run, first uint64) {
	l.size -= r.muts.n
	r.muts.drop(r.muts.n, &l.pool)
	r.first = first
}

// since appends to out what the log has of the replica's dots that are in ours
// and not in theirs. It reports false if it lacks one, or if the result would
// have more than limit mutations.
func (l *log) since(rep Replica, ours, theirs spans.Set, limit int, out []Mutation) ([]Mutation, bool) {
	r := l.runs[rep]
	if from, to := theirs.Max()+1, ours.Max(); from <= to {
		if from < r.first || to-from >= uint64(limit)+theirs.Cloud().Size() {
			return out, false
		}
		out = slices.Grow(out, int(to-from+1))
		for seq := from; seq <= to; seq++ {
			if !theirs.Has(seq) {
				out = append(out, *r.muts.at(int(seq - r.first)))
			}
		}
	}
	for seq := range ours.Cloud().Each {
		if theirs.Has(seq) {
			continue
		}
		m, ok := r.cloud[seq]
		if !ok {
			return out, false
		}
		out = append(out, m)
	}
	return out, len(out) <= limit
}

// queue is a first-in, first-out queue of mutations, in blocks: what enters is
// seldom moved. All blocks but the last are full.
type queue struct {
	blocks [][]Mutation
	off, n int // the first one's place in the first block; how many there are
}

const blockSize = 256

// pool keeps empty blocks to be used again.
type pool [][]Mutation

func (p *pool) get() (b []Mutation) {
	if last := len(*p) - 1; last >= 0 {
		b, *p = (*p)[last], (*p)[:last]
	}
	return b
}

// at returns the ith mutation.
func (q *queue) at(i int) *Mutation {
	i += q.off
	return &q.blocks[i/blockSize][i%blockSize]
}

func (q *queue) push(m *Mutation, from *pool) {
	i := (q.off + q.n) / blockSize
	if i == len(q.blocks) {
		q.blocks = append(q.blocks, from.get())
	}
	q.blocks[i] = append(q.blocks[i], *m)
	q.n++
}

// drop takes the first n away.
func (q *queue) drop(n int, to *pool) {
	for i := range n {
		*q.at(i) = Mutation{} // what it refers to is let go
	}
	q.off, q.n = q.off+n, q.n-n
	empty := q.off / blockSize
	if q.n == 0 { // of a replica that is quiet, or dead, no block is kept
		empty, q.off = len(q.blocks), 0
	}
	for _, b := range q.blocks[:empty] {
		*to = append(*to, b[:0])
	}
	q.blocks = slices.Delete(q.blocks, 0, empty)
	q.off %= blockSize
}

package crdt

import (
	"slices"

	"parking/lot"
)

// A Trace is what a document knows of one entry or exit of a plate.
type Trace struct {
	Mutation // where it is not Told: its dot, and that it was an entry

	Told bool  // the mutation itself is known, not only that it was superseded
	Seen bool  // it came here, by itself or in a state
	Live bool  // its value is in the lot
	By   []Dot // what superseded it, as far as that is known
}

// Traces returns what is known of the entries and exits of a plate, by rank: the
// last that is live is the one that wins. whole reports whether that is all that
// was seen of the plate; it is not where mutations were seen that the log has
// lost, or that came by a state. It looks through the whole log.
func (d *Document) Traces(p lot.Plate) (all []Trace, whole bool) {
	at := make(map[Dot]int) // in all
	add := func(t Trace) {
		if _, ok := at[t.Dot]; !ok {
			at[t.Dot] = len(all)
			all = append(all, t)
		}
	}
	var nameless []*Mutation // exits that came before the entry that tells their plate
	d.log.each(func(m *Mutation) {
		switch {
		case m.Kind == Register:
		case m.Plate == p:
			add(Trace{Mutation: *m, Told: true, Seen: true, Live: d.entries.find(m.Dot) != 0})
		case m.Plate == "":
			nameless = append(nameless, m)
		}
	})
	for n := d.entries.first(p); n != 0; n = d.entries.following(n, p) {
		add(Trace{Mutation: d.entries.mutation(n, d.entries.at(n)), Told: true, Seen: true, Live: true})
	}
	for i := 0; i < len(all); i++ { // all grows
		for _, s := range all[i].Supersedes {
			add(Trace{Mutation: Mutation{Dot: s, Kind: Entry, Plate: p}, Seen: d.seen.Contains(s)})
		}
		if i < len(all)-1 {
			continue
		}
		nameless = slices.DeleteFunc(nameless, func(m *Mutation) bool {
			ours := slices.ContainsFunc(m.Supersedes, func(s Dot) bool { _, ok := at[s]; return ok })
			if ours {
				add(Trace{Mutation: *m, Told: true, Seen: true})
				all[at[m.Dot]].Plate = p
			}
			return ours
		})
	}
	for _, t := range all {
		for _, s := range t.Supersedes {
			by := &all[at[s]].By
			*by = append(*by, t.Dot)
		}
	}
	rank(all, at)
	return all, d.log.whole(d.seen)
}

// rank sorts traces, which stand at those places; one that is not told stands
// before what superseded it.
func rank(all []Trace, at map[Dot]int) {
	stamps := make(map[Dot]Stamp, len(all))
	for _, t := range all {
		stamps[t.Dot] = t.Stamp
		for i, by := range t.By {
			if s := all[at[by]].Stamp; !t.Told && (i == 0 || s <= stamps[t.Dot]) {
				stamps[t.Dot] = max(s, 1) - 1
			}
		}
	}
	slices.SortFunc(all, func(a, b Trace) int {
		return compareRank(stamps[a.Dot], a.Dot, stamps[b.Dot], b.Dot)
	})
	for _, t := range all {
		slices.SortFunc(t.By, func(a, b Dot) int { return compareRank(stamps[a], a, stamps[b], b) })
	}
}

// PlatesOf returns the plates of the entries with those dots, as far as they are
// known here: live, or still in the log, or superseded by what is. It looks
// through the whole log.
func (d *Document) PlatesOf(dots []Dot) map[Dot]lot.Plate {
	plates := make(map[Dot]lot.Plate, len(dots))
	for _, dot := range dots {
		plates[dot] = ""
		if n := d.entries.find(dot); n != 0 {
			plates[dot] = d.entries.plate(n)
		}
	}
	if len(dots) == 0 {
		return plates
	}
	d.log.each(func(m *Mutation) {
		if m.Kind == Register || m.Plate == "" {
			return
		}
		if _, asked := plates[m.Dot]; asked {
			plates[m.Dot] = m.Plate
		}
		for _, s := range m.Supersedes {
			if _, asked := plates[s]; asked {
				plates[s] = m.Plate
			}
		}
	})
	return plates
}

// Supersession returns for each of those dots the mutation that superseded it, as
// far as the log has it. It looks through the whole log.
func (d *Document) Supersession(dots []Dot) map[Dot]Mutation {
	by := make(map[Dot]Mutation, len(dots))
	if len(dots) == 0 {
		return by
	}
	asked := make(dotSet)
	for _, dot := range dots {
		asked.add(dot)
	}
	d.log.each(func(m *Mutation) {
		for _, s := range m.Supersedes {
			if asked.has(s) {
				by[s] = *m
			}
		}
	})
	return by
}

// Exits calls f with each exit that a peer who has seen v lacks, of an entry that it
// has seen, as far as the log has them. It looks through the whole log.
func (d *Document) Exits(v Version, f func(Mutation)) {
	d.log.each(func(m *Mutation) {
		if m.Kind == Exit && !v.Contains(m.Dot) && slices.ContainsFunc(m.Supersedes, v.Contains) {
			f(*m)
		}
	})
}

// each calls f with every mutation in the log, in no order.
func (l *log) each(f func(*Mutation)) {
	for _, r := range l.runs {
		for i := range r.muts.n {
			f(r.muts.at(i))
		}
		for _, m := range r.cloud {
			f(&m)
		}
	}
}

// whole reports whether the log has every mutation that was seen.
func (l *log) whole(seen Version) bool {
	for rep, s := range seen.rows {
		r := l.runs[rep]
		if r == nil || r.first > 1 || uint64(r.muts.n) < s.Max() {
			return false
		}
		for seq := range s.Cloud().Each {
			if _, ok := r.cloud[seq]; !ok {
				return false
			}
		}
	}
	return true
}

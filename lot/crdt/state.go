package crdt

// A State is a whole document as it was, on its way to a peer that deltas cannot
// reach any more. It means something only as a whole.
type State struct {
	Version   Version
	entries   *entries   // live, those that the peer has left out
	registers []Mutation // live, without what they superseded
	early     []Dot      // superseded before they were seen
	held      dotSet     // live too, and known to the peer
	peer      Version    // what that has seen
}

// A Merge counts what joining a state, or a group of mutations, changed.
type Merge struct {
	Added     int // entries that became live
	Removed   int // entries that went
	Registers int // register values that came or went
}

// Changed reports whether anything did.
func (m Merge) Changed() bool { return m != Merge{} }

// State returns the whole document, which may change while the state is read.
func (d *Document) State() *State {
	s := &State{
		Version: d.Version(), entries: d.entries.freeze(),
		registers: make([]Mutation, 0, len(d.keys)), early: make([]Dot, 0, len(d.early)),
	}
	for key, all := range d.registers {
		for _, v := range all {
			s.registers = append(s.registers, Mutation{Dot: v.Dot, Stamp: v.Stamp, Kind: Register, Key: key, Value: v.Value})
		}
	}
	for dot := range d.early {
		s.early = append(s.early, dot)
	}
	return s
}

// For returns the state for a peer that has seen v: on its way, what the peer
// has seen is left out but for the dots of what is live. It is for that peer
// only.
func (s *State) For(v Version) *State {
	s.peer = v
	return s
}

// Len returns how many live values the state carries.
func (s *State) Len() int { return s.entries.count + len(s.registers) }

// JoinState merges a whole document, in one step: commutative, associative and
// idempotent together with Join. A state that was staged is for this document and
// no other, and used up.
func (d *Document) JoinState(s *State) Merge {
	var m Merge
	d.clear(s, &m)
	for i := range s.registers {
		if v := &s.registers[i]; d.isNew(s, v.Dot) {
			d.clock.see(v.Stamp)
			d.put(v)
			m.Registers++
		}
	}
	if s.entries.indexed() && s.entries.count > d.entries.count {
		m.Added = d.adopt(s)
	} else {
		for n, r := range s.entries.all {
			d.clock.see(r.stamp)
			if dot := s.entries.dot(r); d.isNew(s, dot) {
				d.entries.add(dot, r.stamp, r.wall, s.entries.plate(n), r.gate())
				m.Added++
			}
		}
	}
	for _, dot := range s.early {
		if _, ok := d.early[dot]; !ok && !d.seen.Contains(dot) {
			d.early[dot] = struct{}{}
			d.live.add(fact(tagEarly, dot))
		}
	}
	d.seen.union(s.Version)
	d.seenHash = d.seen.hash()
	for dot := range d.early {
		if d.seen.Contains(dot) {
			delete(d.early, dot)
			d.live.remove(fact(tagEarly, dot))
		}
	}
	for rep := range s.Version.rows {
		d.log.reset(rep, d.seen.Max(rep))
	}
	return m
}

// isNew reports whether a value that the state holds was never seen here nor
// removed early.
func (d *Document) isNew(s *State, dot Dot) bool {
	if len(d.early) > 0 {
		if _, removed := d.early[dot]; removed {
			return false
		}
	}
	return !d.seen.Contains(dot) && s.Version.Contains(dot)
}

// clear removes what the state's sender has seen and holds no more.
func (d *Document) clear(s *State, m *Merge) {
	holds := s.holds()
	early := make(dotSet)
	for _, dot := range s.early {
		early.add(dot)
	}
	gone := func(dot Dot) bool {
		return early.has(dot) || s.Version.Contains(dot) && !holds(dot) && !s.held.has(dot)
	}
	for n, r := range d.entries.all {
		if gone(d.entries.dot(r)) {
			d.entries.remove(n)
			m.Removed++
		}
	}
	for dot, key := range d.keys {
		if gone(dot) {
			d.dropSibling(key, dot)
			m.Registers++
		}
	}
}

// holds returns a function that reports whether the state carries the value of
// a dot.
func (s *State) holds() func(Dot) bool {
	others := make(dotSet)
	for i := range s.registers {
		others.add(s.registers[i].Dot)
	}
	if s.entries.indexed() {
		return func(dot Dot) bool { return s.entries.find(dot) != 0 || others.has(dot) }
	}
	for _, r := range s.entries.all {
		others.add(s.entries.dot(r))
	}
	return others.has
}

// adopt makes the state's entries the document's own, whose few join them, and
// returns how many are new.
func (d *Document) adopt(s *State) (added int) {
	ours, theirs := d.entries, s.entries
	for n, r := range theirs.all {
		d.clock.see(r.stamp)
		switch dot := theirs.dot(r); {
		case d.isNew(s, dot):
			added++
		case ours.find(dot) == 0:
			theirs.remove(n)
		}
	}
	for n, r := range ours.all {
		if dot := ours.dot(r); theirs.find(dot) == 0 {
			theirs.add(dot, r.stamp, r.wall, ours.plate(n), r.gate())
		}
	}
	d.entries, s.entries = theirs, newEntries()
	return added
}

// Own returns what a peer that has seen v lacks of this replica's own mutations.
// It reports false where the log does not reach back that far.
func (d *Document) Own(v Version) (delta []Mutation, reaches bool) {
	return d.log.since(d.self, d.seen.rows[d.self], v.rows[d.self], d.log.cap, nil)
}

// Since returns what a peer that has seen v lacks: the mutations themselves
// where the log reaches back that far for every replica and they are not many
// more than the lot holds, else the state for that peer. Both are nil if nothing
// lacks.
func (d *Document) Since(v Version) (delta []Mutation, state *State) {
	limit := 2*(d.entries.count+len(d.keys)) + 1024
	for rep := range d.seen.Replicas() {
		var ok bool
		if delta, ok = d.log.since(rep, d.seen.rows[rep], v.rows[rep], limit, delta); !ok {
			return nil, d.State().For(v)
		}
	}
	return delta, nil
}

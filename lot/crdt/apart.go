package crdt

// A Side is one of two replicas that are compared.
type Side bool

// The sides, as seen from the replica whose State is compared.
const (
	Here  Side = true
	There Side = false
)

// Apart compares what is live here with what is live at a peer, by the state that
// the peer sent for what was seen here. It calls each with what one side has and
// the other lacks: the entries and register values that only one has seen, and,
// for those that both have seen and one has no more, an Exit that supersedes the
// entry and tells no more than that. Neither state is changed. Where the peer sent
// no state but its version, so that what is live there is not known, just what
// was never seen there is told, of this side.
func (s *State) Apart(theirs *State, each func(Side, Mutation)) {
	values := theirs.entries != nil
	held := func(Dot) bool { return true }
	if values {
		held = theirs.holds()
	}
	ours := make(dotSet)
	look := func(m Mutation) {
		ours.add(m.Dot)
		switch {
		case !theirs.Version.Contains(m.Dot):
			each(Here, m)
		case m.Kind == Entry && !held(m.Dot) && !theirs.held.has(m.Dot):
			each(There, Mutation{Kind: Exit, Plate: m.Plate, Supersedes: []Dot{m.Dot}})
		}
	}
	for n, r := range s.entries.all {
		look(s.entries.mutation(n, r))
	}
	for _, m := range s.registers {
		look(m)
	}
	if !values {
		return
	}
	unseen := func(m Mutation) {
		if !s.Version.Contains(m.Dot) {
			each(There, m)
		} else if m.Kind == Entry && !ours.has(m.Dot) {
			each(Here, Mutation{Kind: Exit, Plate: m.Plate, Supersedes: []Dot{m.Dot}})
		}
	}
	for n, r := range theirs.entries.all {
		unseen(theirs.entries.mutation(n, r))
	}
	for _, m := range theirs.registers {
		unseen(m)
	}
	for dot := range theirs.held.all {
		if !ours.has(dot) {
			each(Here, Mutation{Kind: Exit, Supersedes: []Dot{dot}})
		}
	}
}

// mutation returns the record as the mutation that made it, without what that
// superseded.
func (e *entries) mutation(n uint32, r *record) Mutation {
	return Mutation{Dot: e.dot(r), Stamp: r.stamp, Kind: Entry, Plate: e.plate(n), Gate: r.gate(), Wall: r.wall}
}

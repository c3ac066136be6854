package lot

import "time"

// An Entry is one record of a vehicle having come in.
type Entry struct {
	Gate  GateID    // the gate it came by
	Node  string    // the node whose replica recorded it
	Since time.Time // that node's wall time, to the millisecond
}

// A Vehicle is a plate in the lot. Concurrent entries of one plate all stay
// until an exit: the winner is the vehicle's Entry, the others its Conflicts.
type Vehicle struct {
	Plate Plate
	Entry
	Conflicts []Entry // without the winner; empty for almost every vehicle
}

// Spaces tells how full a lot is.
type Spaces struct {
	Total int // the setting
	Taken int // plates in the lot, each counted once
}

// Free returns the number of free spaces, never a negative one.
func (s Spaces) Free() int { return max(0, s.Total-s.Taken) }

// Over returns by how many vehicles the lot is overbooked, or 0.
func (s Spaces) Over() int { return max(0, s.Taken-s.Total) }

// CheckAdmit refuses (code Full) one more vehicle in a full lot.
func (s Spaces) CheckAdmit() error {
	if s.Free() > 0 {
		return nil
	}
	return Refuse(Full, "the lot is full: %d of %d spaces are taken; try again after an exit, or set spaces to more", s.Taken, s.Total)
}

// AlreadyIn is the refusal (code Present), at the time now, of an entry of a
// vehicle that is in the lot.
func AlreadyIn(v Vehicle, now time.Time) error {
	since, layout := v.Since.Local(), time.TimeOnly
	if since.Format(time.DateOnly) != now.Local().Format(time.DateOnly) {
		layout = time.DateTime
	}
	return Refuse(Present, "%s is already in the lot (gate %d on %s, since %s)",
		v.Plate, v.Gate, v.Node, since.Format(layout))
}

// NotInLot is the refusal (code Absent) of an exit of a plate that is not in
// the lot.
func NotInLot(p Plate) error {
	return Refuse(Absent, "%s is not in the lot; read lists the vehicles", p)
}

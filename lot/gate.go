package lot

// MaxGates bounds the number of gates a lot may have.
const MaxGates = 256

// MaxSpaces bounds the number of spaces a lot may have.
const MaxSpaces = 100_000_000

// A GateID is a gate's number, from 1 on.
type GateID int

// CheckGate refuses (code Range) a gate that a lot with that many gates does
// not have.
func CheckGate(g GateID, gates int) error {
	if g < 1 || int(g) > gates {
		if gates == 1 {
			return Refuse(Range, "gate %d: this lot has gate 1 only", g)
		}
		return Refuse(Range, "gate %d: this lot has gates 1-%d", g, gates)
	}
	return nil
}

// CheckGates refuses (code Range) a number of gates that no lot may have.
func CheckGates(n int) error {
	if n < 1 || n > MaxGates {
		return Refuse(Range, "gates %d: a lot has 1 to %d gates", n, MaxGates)
	}
	return nil
}

// CheckSpaces refuses (code Range) a number of spaces that no lot may have.
func CheckSpaces(n int) error {
	if n < 1 || n > MaxSpaces {
		return Refuse(Range, "spaces %d: a lot has 1 to %d spaces", n, MaxSpaces)
	}
	return nil
}

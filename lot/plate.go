package lot

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxPlate is the length of the longest plate, in characters.
const MaxPlate = 16

// A Plate identifies a vehicle: 1 to 16 printable characters without blanks
// at either end. Case is kept and significant.
type Plate string

// ParsePlate trims blanks from both ends of s and returns it as a plate. The
// error is a refusal with code Usage.
func ParsePlate(s string) (Plate, error) {
	p := Plate(strings.TrimSpace(s))
	if err := p.check(); err != nil {
		return "", err
	}
	return p, nil
}

// Valid reports whether p is what ParsePlate returns; a plate from the
// network is not until this said so.
func (p Plate) Valid() bool {
	return p.plain() || p.check() == nil && strings.TrimSpace(string(p)) == string(p)
}

// plain reports whether p is valid and ASCII, as almost all are: the quick way.
func (p Plate) plain() bool {
	if p == "" || len(p) > MaxPlate || p[0] == ' ' || p[len(p)-1] == ' ' {
		return false
	}
	for i := range len(p) {
		if p[i] < ' ' || p[i] > '~' {
			return false
		}
	}
	return true
}

func (p Plate) check() error {
	if p == "" {
		return Refuse(Usage, "the plate is empty; it has 1 to %d printable characters", MaxPlate)
	}
	if !utf8.ValidString(string(p)) {
		return Refuse(Usage, "the plate is not valid UTF-8; it has 1 to %d printable characters", MaxPlate)
	}
	if n := utf8.RuneCountInString(string(p)); n > MaxPlate {
		return Refuse(Usage, "the plate has %d characters; it may have %d at most", n, MaxPlate)
	}
	for _, r := range string(p) {
		if !unicode.IsPrint(r) {
			return Refuse(Usage, "the plate has the unprintable character %U; it has 1 to %d printable ones", r, MaxPlate)
		}
	}
	return nil
}

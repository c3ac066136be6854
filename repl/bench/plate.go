package bench

import (
	"strconv"
	"strings"

	"parking/lot"
)

// The plates of a bench are a prefix and a number to the base 36, padded with
// zeros, so that both ends know them by their numbers.
const (
	digits    = 6
	maxNumber = 36 * 36 * 36 * 36 * 36 * 36
)

func plate(prefix string, number uint64) lot.Plate {
	n := strconv.FormatUint(number, 36)
	return lot.Plate(prefix + strings.Repeat("0", max(0, digits-len(n))) + n)
}

// numbered returns the number of a plate with that prefix, if it is one.
func numbered(p lot.Plate, prefix string) (number uint64, ok bool) {
	n, ok := strings.CutPrefix(string(p), prefix)
	if !ok || len(n) != digits {
		return 0, false
	}
	number, err := strconv.ParseUint(n, 36, 64)
	return number, err == nil && plate(prefix, number) == p
}

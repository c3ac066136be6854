package bench

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ParseCount reads a whole number that may end in k or M, as in 100k.
func ParseCount(s string) (int, error) {
	digits, times := s, 1
	for suffix, factor := range map[string]int{"k": 1e3, "M": 1e6} {
		if cut, ok := strings.CutSuffix(s, suffix); ok {
			digits, times = cut, factor
		}
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 || n > math.MaxInt32/times || digits[0] == '+' || digits[0] == '-' {
		return 0, fmt.Errorf("%.40q is not a number such as 300, 100k or 1M", s)
	}
	return n * times, nil
}

// ParseCounts reads numbers with commas between them.
func ParseCounts(s string) (all []int, err error) {
	for word := range strings.SplitSeq(s, ",") {
		n, err := ParseCount(strings.TrimSpace(word))
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}

// count renders a number as ParseCount reads it, or plainly.
func count(n int) string {
	switch {
	case n >= 1e6 && n%1e5 == 0:
		return strconv.FormatFloat(float64(n)/1e6, 'f', -1, 64) + "M"
	case n >= 1e3 && n%1e2 == 0:
		return strconv.FormatFloat(float64(n)/1e3, 'f', -1, 64) + "k"
	}
	return strconv.Itoa(n)
}

// prefixes are those of the SI that measurements here need.
var prefixes = []struct {
	factor float64
	letter string
}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""}, {1e-3, "m"}, {1e-6, "µ"}, {1e-9, "n"}}

// quantity renders v with three digits that count and an SI prefix: 6.13 ms.
func quantity(v float64, unit string) string {
	factor, letter := scale(v, unit)
	number := significant(v / factor)
	if len(unit) > 3 { // a word
		return number + letter + " " + unit
	}
	return strings.TrimRight(number+" "+letter+unit, " ")
}

// scale returns the SI prefix that fits v. Of units other than seconds there
// are no small parts, and of seconds and percents no multiples.
func scale(v float64, unit string) (factor float64, letter string) {
	factor = 1
	if v == 0 {
		return factor, letter
	}
	for _, p := range prefixes {
		if p.factor > 1 && (unit == "%" || unit == "s") || p.factor < 1 && unit != "s" {
			continue
		}
		factor, letter = p.factor, p.letter
		if math.Abs(v) >= p.factor*0.9995 {
			break
		}
	}
	return factor, letter
}

// significant renders v with three digits that count, and no more than two
// behind the point.
func significant(v float64) string {
	decimals := 2
	for limit := 9.995; decimals > 0 && math.Abs(v) >= limit; limit *= 10 {
		decimals--
	}
	if v == math.Trunc(v) && math.Abs(v) < 1000 {
		decimals = 0
	}
	return strconv.FormatFloat(v, 'f', decimals, 64)
}

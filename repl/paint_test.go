package repl

import (
	"math"
	"testing"
)

// luminance is a colour's, as WCAG 2 has it, of the cube that 16 to 231 are, or
// of the greys above.
func luminance(c Color) float64 {
	linear := func(v int) float64 {
		s := float64(v) / 255
		if s <= 0.03928 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	if c >= 232 {
		return linear(8 + 10*int(c-232))
	}
	levels := [...]int{0, 95, 135, 175, 215, 255}
	n := int(c - 16)
	return 0.2126*linear(levels[n/36]) + 0.7152*linear(levels[n/6%6]) + 0.0722*linear(levels[n%6])
}

func TestColoursAreReadableOnLightAndOnDark(t *testing.T) {
	seen := map[Color]bool{}
	for _, c := range append([]Color{green, amber, red, Grey}, nodeColors...) {
		if seen[c] {
			t.Errorf("%d has two meanings", c)
		}
		seen[c] = true
		l := luminance(c)
		if white, black := 1.05/(l+0.05), (l+0.05)/0.05; min(white, black) < 4 {
			t.Errorf("%d has a contrast of %.1f on white and %.1f on black", c, white, black)
		}
	}
}

// Nodes that are often seen together can be told apart.
func TestNodesHaveColoursOfTheirOwn(t *testing.T) {
	seen := map[Color]string{}
	for _, name := range []string{"larry", "gary", "harry", "moe", "curly"} {
		if c := NodeColor(name); seen[c] != "" || c != NodeColor(name) {
			t.Errorf("%s has the colour of %s", name, seen[c])
		}
		seen[NodeColor(name)] = name
	}
}

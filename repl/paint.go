package repl

import (
	"hash/fnv"

	"github.com/fatih/color"
)

// A Color is one of the terminal's 256, by number. The first 16 are left alone:
// every terminal has its own idea of them, and yellow or blue is unreadable on
// one background or the other. Those used here have a contrast (WCAG 2) of at
// least 4 to 1 against both black and white.
type Color int

// The colours that carry a meaning. It is told in words beside them.
const (
	green Color = 28  // joined, converged, done
	amber Color = 130 // leaving, split, a warning
	red   Color = 161 // failed
	Grey  Color = 243 // of less importance
)

// nodeColors are far from each other, and from those that carry a meaning.
var nodeColors = []Color{64, 164, 27, 30, 98, 132}

// NodeColor returns the colour of a node, the same everywhere.
func NodeColor(name string) Color {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return nodeColors[h.Sum32()%uint32(len(nodeColors))]
}

// Paint returns text in that colour.
func (c Color) Paint(text string) string {
	p := color.New(38, 5, color.Attribute(c))
	p.EnableColor() // the terminal decided, not this process's own
	return p.Sprint(text)
}

// painter colours text for one terminal, or leaves it as it is.
type painter struct{ on bool }

func (p painter) paint(s string, c Color) string {
	if !p.on || s == "" {
		return s
	}
	return c.Paint(s)
}

func (p painter) good(s string) string { return p.paint(s, green) }
func (p painter) warn(s string) string { return p.paint(s, amber) }
func (p painter) bad(s string) string  { return p.paint(s, red) }
func (p painter) dim(s string) string  { return p.paint(s, Grey) }

func (p painter) node(name string) string { return p.paint(name, NodeColor(name)) }

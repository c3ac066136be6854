package repl

import (
	"hash/fnv"

	"github.com/fatih/color"
)

// painter colours text for one terminal. Colour repeats what the words say.
type painter struct{ on bool }

func (p painter) paint(s string, attrs ...color.Attribute) string {
	if !p.on || s == "" {
		return s
	}
	c := color.New(attrs...)
	c.EnableColor() // the terminal decided, not this process's own
	return c.Sprint(s)
}

func (p painter) good(s string) string { return p.paint(s, color.FgGreen) }
func (p painter) warn(s string) string { return p.paint(s, color.FgYellow) }
func (p painter) bad(s string) string  { return p.paint(s, color.FgRed) }
func (p painter) dim(s string) string  { return p.paint(s, color.Faint) }

// nodeColors leave out what carries another meaning, and what is unreadable on
// light or on dark.
var nodeColors = []color.Attribute{color.FgCyan, color.FgMagenta, color.FgBlue}

// NodeColor returns the colour of a node, the same everywhere.
func NodeColor(name string) color.Attribute {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return nodeColors[h.Sum32()%uint32(len(nodeColors))]
}

func (p painter) node(name string) string { return p.paint(name, NodeColor(name)) }

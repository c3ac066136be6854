package session

import (
	"github.com/fatih/color"

	"parking/repl"
)

// painter colours a transcript. Colour repeats what the words say.
type painter struct{ on bool }

func (p painter) prose(s string) string {
	if !p.on || s == "" {
		return s
	}
	c := color.New(color.Bold)
	c.EnableColor() // the caller decided, not this process's own terminal
	return c.Sprint(s)
}

func (p painter) dim(s string) string { return p.paint(s, repl.Grey) }

// node paints text that is about a node.
func (p painter) node(name, text string) string { return p.paint(text, repl.NodeColor(name)) }

func (p painter) paint(s string, c repl.Color) string {
	if !p.on || s == "" {
		return s
	}
	return c.Paint(s)
}

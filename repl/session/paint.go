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

// node paints text that is about a node.
func (p painter) node(name, text string) string {
	if !p.on || text == "" {
		return text
	}
	return repl.NodeColor(name).Paint(text)
}

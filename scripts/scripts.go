// Package scripts holds the scripted sessions that come with the program; see
// parking/repl/session for their language.
package scripts

import (
	"embed"
	"io/fs"
	"strings"
)

// Ext is what the names of files with a session end in.
const Ext = ".park"

//go:embed *.park
var files embed.FS

// Names returns the names of the sessions, sorted: those of their files
// without Ext.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // an embedded directory can be read
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), Ext))
	}
	return names
}

// Open opens the session of that name. The error is fs.ErrNotExist if there is
// none.
func Open(name string) (fs.File, error) { return files.Open(name + Ext) }

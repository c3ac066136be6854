package main

import "strings"

// A found is a setting as load has found it: its value, and where.
type found struct {
	value any // a string, an int, a bool or a []string, as its flag's
	from  source
}

// A source is where a setting comes from.
type source struct {
	layer layer
	name  string // the file's path, the variable or the flag
}

// A layer is one of the places that settings come from; the later rule over
// the earlier.
type layer int

const (
	byDefault layer = iota
	byFile
	byEnvironment
	byFlag
)

// String reads "default", "file lot.yaml", "env PARKING_SPACES" or "flag
// --spaces".
func (s source) String() string {
	return strings.TrimSpace([...]string{"default", "file", "env", "flag"}[s.layer] + " " + s.name)
}

// remark tells in an error where what is wrong comes from: nothing if it was
// typed just now.
func (s source) remark() string {
	if s.layer == byFile || s.layer == byEnvironment {
		return " (" + s.String() + ")"
	}
	return ""
}

// given reports whether somebody chose the setting of that name.
func (s *settings) given(name string) bool { return s.found[name].from.layer != byDefault }

// typed reports whether it was chosen on the command line.
func (s *settings) typed(name string) bool { return s.found[name].from.layer == byFlag }

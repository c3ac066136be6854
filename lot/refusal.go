package lot

import (
	"errors"
	"fmt"
)

// A Code says why a request was not carried out. It is an error itself, so
// that errors.Is(err, lot.Full) holds for every refusal with that code,
// wrapped or not.
type Code string

// The codes, as they stand in the JSON of a failed command.
const (
	Full        Code = "full"        // no free space
	Present     Code = "present"     // the plate is in the lot already
	Absent      Code = "absent"      // the plate is not in the lot
	Range       Code = "range"       // no such gate, or a number out of bounds
	Unreachable Code = "unreachable" // nobody there to ask; nothing was changed
	Unknown     Code = "unknown"     // asked, but the outcome cannot be known
	Timeout     Code = "timeout"     // a condition did not hold in time
	Usage       Code = "usage"       // the request itself was wrong
	Refused     Code = "refused"     // understood, and declined
	Broken      Code = "broken"      // of a verdict: a promise was not kept
)

// Error makes a Code an error of its own.
func (c Code) Error() string { return "lot: " + string(c) }

// A Refusal is a request that was not carried out, told to whoever made it: a
// code for programs and one line for people. It changed nothing, unless its
// code is Unknown.
type Refusal struct {
	Code Code
	Text string // one line: what was wrong, and what would be right
}

// Refuse returns a *Refusal as an error.
func Refuse(c Code, format string, args ...any) error {
	return &Refusal{Code: c, Text: fmt.Sprintf(format, args...)}
}

func (r *Refusal) Error() string { return r.Text }

// Unwrap returns the refusal's code, so that errors.Is finds it.
func (r *Refusal) Unwrap() error { return r.Code }

// CodeOf returns the code of the refusal in err's chain, or Refused when
// there is none.
func CodeOf(err error) Code {
	var c Code
	if errors.As(err, &c) {
		return c
	}
	return Refused
}

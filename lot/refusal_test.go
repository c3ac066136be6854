package lot

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"
)

func TestRefusalsReadAndCompare(t *testing.T) {
	since := time.Date(2026, 3, 1, 8, 30, 15, 0, time.Local)
	curly := Vehicle{Plate: "100%d", Entry: Entry{Gate: 3, Node: "curly", Since: since.UTC()}}
	for _, tc := range []struct {
		err  error
		code Code
		text string
	}{
		{AlreadyIn(curly, since.Add(time.Hour)), Present, "100%d is already in the lot (gate 3 on curly, since 08:30:15)"},
		{AlreadyIn(curly, since.Add(24*time.Hour)), Present, "100%d is already in the lot (gate 3 on curly, since 2026-03-01 08:30:15)"},
		{NotInLot("100%d"), Absent, "100%d is not in the lot; read lists the vehicles"},
		{Spaces{Total: 10, Taken: 10}.CheckAdmit(), Full, "the lot is full: 10 of 10 spaces are taken; try again after an exit, or set spaces to more"},
		{Spaces{Total: 10, Taken: 12}.CheckAdmit(), Full, "the lot is full: 12 of 10 spaces are taken; try again after an exit, or set spaces to more"},
		{Refuse(Unreachable, "gate %d", 4), Unreachable, "gate 4"},
	} {
		for _, err := range []error{tc.err, fmt.Errorf("enter: %w", tc.err), errors.Join(io.EOF, tc.err)} {
			if CodeOf(err) != tc.code || !errors.Is(err, tc.code) {
				t.Errorf("%v: code %s, not %s", err, CodeOf(err), tc.code)
			}
			var r *Refusal
			if !errors.As(err, &r) || r.Text != tc.text || r.Error() != tc.text {
				t.Errorf("%v, not %q", err, tc.text)
			}
		}
		for _, other := range []Code{Full, Present, Absent, Range, Unreachable, Unknown, Timeout, Usage, Refused} {
			if other != tc.code && errors.Is(tc.err, other) {
				t.Errorf("%v is %s as well", tc.err, other)
			}
		}
	}
}

// Programs read the codes: they never change.
func TestCodesAsProgramsReadThem(t *testing.T) {
	for code, want := range map[Code]string{
		Full: "full", Present: "present", Absent: "absent", Range: "range", Unreachable: "unreachable",
		Unknown: "unknown", Timeout: "timeout", Usage: "usage", Refused: "refused",
	} {
		if string(code) != want || code.Error() != "lot: "+want {
			t.Errorf("%q, %q, not %q", string(code), code.Error(), want)
		}
	}
}

func TestErrorWithoutACodeCountsAsRefused(t *testing.T) {
	if got := CodeOf(io.EOF); got != Refused {
		t.Errorf("%s", got)
	}
	if got := CodeOf(fmt.Errorf("late: %w", Timeout)); got != Timeout {
		t.Errorf("a bare code: %s", got)
	}
}

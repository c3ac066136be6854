package cookie

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
)

// Retired is the protocol (ALPN) of a connection to a node where the dialler's
// cookie was rotated away: one [Retirement] comes by it, and then its end.
const Retired = "parking-retired/1"

// A Retirement says since when a cookie is accepted no more, and at which node
// that was ordered. As an error it is what the holder of such a cookie ends with
// that dials a node which has another; errors.As finds it.
type Retirement struct {
	At time.Time // by the clock of who tells it
	By string
}

// Error is one line that says what to do.
func (r *Retirement) Error() string {
	return fmt.Sprintf("the cluster's cookie was rotated at %s, at %s; give this node the new one: in its cookie file, by --cookie, or by cookie accept FILE at its prompt",
		r.At.UTC().Format(time.RFC3339), r.By)
}

// maxRetirement bounds a retirement as it is sent, in bytes.
const maxRetirement = 128

var retirement = regexp.MustCompile(`^([0-9TZ:-]{20}) ([a-z0-9-]{1,32})\n$`)

// WriteRetirement sends a retirement. It blocks for the connection's time.
func WriteRetirement(w io.Writer, r Retirement) error {
	_, err := fmt.Fprintf(w, "%s %s\n", r.At.UTC().Format(time.RFC3339), r.By)
	return err
}

// ReadRetirement reads one, up to the end of r, and trusts nothing of it. It
// blocks for the connection's time.
func ReadRetirement(r io.Reader) (*Retirement, error) {
	var b strings.Builder
	if _, err := io.Copy(&b, io.LimitReader(r, maxRetirement)); err != nil && b.Len() == 0 {
		return nil, fmt.Errorf("cookie: why it was retired: %w", err)
	}
	m := retirement.FindStringSubmatch(b.String())
	if m == nil {
		return nil, fmt.Errorf("%w: %.40q does not say why it was retired", ErrCookie, b.String())
	}
	at, err := time.Parse(time.RFC3339, m[1])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCookie, err)
	}
	return &Retirement{At: at, By: m[2]}, nil
}

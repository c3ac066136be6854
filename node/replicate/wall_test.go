package replicate

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// The cheap wall clock tells what the dear one does, whatever time passes between two
// looks at it.
func TestTheWallClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w wall
		for range 10_000 {
			time.Sleep(time.Duration(rand.Int64N(int64([]time.Duration{50 * time.Microsecond, 3 * time.Millisecond, 3 * time.Second}[rand.IntN(3)]))))
			if got, want := w.millis(), time.Now().UnixMilli(); got != want {
				t.Fatalf("%d, want %d, at %v", got, want, time.Now())
			}
		}
	})
}

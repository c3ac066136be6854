package cookie

import (
	"fmt"
	"io"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain lets the test binary play a process that loads a cookie file as
// soon as its standard input ends.
func TestMain(m *testing.M) {
	if path := os.Getenv("COOKIE_TEST_LOAD"); path != "" {
		io.Copy(io.Discard, os.Stdin)
		cookie, made, err := Load(path)
		fmt.Println(cookie, made, err)
		return
	}
	goleak.VerifyTestMain(m)
}

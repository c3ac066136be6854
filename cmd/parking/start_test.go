package main

import (
	"strings"
	"testing"
)

func TestAGreetingStaysShort(t *testing.T) {
	names := strings.Fields("a b c d e f g h i j")
	for n, want := range map[int]string{1: "a", 8: "a b c d e f g h", 10: "a b c d e f g h and 2 more"} {
		if got := enumerate(names[:n]); got != want {
			t.Errorf("%d names read %q, not %q", n, got, want)
		}
	}
}

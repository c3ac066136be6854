package scripts_test

import (
	"html"
	"os"
	"regexp"
	"strings"
	"testing"
)

// The README's picture is of the session glance, as it is now. It is drawn by
//
//	parking demo glance --verbose --record docs/glance.svg
func TestThePictureIsOfTheSession(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../docs/glance.svg")
	if err != nil {
		t.Fatal(err)
	}
	picture := html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(string(b), ""))
	for line := range strings.Lines(text(t, "glance")) {
		step := strings.TrimPrefix(strings.TrimRight(line, "\n"), "# ")
		if step == "" || step[0] == ' ' { // an expectation
			continue
		}
		var found bool
		if _, picture, found = strings.Cut(picture, step+"\n"); !found {
			t.Fatalf("the picture lacks %q, or has it elsewhere", step)
		}
	}
	if !strings.Contains(picture, ", ok\n") {
		t.Error("the session in the picture has failed")
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil || !strings.Contains(string(readme), "(docs/glance.svg)") {
		t.Errorf("the README does not show the picture, %v", err)
	}
}

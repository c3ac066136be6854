package scripts_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// header is what stands before a patch: its name, a sentence that says what the
// bug is, and the tests that are tried first.
var header = regexp.MustCompile(`^name: ([a-z-]+)\nwhat: [A-Z].*\.\ntests: ([a-z/]+)( \S+)?\n\n--- a/`)

// The bugs that scripts/mutants/run plants still fit the program.
func TestMutantsApply(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git here to apply patches with")
	}
	patches, err := filepath.Glob("mutants/*.patch")
	if err != nil || len(patches) < 22 {
		t.Fatalf("%d patches: %v", len(patches), err)
	}
	for _, patch := range patches {
		b, err := os.ReadFile(patch)
		if err != nil {
			t.Fatal(err)
		}
		h := header.FindSubmatch(b)
		if h == nil || string(h[1])+".patch" != filepath.Base(patch) {
			t.Errorf("%s: want a header of name, what and tests", patch)
			continue
		}
		if _, err := os.Stat(filepath.Join("..", string(h[2]))); err != nil {
			t.Errorf("%s: %v", patch, err)
		}
		cmd := exec.Command("git", "apply", "--check", "-C1", filepath.Join("scripts", patch))
		cmd.Dir = ".."
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", patch, err, out)
		}
	}
}

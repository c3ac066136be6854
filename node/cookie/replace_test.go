package cookie

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func cookieIn(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "cookie")
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReplace(t *testing.T) {
	path := cookieIn(t, "old")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(Replaceable(link), Replace(link, "old\n", "new\n")); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(link); got != "new" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if is, err := os.Lstat(link); err != nil || is.Mode().Type() != os.ModeSymlink {
		t.Errorf("the link is %v, %v", is.Mode(), err)
	}
	if is, err := os.Stat(path); err != nil || is.Mode() != 0o600 {
		t.Errorf("the file is %v, %v", is.Mode(), err)
	}
	if err := Replace(path, "old", "new"); err != nil {
		t.Errorf("what another node of this host has done already: %v", err)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("%d files are left", len(left))
	}
}

func TestReplaceRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		path, next string
		want       error
	}{
		"a third cookie is there": {cookieIn(t, "third"), "new", ErrFile},
		"no file":                 {filepath.Join(t.TempDir(), "none"), "new", ErrFile},
		"an empty cookie":         {cookieIn(t, "old"), "\n", ErrInvalid},
		"a long cookie":           {cookieIn(t, "old"), strings.Repeat("x", MaxLen+1), ErrInvalid},
	} {
		before, _ := os.ReadFile(tt.path)
		err := Replace(tt.path, "old", tt.next)
		if !errors.Is(err, tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
		if after, _ := os.ReadFile(tt.path); string(after) != string(before) {
			t.Errorf("%s: %q became %q", name, before, after)
		}
	}
	if err := Replaceable(filepath.Join(t.TempDir(), "none")); !errors.Is(err, ErrFile) {
		t.Errorf("%v", err)
	}
}

// Several nodes of a host share the file, and all replace it at once. Whoever
// reads meanwhile finds one or the other.
func TestReplaceTogether(t *testing.T) {
	path := cookieIn(t, "old")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := Replace(path, "old", "new"); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if got, err := Read(path); got != "old" && got != "new" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	wg.Wait()
}

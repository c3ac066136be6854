package discover

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRuntimeDir(t *testing.T) {
	base := runDir(t)
	t.Chdir(base)
	for _, tt := range []struct{ override, xdg, want string }{
		{base + "/over", base + "/xdg", base + "/over"},
		{"relative/./over", "", base + "/relative/over"},
		{"", base + "/xdg", base + "/xdg/parking"},
		{"", "xdg", sharedTemp()},
		{"", "", sharedTemp()},
	} {
		got, err := RuntimeDir(tt.override, tt.xdg)
		if err != nil || got != tt.want {
			t.Errorf("RuntimeDir(%q, %q) = %q, %v, want %q", tt.override, tt.xdg, got, err, tt.want)
		}
	}
	if left, _ := os.ReadDir(base); len(left) != 0 {
		t.Errorf("asking made %v", left)
	}
	dir := filepath.Join(base, "a", "b")
	claim(t, dir, id("larry"))
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the claim made %v, %v, want mode 0700", info.Mode(), err)
	}
}

func TestRuntimeDirThatIsUnusable(t *testing.T) {
	base := t.TempDir()
	file := filepath.Join(base, "file")
	closed := filepath.Join(base, "closed")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Mkdir(closed, 0o500)); err != nil {
		t.Fatal(err)
	}
	unusable := []string{file, file + "/below", "/dev/null", "/proc/self/nothing/here"}
	if os.Getuid() != 0 {
		unusable = append(unusable, closed, closed+"/below")
	}
	for _, dir := range unusable {
		_, err := RuntimeDir(dir, "")
		if err == nil { // it does not exist yet
			_, err = ClaimName(dir, id("larry"))
		}
		if !errors.Is(err, ErrRuntimeDir) || !strings.Contains(err.Error(), "PARKING_RUNTIME_DIR") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line that says what to set", dir, err)
		}
	}
	if _, err := List(file); !errors.Is(err, ErrRuntimeDir) {
		t.Errorf("List of a file: %v", err)
	}
}

// What stands under the well-known path in /tmp must be this user's alone.
func TestPrivateDirectory(t *testing.T) {
	base := t.TempDir()
	at := func(name string) string { return filepath.Join(base, name) }
	if err := errors.Join(
		os.Mkdir(at("good"), 0o700),
		os.Mkdir(at("open"), 0o700), os.Chmod(at("open"), 0o750),
		os.WriteFile(at("file"), nil, 0o700),
		os.Symlink(at("good"), at("link")),
	); err != nil {
		t.Fatal(err)
	}
	if err := inspectPrivate(at("good")); err != nil {
		t.Error(err)
	}
	bad := []string{"open", "file", "link", "absent"}
	if os.Getuid() == 0 {
		if err := errors.Join(os.Mkdir(at("theirs"), 0o700), os.Chown(at("theirs"), 12345, -1)); err != nil {
			t.Fatal(err)
		}
		bad = append(bad, "theirs")
		// A login that kept the environment of another user.
		if got, err := RuntimeDir("", at("theirs")); err != nil || got != sharedTemp() {
			t.Errorf("with another user's XDG_RUNTIME_DIR: %s, %v", got, err)
		}
	}
	for _, name := range bad {
		if err := inspectPrivate(at(name)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

package scripts_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// A release is what .goreleaser.yaml says, as far as this project has something to
// say: an unknown name is a mistake.
type release struct {
	Version     int
	ProjectName string `yaml:"project_name"`
	Before      struct{ Hooks []string }
	Builds      []struct {
		ID, Main, Binary string
		Env, Flags       []string
		Goos, Goarch     []string
		Ldflags          []string
		ModTimestamp     string `yaml:"mod_timestamp"`
	}
	Archives []struct {
		Formats      []string
		NameTemplate string `yaml:"name_template"`
		Files        []string
	}
	Checksum struct {
		NameTemplate string `yaml:"name_template"`
		Algorithm    string
	}
	Changelog struct{ Disable bool }
	Release   struct{ Draft bool }
}

func TestReleases(t *testing.T) {
	t.Parallel()
	var r release
	d := yaml.NewDecoder(strings.NewReader(content(t, ".goreleaser.yaml")))
	d.KnownFields(true)
	if err := d.Decode(&r); err != nil {
		t.Fatal(err)
	}
	if r.Version != 2 || len(r.Builds) != 1 || len(r.Archives) != 1 || r.Checksum.Algorithm != "sha256" {
		t.Fatalf("it reads %+v", r)
	}
	b := r.Builds[0]
	if !slices.Equal(b.Goos, []string{"linux", "darwin"}) || !slices.Equal(b.Goarch, []string{"amd64", "arm64"}) {
		t.Errorf("it builds for %v on %v", b.Goos, b.Goarch)
	}
	if !slices.Contains(b.Env, "CGO_ENABLED=0") || !slices.Contains(b.Flags, "-trimpath") || !slices.Contains(b.Flags, "-buildvcs=true") {
		t.Errorf("it builds with %v %v", b.Env, b.Flags)
	}
	for _, path := range append(r.Archives[0].Files, b.Main) {
		if found, err := filepath.Glob("../" + path); err != nil || len(found) == 0 {
			t.Errorf("it names %s: %v, %v", path, found, err)
		}
	}
}

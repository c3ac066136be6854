package scripts_test

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"parking/node/history"
)

// content returns a file of the project, by its path from the top.
func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile("../" + path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// finalStage returns a Dockerfile's last stage without comments.
func finalStage(t *testing.T, path string) string {
	t.Helper()
	all := content(t, path)
	at := strings.LastIndex(all, "\nFROM ")
	if at < 0 {
		t.Fatalf("%s has one stage", path)
	}
	return regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(all[at+1:], "")
}

// What is tried without a registry is what is built with one.
func TestBothImagesAreTheSame(t *testing.T) {
	t.Parallel()
	built, local := finalStage(t, "Dockerfile"), finalStage(t, "deploy/local.Dockerfile")
	if built != local {
		t.Errorf("the last stage of Dockerfile is\n%s\nthat of deploy/local.Dockerfile\n%s", built, local)
	}
	for _, line := range []string{"FROM scratch\n", "\nUSER 65532:65532\n", "\nENV PARKING_RUNTIME_DIR=/run/parking\n", "\nENTRYPOINT [\"/parking\"]\n", "\nCMD [\"serve\"]\n"} {
		if !strings.Contains(built, line) {
			t.Errorf("the last stage has no %q", line)
		}
	}
	needs := regexp.MustCompile(`(?m)^go ([0-9]+\.[0-9]+)`).FindStringSubmatch(content(t, "go.mod"))[1]
	if !strings.Contains(content(t, "Dockerfile"), " golang:"+needs+" AS build\n") {
		t.Errorf("the Dockerfile does not build with golang:%s, which go.mod asks for", needs)
	}
}

// A file of the repository that is missing in an image's build has Go stamp the
// program as modified; a file that git ignores may be large.
func TestDockerIgnoresWhatGitIgnores(t *testing.T) {
	t.Parallel()
	var want, got []string
	for line := range strings.Lines(content(t, ".gitignore")) {
		line = strings.TrimSuffix(strings.TrimSpace(line), "/")
		if !strings.HasPrefix(line, "/") {
			line = "**/" + line
		}
		want = append(want, line)
	}
	for line := range strings.Lines(content(t, ".dockerignore")) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "#") {
			got = append(got, line)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf(".dockerignore has %q; what .gitignore says is %q", got, want)
	}
}

// A composed is what a service of deploy/compose.yaml may do.
type composed struct {
	ReadOnly    bool `yaml:"read_only"`
	Tmpfs       []string
	CapDrop     []string          `yaml:"cap_drop"`
	SecurityOpt []string          `yaml:"security_opt"`
	MemLimit    string            `yaml:"mem_limit"`
	Environment map[string]string `yaml:"environment"`
}

// size returns the MiB that a setting ends with.
func size(t *testing.T, setting string) int {
	t.Helper()
	m := regexp.MustCompile(`([0-9]+)(m|MiB)$`).FindStringSubmatch(setting)
	if m == nil {
		t.Fatalf("%q is no size", setting)
	}
	n, _ := strconv.Atoi(m[1])
	return n
}

func TestComposedNodesMayDoLittle(t *testing.T) {
	t.Parallel()
	var file struct{ Services map[string]composed }
	if err := yaml.Unmarshal([]byte(content(t, "deploy/compose.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Services) != len(castOfHosts) {
		t.Errorf("there are %d services", len(file.Services))
	}
	for _, name := range castOfHosts {
		s := file.Services[name]
		tmpfs := len(s.Tmpfs) == 1 && strings.HasPrefix(s.Tmpfs[0], "/run/parking:uid=65532,gid=65532,mode=0700")
		if !s.ReadOnly || !tmpfs || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Equal(s.SecurityOpt, []string{"no-new-privileges:true"}) {
			t.Errorf("%s may do more than it has to: %+v", name, s)
		}
		if mib, limit := size(t, s.Tmpfs[0]), size(t, s.MemLimit); mib < 2*history.SegmentSize>>20+8 || limit < mib+size(t, s.Environment["GOMEMLIMIT"])+16 {
			t.Errorf("%s has a runtime directory of %d MiB and memory of %d MiB; a history has two segments of %d MiB", name, mib, limit, history.SegmentSize>>20)
		}
		if s.Environment["PARKING_SNAME"] != name || !strings.HasPrefix(s.Environment["PARKING_COOKIE"], "${PARKING_COOKIE:?") {
			t.Errorf("%s has the environment %q", name, s.Environment)
		}
	}
}

package charttest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	sigsyaml "sigs.k8s.io/yaml"
)

// program returns the path of the program, built of this checkout.
func program(t *testing.T) string {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var (
	programDir string
	built      = sync.OnceValues(func() (string, error) {
		path := filepath.Join(programDir, "parking")
		build := exec.Command("go", "build", "-o", path, "./cmd/parking")
		build.Dir = "../.."
		if out, err := build.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%w\n%s", err, out)
		}
		return path, nil
	})
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "charttest")
	if err != nil {
		panic(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { // pods are other users' processes
		panic(err)
	}
	programDir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// setting is one as the program tells it.
type setting struct {
	Name, Source, Env string
	Value             any
}

// settingsOf asks the program what it makes of a file and of environment.
func settingsOf(t *testing.T, file string, env ...string) (map[string]setting, error) {
	t.Helper()
	c := exec.Command(program(t), "help", "config", "--config", file, "--format", "json")
	c.Env = append([]string{"HOME=" + t.TempDir()}, env...)
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, stderr.String())
	}
	var told struct{ Settings []setting }
	if err := json.Unmarshal(out, &told); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	settings := make(map[string]setting)
	for _, s := range told.Settings {
		settings[s.Name] = s
	}
	return settings, nil
}

// Each setting in the ConfigMap and each variable of the pods is one that the
// program has, and the program accepts what they say.
func TestTheProgramKnowsTheSettings(t *testing.T) {
	eachFile(t, func(t *testing.T, _ map[string]any, objects []runtime.Object) {
		text := one[*core.ConfigMap](t, objects).Data["parking.yaml"]
		file := filepath.Join(t.TempDir(), "parking.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		settings, err := settingsOf(t, file)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		said := make(map[string]any)
		if err := sigsyaml.UnmarshalStrict([]byte(text), &said); err != nil {
			t.Fatal(err)
		}
		for name, value := range said {
			if s := settings[name]; fmt.Sprint(s.Value) != fmt.Sprint(value) || !strings.HasPrefix(s.Source, "file ") {
				t.Errorf("%s is %v by %q, want %v by the file", name, s.Value, s.Source, value)
			}
		}
		variables := map[string]bool{"GOMEMLIMIT": true}
		for _, s := range settings {
			variables[s.Env] = true
		}
		for _, e := range one[*apps.StatefulSet](t, objects).Spec.Template.Spec.Containers[0].Env {
			if !variables[e.Name] {
				t.Errorf("the program reads no %s", e.Name)
			}
		}
	})
}

// The schema's bounds are the program's.
func TestTheSchemaHasTheProgramsBounds(t *testing.T) {
	schema, err := os.ReadFile(chartDir + "/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Properties map[string]struct {
			Minimum, Maximum *int64
			Enum             []string
		}
	}
	if err := json.Unmarshal(schema, &s); err != nil {
		t.Fatal(err)
	}
	accepts := func(name string, value any) bool {
		file := filepath.Join(t.TempDir(), "parking.yaml")
		if err := os.WriteFile(file, fmt.Appendf(nil, "%s: %v\n", name, value), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := settingsOf(t, file)
		return err == nil
	}
	for _, name := range []string{"gates", "spaces", "ack"} {
		p := s.Properties[name]
		if !accepts(name, *p.Minimum) || !accepts(name, *p.Maximum) || accepts(name, *p.Minimum-1) || accepts(name, *p.Maximum+1) {
			t.Errorf("%s: the schema has %d to %d, the program other bounds", name, *p.Minimum, *p.Maximum)
		}
	}
	for _, name := range []string{"push", "profile"} {
		for _, value := range s.Properties[name].Enum {
			if !accepts(name, value) {
				t.Errorf("%s: the program refuses %s", name, value)
			}
		}
	}
}

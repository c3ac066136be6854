// Package charttest checks the Helm chart without a cluster: with Helm's own
// libraries it is linted and rendered, what comes out is decoded strictly into
// Kubernetes' types, and real nodes are started as the pods would be. It is a
// module of its own, so that none of those libraries becomes the program's.
package charttest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	sigsyaml "sigs.k8s.io/yaml"
)

const chartDir = "../chart"

// release is what a chart is rendered for.
type release struct {
	name    string
	values  map[string]any
	upgrade bool
	cluster *rest.Config // nil: as helm template, which has none to look into
}

// render returns the texts that the templates make, by their path in the chart.
func (r release) render() (map[string]string, error) {
	c, err := loader.Load(chartDir)
	if err != nil {
		return nil, err
	}
	options := common.ReleaseOptions{
		Name: r.name, Namespace: namespace, Revision: 1, IsInstall: !r.upgrade, IsUpgrade: r.upgrade,
	}
	values, err := util.ToRenderValues(c, r.values, options, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	texts, err := func() (map[string]string, error) {
		if r.cluster == nil {
			return engine.Render(c, values)
		}
		return engine.RenderWithClient(c, values, r.cluster)
	}()
	if err != nil {
		return nil, err
	}
	short := make(map[string]string)
	for path, text := range texts {
		short[strings.TrimPrefix(path, c.Name()+"/")] = text
	}
	return short, nil
}

const namespace = "garage"

// objects renders the chart and decodes what it makes, strictly: a field that
// Kubernetes does not know is an error, and so is one that stands twice.
func (r release) objects(t *testing.T) []runtime.Object {
	t.Helper()
	texts, err := r.render()
	if err != nil {
		t.Fatal(err)
	}
	var all []runtime.Object
	for _, path := range slices.Sorted(maps.Keys(texts)) {
		if filepath.Ext(path) != ".yaml" {
			continue
		}
		for _, doc := range documents(t, texts[path]) {
			object, _, err := strict.Decode(doc, nil, nil)
			if err != nil {
				t.Fatalf("%s: %v\n%s", path, err, doc)
			}
			all = append(all, object)
		}
	}
	return all
}

var strict = serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()

func documents(t *testing.T, text string) [][]byte {
	t.Helper()
	var docs [][]byte
	for reader := yaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text))); ; {
		doc, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return docs
		}
		if err != nil {
			t.Fatal(err)
		}
		if j, err := yaml.ToJSON(doc); err != nil || !bytes.Equal(j, []byte("null")) {
			docs = append(docs, doc)
		}
	}
}

// one returns the only object of its type, or fails.
func one[T runtime.Object](t *testing.T, objects []runtime.Object) T {
	t.Helper()
	found := every[T](objects)
	if len(found) != 1 {
		t.Fatalf("%d objects of type %T, want one", len(found), *new(T))
	}
	return found[0]
}

func every[T runtime.Object](objects []runtime.Object) (found []T) {
	for _, o := range objects {
		if o, ok := o.(T); ok {
			found = append(found, o)
		}
	}
	return found
}

// valueFiles are the sets of values that everything is checked with.
func valueFiles(t *testing.T) map[string]map[string]any {
	t.Helper()
	paths, err := filepath.Glob("testdata/values/*.yaml")
	if err != nil || len(paths) < 4 {
		t.Fatalf("value files %v, %v", paths, err)
	}
	files := make(map[string]map[string]any)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimSuffix(filepath.Base(path), ".yaml")] = values(t, string(text))
	}
	return files
}

func values(t *testing.T, text string) map[string]any {
	t.Helper()
	v := make(map[string]any)
	if err := sigsyaml.UnmarshalStrict([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

// What helm lint --strict says: not even a warning.
func TestLint(t *testing.T) {
	for name, values := range valueFiles(t) {
		t.Run(name, func(t *testing.T) {
			for _, m := range lint.RunAll(chartDir, values, namespace).Messages {
				if m.Severity >= support.WarningSev {
					t.Error(m)
				}
			}
		})
	}
}

// The chart's versions are those of the changelog's next release.
func TestVersion(t *testing.T) {
	c, err := loader.Load(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	changelog, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(changelog), "("+c.Metadata.AppVersion+")") && !strings.Contains(string(changelog), "## "+c.Metadata.AppVersion) {
		t.Errorf("appVersion %s is not in CHANGELOG.md", c.Metadata.AppVersion)
	}
}

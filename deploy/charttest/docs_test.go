package charttest

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/v2/loader"
)

// The page's table of values has the defaults that the chart has.
func TestTheTableOfValues(t *testing.T) {
	page, err := os.ReadFile("../../docs/kubernetes.md")
	if err != nil {
		t.Fatal(err)
	}
	c, err := loader.Load(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## Values\n")
	section, _, _ = strings.Cut(section, "\n## ")
	rows := 0
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.HasPrefix(line, "| `") {
			continue
		}
		rows++
		name, preset := strings.Trim(cells[1], " `"), strings.Trim(cells[2], " `")
		var value any = c.Values
		for part := range strings.SplitSeq(name, ".") {
			m, _ := value.(map[string]any)
			v, ok := m[part]
			if !ok {
				t.Errorf("the chart has no value %s", name)
			}
			value = v
		}
		if fmt.Sprint(value) != preset {
			t.Errorf("%s is %v by default; the page says %q", name, value, preset)
		}
	}
	if rows < 20 {
		t.Errorf("only %d values in the table", rows)
	}
}

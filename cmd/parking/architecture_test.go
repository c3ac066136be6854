package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// rooms are the top-level packages in the direction of dependencies: each may
// import those after it.
var rooms = []string{"cmd", "scripts", "repl", "node", "gates", "lot"}

// exclusive are modules that one package alone may import.
var exclusive = map[string]string{
	"github.com/hashicorp/serf":       "parking/node/member",
	"github.com/hashicorp/memberlist": "parking/node/member",
	"github.com/c-bata/go-prompt":     "parking/repl/prompt",
	"github.com/prometheus/":          "parking/node/telemetry",
	"github.com/hashicorp/go-metrics": "parking/node/telemetry",
}

// pure packages import nothing beyond what is named, and the standard library.
var pure = map[string][]string{
	"parking/lot":         {},
	"parking/lot/spans":   {},
	"parking/lot/crdt":    {"parking/lot", "parking/lot/spans", "parking/lot/wire", "google.golang.org/protobuf/"},
	"parking/node/probe":  {"parking/lot"},
	"parking/gates":       {"parking/lot", "github.com/thejerf/suture/v4"},
	"parking/repl/prompt": {"github.com/c-bata/go-prompt", "github.com/mattn/go-runewidth", "golang.org/x/"},
}

func TestDependenciesRunOneWay(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "parking/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	type pkg struct {
		ImportPath string
		Imports    []string
	}
	room := func(path string) string {
		name, _, _ := strings.Cut(strings.TrimPrefix(path, "parking/"), "/")
		return name
	}
	seen := 0
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; seen++ {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		from := slices.Index(rooms, room(p.ImportPath))
		if from < 0 {
			t.Errorf("%s is in no known room", p.ImportPath)
		}
		allowed, isPure := pure[p.ImportPath]
		for _, imp := range p.Imports {
			if to := slices.Index(rooms, room(imp)); strings.HasPrefix(imp, "parking/") && to < from {
				t.Errorf("%s imports %s, against the direction of dependencies", p.ImportPath, imp)
			}
			for module, only := range exclusive {
				if strings.HasPrefix(imp, module) && p.ImportPath != only {
					t.Errorf("%s imports %s, which is for %s alone", p.ImportPath, imp, only)
				}
			}
			standard := !strings.Contains(strings.Split(imp, "/")[0], ".") && !strings.HasPrefix(imp, "parking/")
			if isPure && !standard && !slices.ContainsFunc(allowed, func(a string) bool { return strings.HasPrefix(imp, a) }) {
				t.Errorf("%s imports %s, and should stay free of it", p.ImportPath, imp)
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d packages were looked at", seen)
	}
}

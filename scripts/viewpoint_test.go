package scripts_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"parking/lot"
)

// A viewpoint is a node as whoever asks it sees it.
type viewpoint struct {
	t    *testing.T
	name string
	run  func(line string, out io.Writer) error // a command that answers in JSON
}

// ask runs a command on the node, and reads what it answers.
func (v *viewpoint) ask(line string, answer any) error {
	var out bytes.Buffer
	if err := v.run(line, &out); err != nil {
		return err
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(out.Bytes(), answer)
}

// do runs a command that must succeed.
func (v *viewpoint) do(line string) {
	v.t.Helper()
	if err := v.ask(line, nil); err != nil {
		v.t.Fatalf("%s> %s: %v", v.name, line, err)
	}
}

// outcome runs a command and returns "ok", or the code of its refusal.
func (v *viewpoint) outcome(line string) string {
	err := v.ask(line, nil)
	if err == nil {
		return "ok"
	}
	v.t.Logf("%s> %s: %v", v.name, line, err)
	return string(lot.CodeOf(err))
}

func (v *viewpoint) get(line string, answer any) {
	v.t.Helper()
	if err := v.ask(line, answer); err != nil {
		v.t.Errorf("%s> %s: %v", v.name, line, err)
	}
}

// sees returns the nodes that this one calls alive.
func (v *viewpoint) sees() string {
	var all struct {
		Members []struct{ Name, Status string }
	}
	v.get("members", &all)
	var alive []string
	for _, m := range all.Members {
		if m.Status == "alive" {
			alive = append(alive, m.Name)
		}
	}
	return strings.Join(alive, " ")
}

// gates returns where the gates run as far as this node knows, in their order.
// One that does not run on one node ends with a !.
func (v *viewpoint) gates() string {
	var all struct {
		Gates []struct {
			Owners []string
			State  string
		}
	}
	v.get("gates", &all)
	var on []string
	for _, g := range all.Gates {
		where := strings.Join(g.Owners, "+")
		if g.State != "running" {
			where += "!"
		}
		on = append(on, where)
	}
	return strings.Join(on, " ")
}

type reading struct {
	Digest   string
	Vehicles []struct {
		Plate     string
		Conflicts []struct{}
	}
}

func (v *viewpoint) read() (r reading) {
	v.t.Helper()
	v.get("read", &r)
	return r
}

func (v *viewpoint) digest() string { return v.read().Digest }

// maybe begins plates of vehicles of which nobody was told whether they came.
const maybe = "MAYBE"

// has returns the plates that this node has, with a +1 for each conflict, but
// for the doubtful ones.
func (v *viewpoint) has() string {
	var plates []string
	for _, car := range v.read().Vehicles {
		if n := len(car.Conflicts); n > 0 {
			car.Plate += fmt.Sprintf("+%d", n)
		}
		if !strings.HasPrefix(car.Plate, maybe) {
			plates = append(plates, car.Plate)
		}
	}
	return strings.Join(plates, " ")
}

// doubtful returns the plates that came although nobody was told so.
func (v *viewpoint) doubtful() (plates []string) {
	for _, car := range v.read().Vehicles {
		if strings.HasPrefix(car.Plate, maybe) {
			plates = append(plates, car.Plate)
		}
	}
	return plates
}

// complete reports whether these see each other alive and nobody else, have the
// same state, and agree on one node for each gate. It asks all at once.
func complete(all []*viewpoint) bool {
	var names []string
	for _, v := range all {
		names = append(names, v.name)
	}
	slices.Sort(names)
	told := make([][3]string, len(all))
	var asking sync.WaitGroup
	for i, v := range all {
		asking.Go(func() { told[i] = [3]string{v.sees(), v.gates(), v.digest()} })
	}
	asking.Wait()
	return told[0][0] == strings.Join(names, " ") && !strings.Contains(told[0][1], "!") &&
		!slices.ContainsFunc(told, func(other [3]string) bool { return other != told[0] })
}

// same reports whether these have the same state.
func same(all []*viewpoint) bool {
	want := all[0].digest()
	return !slices.ContainsFunc(all[1:], func(v *viewpoint) bool { return v.digest() != want })
}

package repl

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"time"

	"parking/lot"
	"parking/node"
)

// The JSON documents, one per command. Arrays are never null, fields never
// missing, numbers are numbers and times RFC 3339 in UTC.

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

type okJSON struct {
	OK bool `json:"ok"`
}

type failureJSON struct {
	okJSON
	Code  string `json:"code"`
	Error string `json:"error"`
}

type historyJSON struct {
	okJSON
	Lines []string `json:"lines"`
}

type helpJSON struct {
	okJSON
	Commands []commandJSON `json:"commands"`
}

type commandJSON struct {
	Name    string `json:"name"`
	Usage   string `json:"usage"`
	Help    string `json:"help"`
	More    string `json:"more"`
	Example string `json:"example"`
}

func commandsJSON(commands ...*Command) helpJSON {
	out := helpJSON{okJSON{true}, make([]commandJSON, 0, len(commands))}
	for _, c := range commands {
		out.Commands = append(out.Commands, commandJSON{c.Name, c.Usage(), c.Help, c.More, c.Example})
	}
	return out
}

type spacesJSON struct {
	Total int `json:"total"`
	Taken int `json:"taken"`
	Free  int `json:"free"`
}

type spacesOverJSON struct {
	spacesJSON
	Over int `json:"over"`
}

func spacesOf(s lot.Spaces) spacesJSON { return spacesJSON{s.Total, s.Taken, s.Free()} }

type entryJSON struct {
	Gate  int    `json:"gate"`
	Node  string `json:"node"`
	Since string `json:"since"`
}

func entryOf(e lot.Entry) entryJSON {
	return entryJSON{int(e.Gate), e.Node, e.Since.UTC().Format(time.RFC3339Nano)}
}

type vehicleJSON struct {
	Plate string `json:"plate"`
	entryJSON
	Conflicts []entryJSON `json:"conflicts"`
}

type readingJSON struct {
	Node     string        `json:"node"`
	Ledger   string        `json:"ledger"`
	Digest   string        `json:"digest"`
	Spaces   spacesJSON    `json:"spaces"`
	Vehicles []vehicleJSON `json:"vehicles"`
}

func readingOf(name string, r node.Reading, shown []lot.Vehicle) readingJSON {
	out := readingJSON{name, node.Ledger, hex(r.Digest), spacesOf(r.Spaces), make([]vehicleJSON, 0, len(shown))}
	for _, v := range shown {
		conflicts := make([]entryJSON, 0, len(v.Conflicts))
		for _, o := range v.Conflicts {
			conflicts = append(conflicts, entryOf(o))
		}
		out.Vehicles = append(out.Vehicles, vehicleJSON{string(v.Plate), entryOf(v.Entry), conflicts})
	}
	return out
}

type gatesJSON struct {
	Gates []gateJSON `json:"gates"`
}

type gateJSON struct {
	Gate   int      `json:"gate"`
	Owners []string `json:"owners"`
	State  string   `json:"state"`
	Epoch  uint64   `json:"epoch"`
	In     uint64   `json:"in"`
	Out    uint64   `json:"out"`
}

func gatesOf(all []node.GateState) gatesJSON {
	out := gatesJSON{make([]gateJSON, 0, len(all))}
	for _, g := range all {
		out.Gates = append(out.Gates, gateJSON{int(g.Gate), append([]string{}, g.Owners...), g.State(), g.Epoch, g.In, g.Out})
	}
	return out
}

type faultsJSON struct {
	Faults []faultJSON `json:"faults"`
}

type faultJSON struct {
	What  string   `json:"what"`
	On    []string `json:"on"`
	Since string   `json:"since"`
	By    string   `json:"by"`
}

func faultsOf(all []node.FaultState) faultsJSON {
	out := faultsJSON{make([]faultJSON, 0, len(all))}
	for _, f := range all {
		out.Faults = append(out.Faults, faultJSON{f.What, append([]string{}, f.On...), f.Since.UTC().Format(time.RFC3339Nano), f.By})
	}
	return out
}

type membersJSON struct {
	Members []memberJSON `json:"members"`
}

type memberJSON struct {
	Name   string `json:"name"`
	Addr   string `json:"addr"`
	Status string `json:"status"`
	Self   bool   `json:"self"`
}

func membersOf(all []node.Member) membersJSON {
	out := membersJSON{make([]memberJSON, 0, len(all))}
	for _, m := range all {
		out.Members = append(out.Members, memberJSON{m.Name, m.Addr, string(m.Status), m.Self})
	}
	return out
}

type statusJSON struct {
	Node        string            `json:"node"`
	Cluster     string            `json:"cluster"`
	Addr        string            `json:"addr"`
	PID         int               `json:"pid"`
	Ledger      string            `json:"ledger"`
	Incarnation string            `json:"incarnation"`
	Version     map[string]uint64 `json:"version"`
	Digest      string            `json:"digest"`
	Lag         uint64            `json:"lag"`
	Queue       int               `json:"queue_depth"`
	Uptime      float64           `json:"uptime_seconds"`
}

func statusOf(s node.Status, pid int) statusJSON {
	version := make(map[string]uint64, len(s.Version))
	maps.Copy(version, s.Version) // an empty one is {} and not null
	return statusJSON{
		s.Node, s.Cluster, s.Addr, pid, node.Ledger, fmt.Sprintf("%016x", s.Incarnation),
		version, hex(s.Digest), s.Lag, s.Queue, s.Uptime.Seconds(),
	}
}

func hex(digest [16]byte) string { return fmt.Sprintf("%x", digest[:]) }

package repl

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"parking/lot"
	"parking/node"
)

// Malformed orders get one clear line and change nothing.
func TestFaultsThatAreNone(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry := l.start("larry")
		l.start("gary")
		larry.do("await members 2")
		late := "gary>larry delay 10ms"
		larry.do("link " + late)
		for _, c := range []struct {
			line string
			code lot.Code
			text string
		}{
			{"partition", lot.Usage, "missing argument: partition NODE... | NODE...; for example partition larry | gary"},
			{"partition |", lot.Usage, "a side of the partition is empty; for example partition larry | gary harry"},
			{"partition larry |", lot.Usage, "a side of the partition is empty; for example partition larry | gary harry"},
			{"partition larry | | gary", lot.Usage, "a side of the partition is empty; for example partition larry | gary harry"},
			{`partition ""`, lot.Usage, "a side of the partition is empty; for example partition larry | gary harry"},
			{"partition bob", lot.Unreachable, "no node is called bob; members lists them"},
			{"partition larry | bob", lot.Unreachable, "no node is called bob; members lists them"},
			{"partition larry | larry", lot.Usage, "larry is named twice; a node is on one side of a partition"},
			{"partition larry gary | larry", lot.Usage, "larry is named twice; a node is on one side of a partition"},
			{"partition larry gary larry", lot.Usage, "larry is named twice; a node is on one side of a partition"},
			{"partition larry gary", lot.Usage, "all nodes are on one side; name fewer, or put | between two groups"},
			{"partition LARRY", lot.Usage, `"LARRY" is no node's name; members lists them`},
			{"partition larry > gary", lot.Usage, `">" is no node's name; members lists them`},
			{"isolate", lot.Usage, "missing argument: isolate NODE; for example isolate gary"},
			{"isolate bob", lot.Unreachable, "no node is called bob; members lists them"},
			{"isolate larry gary", lot.Usage, "too many arguments: isolate NODE; for example isolate gary"},
			{`isolate "larry gary"`, lot.Usage, `"larry gary" is no node's name; members lists them`},
			{"isolate larry|gary", lot.Usage, `"larry|gary" is no node's name; members lists them`},
			{"link larry>gary", lot.Usage, "missing argument: link A>B EFFECT...; for example link larry>gary drop 30%"},
			{"link larry gary cut", lot.Usage, `"larry" is no link; it is larry>gary one way, larry<>gary both`},
			{"link larry<gary cut", lot.Usage, `"larry<gary" is no link; it is larry>gary one way, larry<>gary both`},
			{"link larry>gary>larry cut", lot.Usage, `"larry>gary>larry" is no link; it is larry>gary one way, larry<>gary both`},
			{"link >gary cut", lot.Usage, `">gary" is no link; it is larry>gary one way, larry<>gary both`},
			{"link larry> gary cut", lot.Usage, `"larry>" is no link; it is larry>gary one way, larry<>gary both`},
			{"link larry>bob cut", lot.Unreachable, "no node is called bob; members lists them"},
			{"link bob<>larry cut", lot.Unreachable, "no node is called bob; members lists them"},
			{"link larry>larry cut", lot.Usage, "larry>larry: a link has two ends"},
			{"link larry<>larry drop 10%", lot.Usage, "larry>larry: a link has two ends"},
			{"link larry>gary drop 130%", lot.Range, "drop 130%: a share is 0% to 100%"},
			{"link larry>gary drop -1%", lot.Range, "drop -1%: a share is 0% to 100%"},
			{"link larry>gary dup 101%", lot.Range, "dup 101%: a share is 0% to 100%"},
			{"link larry>gary drop NaN%", lot.Range, "drop NaN%: a share is 0% to 100%"},
			{"link larry>gary drop inf%", lot.Range, "drop +Inf%: a share is 0% to 100%"},
			{"link larry>gary drop 0.3", lot.Usage, `drop takes a share such as 30%, not "0.3"`},
			{"link larry>gary drop", lot.Usage, "missing argument: drop takes a value, as in drop 30% delay 200ms"},
			{"link larry>gary drop delay 5ms", lot.Usage, `drop takes a share such as 30%, not "delay"`},
			{"link larry>gary delay", lot.Usage, "missing argument: delay takes a value, as in drop 30% delay 200ms"},
			{"link larry>gary delay -5ms", lot.Range, "delay -5ms: a delay is 0s to 1m0s"},
			{"link larry>gary delay 5", lot.Usage, `delay takes a duration such as 200ms, not "5"`},
			{"link larry>gary delay 2h", lot.Range, "delay 2h0m0s: a delay is 0s to 1m0s"},
			{"link larry>gary delay 9999999h", lot.Usage, `delay takes a duration such as 200ms, not "9999999h"`},
			{"link larry>gary delay 50ms jitter 60ms", lot.Range, "jitter 60ms: it is 0s to the delay, which is 50ms"},
			{"link larry>gary jitter 60ms", lot.Range, "jitter 60ms: it is 0s to the delay, which is 0s"},
			{"link larry>gary delay 50ms jitter -1ms", lot.Range, "jitter -1ms: it is 0s to the delay, which is 50ms"},
			{"link larry>gary drop 0% delay 0s", lot.Usage, "drop 0% delay 0s changes nothing; give drop 30%, delay 200ms, jitter 50ms, dup 5% or cut, or heal the link"},
			{"link larry>gary drop 1% drop 2%", lot.Usage, "drop stands there twice; give each effect once"},
			{"link larry>gary cut cut", lot.Usage, "cut stands there twice; give each effect once"},
			{"link larry>gary dorp 1%", lot.Usage, "unknown effect dorp; did you mean drop?"},
			{"link larry>gary 30%", lot.Usage, "unknown effect 30%; it is one of drop 30%, delay 200ms, jitter 50ms, dup 5% or cut"},
			{"heal bob", lot.Unreachable, "no node is called bob; members lists them"},
			{"heal larry bob", lot.Unreachable, "no node is called bob; members lists them"},
			{"heal larry>bob", lot.Unreachable, "no node is called bob; members lists them"},
			{"heal larry>", lot.Usage, `"larry>" is no link; it is larry>gary one way, larry<>gary both`},
			{"heal larry|gary", lot.Usage, `"larry|gary" is no node's name; members lists them`},
			{"faults now", lot.Usage, "too many arguments: faults takes none"},
			{"clock larry", lot.Usage, "missing argument: clock NODE OFFSET; for example clock gary +5m"},
			{"clock bob +5m", lot.Unreachable, "no node is called bob; members lists them"},
			{"clock larry soon", lot.Usage, `clock takes a duration such as +5m or -30s, not "soon"`},
			{"clock larry 5", lot.Usage, `clock takes a duration such as +5m or -30s, not "5"`},
			{"clock larry 9000h", lot.Range, "clock 9000h0m0s: it can be off by 8760h0m0s at most"},
			{"clock larry -9000h", lot.Range, "clock -9000h0m0s: it can be off by 8760h0m0s at most"},
		} {
			larry.fails(c.line, c.code, c.text)
		}
		faults, err := larry.node.Faults(t.Context())
		if err != nil || len(faults) != 1 || faults[0].What != "link "+late {
			t.Errorf("after all that %+v is in force, %v", faults, err)
		}
		if got := larry.node.Members(); len(got) != 2 || got[0].Status != "alive" {
			t.Errorf("after all that there are %+v", got)
		}
		for i := range 255 {
			larry.do(fmt.Sprintf("link larry<>gary dup %d%%", i%9+1))
		}
		larry.fails("isolate larry", lot.Refused, "larry has 256 faults in force; heal some first")
		equal(t, "heal", larry.do("heal"), "ok   2 links healed, and the nodes see each other\n")
	})
}

// What each order answers, as text and as JSON, and what the others are told.
func TestFaultAnswers(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry, gary, harry := l.start("larry"), l.start("gary"), l.start("harry")
		larry.do("await members 3")
		harry.do("await converged")
		untilMinute()
		sub := larry.node.Subscribe()
		equal(t, "faults", gary.do("faults"), "ok   no faults are in force\n")
		equal(t, "faults", gary.json().do("faults"), `{"faults":[]}`+"\n")
		equal(t, "partition", gary.do(`partition "larry   |"  gary harry`), "ok   partitioned: larry | gary harry\n")
		time.Sleep(5 * time.Second)
		equal(t, "link", harry.do("link gary>harry drop 30% delay 20ms jitter 5ms dup 5%"), "ok   gary>harry drop 30% delay 20ms jitter 5ms dup 5%\n")
		time.Sleep(5 * time.Second)
		equal(t, "faults", larry.do("faults"), strings.Join([]string{
			" FAULT                                                   ON                 SINCE           BY",
			" partition larry | gary harry                            gary harry larry   00:01:00  10s   gary",
			" link gary>harry drop 30% delay 20ms jitter 5ms dup 5%   gary harry         00:01:05  5s    harry",
			"",
		}, "\n"))
		stamp := regexp.MustCompile(`\.00[0-9]Z`)
		equal(t, "faults", stamp.ReplaceAllString(larry.json().do("faults"), "Z"), `{"faults":[{"what":"partition larry | gary harry","on":["gary","harry","larry"],"since":"2000-01-01T00:01:00Z","by":"gary"},`+
			`{"what":"link gary>harry drop 30% delay 20ms jitter 5ms dup 5%","on":["gary","harry"],"since":"2000-01-01T00:01:05Z","by":"harry"}]}`+"\n")
		equal(t, "await", larry.do("await members 1"), "ok   after 0s\n")
		equal(t, "heal", harry.do("heal gary>harry"), "ok   1 link healed, and the nodes see each other\n")
		equal(t, "heal", harry.do("heal gary<>harry"), "ok   there was nothing to heal\n")
		equal(t, "heal", harry.do("heal larry"), "ok   4 links healed, and the nodes see each other\n")
		for _, line := range []string{"isolate larry", "heal", "clock gary -30s", "clock gary 0s", "link larry<>gary cut", "partition harry", "heal larry harry>gary", "heal"} {
			equal(t, line, larry.json().do(line), `{"ok":true}`+"\n")
		}
		equal(t, "isolate", gary.do("isolate larry"), "ok   larry is cut off from all others\n")
		equal(t, "clock", gary.do("clock larry +5m"), "ok   larry's clock is off by +5m\n")
		equal(t, "clock", gary.do("clock larry 0s"), "ok   larry's clock is right\n")
		gary.do("heal")
		var told []string
		over, cancel := context.WithCancel(t.Context())
		cancel()
		for {
			events, _ := sub.Next(over)
			if events == nil {
				break
			}
			for _, e := range events {
				if e.Kind == node.FaultInjected || e.Kind == node.FaultHealed {
					told = append(told, renderEvent(e, Options{})[14:])
				}
			}
		}
		if want := []string{
			"~ partition larry | gary harry    by gary",
			"~ partition larry | gary harry healed  by harry",
			"~ isolate larry                   by gary",
			"~ clock larry +5m                 by gary",
			"~ clock larry +5m healed          by gary",
			"~ isolate larry healed            by gary",
		}; !slices.Equal(told, want) {
			t.Errorf("larry was told\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
		}
	})
}

package repl

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"parking/lot"
	"parking/node"
)

// Errors say what was wrong and what would be right, to the word, and change
// nothing.
func TestRefusals(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry := l.start("larry")
		untilMinute()
		larry.do(`track_entry "ABC 123" 1`)
		long := strings.Repeat("X", 17)
		for _, c := range []struct {
			line string
			code lot.Code
			text string
		}{
			{`track_entry "ABC 123" 2`, lot.Present, "ABC 123 is already in the lot (gate 1 on larry, since 00:01:00)"},
			{`gate 2 enter "ABC 123"`, lot.Present, "ABC 123 is already in the lot (gate 1 on larry, since 00:01:00)"},
			{`track_exit NOPE`, lot.Absent, "NOPE is not in the lot; read lists the vehicles"},
			{`gate 2 exit NOPE`, lot.Absent, "NOPE is not in the lot; read lists the vehicles"},
			{`gate 9 enter "ABC 123"`, lot.Range, "gate 9: this lot has gates 1-4"},
			{`gate 9 enter`, lot.Range, "gate 9: this lot has gates 1-4"},
			{`gate 9 crash`, lot.Range, "gate 9: this lot has gates 1-4"},
			{`gate 0 crash`, lot.Range, "gate 0: this lot has gates 1-4"},
			{`track_entry X 9`, lot.Range, "gate 9: this lot has gates 1-4"},
			{`track_entry X 0`, lot.Range, "gate 0: this lot has gates 1-4"},
			{`track_entry X -1`, lot.Range, "gate -1: this lot has gates 1-4"},
			{`track_exit "ABC 123" 9`, lot.Range, "gate 9: this lot has gates 1-4"},
			{`track_exit "ABC 123" 0`, lot.Range, "gate 0: this lot has gates 1-4"},
			{`track_entry X one`, lot.Usage, `a gate is a number, not "one"`},
			{`track_entry X 1.5`, lot.Usage, `a gate is a number, not "1.5"`},
			{`gate one crash`, lot.Usage, `a gate is a number, not "one"`},
			{`track_entry "" 1`, lot.Usage, "the plate is empty; it has 1 to 16 printable characters"},
			{`track_entry "  " 1`, lot.Usage, "the plate is empty; it has 1 to 16 printable characters"},
			{`gate 1 enter ""`, lot.Usage, "the plate is empty; it has 1 to 16 printable characters"},
			{`track_entry ` + long + ` 1`, lot.Usage, "the plate has 17 characters; it may have 16 at most"},
			{"track_entry A\aB 1", lot.Usage, "the plate has the unprintable character U+0007; it has 1 to 16 printable ones"},
			{"track_entry A\xffB 1", lot.Usage, "the plate is not valid UTF-8; it has 1 to 16 printable characters"},
			{`track_entry ABC 123 1`, lot.Usage, `too many arguments: track_entry PLATE GATE; quote a plate that has blanks, as in "ABC 123"`},
			{`track_entry ABC`, lot.Usage, `missing argument: track_entry PLATE GATE; for example track_entry "ABC 123" 1`},
			{`track_exit`, lot.Usage, `missing argument: track_exit PLATE [GATE]; for example track_exit "ABC 123" 1`},
			{`track_entry "ABC`, lot.Usage, `unclosed quote "; close it, as in "ABC 123"`},
			{`trak_entry X 1`, lot.Usage, "unknown command trak_entry; did you mean track_entry?"},
			{`gate 1`, lot.Usage, `missing argument: gate N enter PLATE | N exit PLATE | N crash | N move NODE; for example gate 2 enter "ABC 123"`},
			{`gate 1 enter`, lot.Usage, "missing argument: gate 1 enter PLATE"},
			{`gate 1 move`, lot.Usage, "missing argument: gate 1 move NODE"},
			{`gate 1 enter A B`, lot.Usage, `too many arguments: gate N enter PLATE | N exit PLATE | N crash | N move NODE; quote a plate that has blanks, as in "ABC 123"`},
			{`gate 1 crash now`, lot.Usage, "too many arguments: gate 1 crash takes no more"},
			{`gate 1 open`, lot.Usage, "unknown gate command open; a gate can enter, exit, crash or move"},
			{`gate 1 entr X`, lot.Usage, "unknown gate command entr; did you mean enter?"},
			{`gate 1 move harry`, lot.Unreachable, "no node is called harry; members lists them"},
			{`gate 1 move larry`, lot.Refused, "gate 1 runs on larry already"},
			{`gates now`, lot.Usage, "too many arguments: gates takes none"},
			{`read A B`, lot.Usage, "read takes a plate or a prefix as in ABC*, and --limit N, or nothing"},
			{`read --limit`, lot.Usage, "read takes a plate or a prefix as in ABC*, and --limit N, or nothing"},
			{`read --limit x`, lot.Usage, `a limit is a number, not "x"`},
			{`set spaces`, lot.Usage, "missing argument: set spaces N | gates N | ack N; for example set spaces 120"},
			{`set spaces x`, lot.Usage, `a setting's value is a number, not "x"`},
			{`set spaces 0`, lot.Range, "spaces 0: a lot has 1 to 100000000 spaces"},
			{`set gates 257`, lot.Range, "gates 257: a lot has 1 to 256 gates"},
			{`set colour 1`, lot.Usage, "unknown setting colour; there are set spaces N, set gates N and set ack N"},
			{`set space 1`, lot.Usage, "unknown setting space; did you mean spaces?"},
			{`kill-node harry`, lot.Unreachable, "no node is called harry; members lists them"},
			{`help frobnicate`, lot.Usage, "unknown command frobnicate; help lists the commands"},
			{`quit`, lot.Usage, "quit is for the terminal's side, not for the node's"},
		} {
			larry.fails(c.line, c.code, c.text)
		}
		if got := larry.do("spaces"); got != "100 spaces: 1 taken, 99 free\n" {
			t.Errorf("after all that: %s", got)
		}
	})
}

// A gate refuses the vehicle for which there is no space; track_entry records
// it, and warns.
func TestAFullLot(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry := l.start("larry", func(c *node.Config) { c.Spaces.Value = 2 })
		larry.do("gate 1 enter A")
		larry.do("gate 1 enter B")
		larry.fails("gate 1 enter C", lot.Full, "the lot is full: 2 of 2 spaces are taken; try again after an exit, or set spaces to more")
		out, remarks, err := larry.exec("track_entry C 1")
		if out != "ok   0 of 2 spaces free, over by 1\n" || remarks != "warning: the lot is over by 1: 3 vehicles in 2 spaces\n" || err != nil {
			t.Errorf("track_entry on a full lot: %q, %q, %v", out, remarks, err)
		}
		equal(t, "spaces", larry.do("spaces"), "2 spaces: 3 taken, 0 free, over by 1\n")
		equal(t, "spaces", larry.json().do("spaces"), `{"total":2,"taken":3,"free":0,"over":1}`+"\n")
		if got := larry.do("read --limit 0"); !strings.Contains(got, "   3 of 2 taken, over by 1\n") || !strings.HasSuffix(got, "\n and 3 more\n") {
			t.Errorf("read: %s", got)
		}
		out, remarks, err = larry.exec("set spaces 1")
		if out != "ok   spaces 1, everywhere\n" || remarks != "warning: the lot is over by 2; nobody is turned out\n" || err != nil {
			t.Errorf("fewer spaces than vehicles: %q, %q, %v", out, remarks, err)
		}
		if _, remarks, _ = larry.exec("set gates 3"); remarks != "" {
			t.Errorf("set gates on a full lot: %q", remarks)
		}
		equal(t, "an exit", larry.do("gate 1 exit A"), "ok   0 of 1 spaces free, over by 1\n")
		for _, plate := range []string{"B", "C"} {
			larry.do("gate 1 exit " + plate)
		}
		equal(t, "spaces", larry.do("spaces"), "1 space: 0 taken, 1 free\n")
	})
}

func TestFaultsCanBeRefused(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry := l.start("larry", func(c *node.Config) { c.NoFaults = true })
		gary := l.start("gary")
		larry.fails("kill-node", lot.Refused, "larry was started with --no-faults")
		larry.fails("kill-node larry", lot.Refused, "larry was started with --no-faults")
		larry.fails("kill-node gary", lot.Refused, "larry was started with --no-faults")
		gary.do("await members 2")
		gary.fails("kill-node larry", lot.Refused, "larry was started with --no-faults")
		for _, line := range []string{"partition larry", "partition bob", "isolate gary", "link larry>gary cut", "heal", "clock gary +5m", "clock larry +5m"} {
			larry.fails(line, lot.Refused, "larry was started with --no-faults")
		}
		for _, line := range []string{"partition larry", "isolate gary", "link larry<>gary drop 5%", "clock larry +5m"} {
			gary.fails(line, lot.Refused, "larry was started with --no-faults")
		}
		for _, a := range []*at{larry, gary} { // which asks, and breaks nothing
			equal(t, "faults", a.do("faults"), "ok   no faults are in force\n")
		}
		equal(t, "heal", gary.do("heal"), "ok   there was nothing to heal\n")
	})
}

func TestKillNode(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		var gary *at
		larry := l.start("larry")
		gary = l.start("gary", func(c *node.Config) { c.Die = func() { gary.crash() } })
		larry.do("await members 2")
		for _, line := range []string{"kill-node", "kill_node larry"} {
			out, _, err := larry.exec(line)
			if out != "ok   larry dies\n" || err == nil || err.Error() == "" || !isDie(err) {
				t.Errorf("%s: %q, %v", line, out, err)
			}
		}
		equal(t, "kill-node", larry.do("kill-node gary"), "ok   gary was killed\n")
		larry.do("await members 1 5s")
		larry.fails("kill-node gary", lot.Unreachable, "gary is failed; members lists who is alive")
	})
}

// A command given up says so, and one given early waits.
func TestInterrupted(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry := l.start("larry")
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var out strings.Builder
		err := larry.Exec(ctx, "await members 9", larry.opt, &out, &out)
		if err == nil || err.Error() != "interrupted" || out.Len() > 0 {
			t.Errorf("%v, %q", err, out.String())
		}
		leaving, leave := context.WithCancelCause(t.Context())
		time.AfterFunc(100*time.Millisecond, func() { leave(ErrLeaving) })
		err = larry.Exec(leaving, "await members 9", larry.opt, &out, &out)
		if lot.CodeOf(err) != lot.Unreachable || err.Error() != "interrupted: the node is leaving" {
			t.Errorf("while the node leaves: %v", err)
		}
	})
}

func TestManyThroughAGate(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		l.start("larry")
		gary := l.start("gary")
		admitted, full := 0, 0
		for i := range 110 {
			_, _, err := gary.exec(fmt.Sprintf("gate 1 enter CAR%d", i))
			switch {
			case err == nil:
				admitted++
			case lot.CodeOf(err) == lot.Full:
				full++
			default:
				t.Errorf("vehicle %d: %v", i, err)
			}
		}
		if admitted != 100 || full != 10 {
			t.Errorf("%d admitted and %d refused, want 100 and 10", admitted, full)
		}
		equal(t, "spaces", gary.do("spaces"), "100 spaces: 100 taken, 0 free\n")
	})
}

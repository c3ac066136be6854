package repl

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/kballard/go-shellquote"

	"parking/lot"
)

func TestParse(t *testing.T) {
	for line, want := range map[string][]string{
		``:                             nil,
		"  \t ":                        nil,
		`# a comment`:                  nil,
		`  # a comment`:                nil,
		`read`:                         {"read"},
		"  read\t ":                    {"read"},
		"read\r":                       {"read"},
		`track_entry "ABC 123" 1`:      {"track_entry", "ABC 123", "1"},
		`track_entry 'ABC 123' 1`:      {"track_entry", "ABC 123", "1"},
		`track_entry ABC\ 123 1`:       {"track_entry", "ABC 123", "1"},
		`track_entry AB"C 1"23 1`:      {"track_entry", "ABC 123", "1"},
		`track_entry "A # B" 1 # note`: {"track_entry", "A # B", "1"},
		`track_entry A#B 1 #note`:      {"track_entry", "A#B", "1"},
		`track_entry \#1 1`:            {"track_entry", "#1", "1"},
		`track_entry "say \"hi\"" 1`:   {"track_entry", `say "hi"`, "1"},
		`track_entry 'say "hi"' 1`:     {"track_entry", `say "hi"`, "1"},
		`track_entry "O'BRIEN" 1`:      {"track_entry", "O'BRIEN", "1"},
		`track_entry "C:\dir" 1`:       {"track_entry", `C:\dir`, "1"},
		`track_entry "" 1`:             {"track_entry", "", "1"},
		`x ''`:                         {"x", ""},
		`track_entry ÄÖÜ東京 1`:          {"track_entry", "ÄÖÜ東京", "1"},
	} {
		w, err := parse(line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		var got []string
		if w.name != "" {
			got = append([]string{w.name}, w.args...)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for line, want := range map[string]string{
		`track_entry "ABC 1`:           `unclosed quote "; close it, as in "ABC 123"`,
		`track_entry O'BRIEN 1`:        `unclosed quote '; close it, as in "ABC 123"`,
		`track_entry A\`:               `the line ends in a backslash; double it, or quote the word`,
		`"" 1`:                         `unknown command ""; help lists the commands`,
		strings.Repeat("x", maxLine+1): `the line has 65537 bytes; 65536 is the most`,
	} {
		_, err := parse(line)
		if err == nil || err.Error() != want || !errors.Is(err, lot.Usage) {
			t.Errorf("%.40s: %v, want %s", line, err, want)
		}
	}
	if _, err := parse(strings.Repeat("x", maxLine)); err != nil {
		t.Errorf("the longest line: %v", err)
	}
}

func TestWordsKeepTheirPlaces(t *testing.T) {
	w, err := parse(`  watch "500ms"  track_entry 'A  B'  1 # so`)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{`"500ms"  track_entry 'A  B'  1 # so`, `track_entry 'A  B'  1 # so`, `'A  B'  1 # so`, `1 # so`, ``, ``} {
		if got := w.from(i); got != want {
			t.Errorf("from %d: %q, want %q", i, got, want)
		}
	}
	if w.quoted {
		t.Error("the last argument counts as quoted")
	}
	for line, want := range map[string]bool{`x 2s`: false, `x "2s"`: true, `x '2s' # c`: true, `x 2"s"`: true, `x "a" 2s`: false} {
		if w, _ := parse(line); w.quoted != want {
			t.Errorf("%s: quoted is %v", line, w.quoted)
		}
	}
}

// FuzzParse holds the parser against another one, where both mean the same:
// without comments and without what only one of them has.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{`a "b c" 'd e' f\ g`, `"`, `\`, `a # b`, "a\tb", `''`, `"\\"`, `a"b'c"d`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		w, err := parse(line)
		if err == nil {
			if len(w.starts) != len(w.args) {
				t.Fatalf("%q: %d places of %d arguments", line, len(w.starts), len(w.args))
			}
			for i := range w.args {
				rest, err := parse("x " + w.from(i))
				if err != nil || !slices.Equal(rest.args, w.args[i:]) {
					t.Fatalf("%q: from its argument %d on %q, %v; want %q", line, i, rest.args, err, w.args[i:])
				}
			}
		}
		if len(line) > maxLine || strings.ContainsAny(line, "#\r`$\n\x00") {
			return
		}
		want, wantErr := shellquote.Split(line)
		if wantErr == nil && len(want) > 0 && want[0] == "" {
			return // an empty command
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: %v, want %v", line, err, wantErr)
		}
		var got []string
		if err == nil && w.name != "" {
			got = append([]string{w.name}, w.args...)
		}
		if err == nil && !slices.Equal(got, want) {
			t.Fatalf("%q: %q, want %q", line, got, want)
		}
	})
}

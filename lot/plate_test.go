package lot

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPlatesThatAreTaken(t *testing.T) {
	for in, want := range map[string]Plate{
		"ABC 123":                         "ABC 123",
		"  ABC-123\t":                     "ABC-123",
		"\u00a0ABC\u2003":                 "ABC", // a no-break space, an em space
		"abc":                             "abc", // case is kept
		"7":                               "7",
		"ABCDEFGHIJKLMNOP":                "ABCDEFGHIJKLMNOP",
		"   ABCDEFGHIJKLMNOP   ":          "ABCDEFGHIJKLMNOP",
		"ÄÖÜäöüßÄÖÜäöüßΩΩ":                "ÄÖÜäöüßÄÖÜäöüßΩΩ", // 16 characters, 32 bytes
		"京都 330 あ 12-34":                  "京都 330 あ 12-34",
		"🚗":                               "🚗",
		"100%d":                           "100%d",
		`"quoted"`:                        `"quoted"`,
		"A  B":                            "A  B",
		strings.Repeat("🚗", MaxPlate):     Plate(strings.Repeat("🚗", MaxPlate)),
		strings.Repeat(" ", 9999) + "ABC": "ABC",
	} {
		got, err := ParsePlate(in)
		if err != nil || got != want {
			t.Errorf("ParsePlate(%q) = %q, %v, not %q", in, got, err, want)
		}
		if !got.Valid() {
			t.Errorf("%q is not valid", got)
		}
	}
}

func TestPlatesThatAreRefused(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "the plate is empty; it has 1 to 16 printable characters",
		" \t\n":                    "the plate is empty; it has 1 to 16 printable characters",
		"ABCDEFGHIJKLMNOPQ":        "the plate has 17 characters; it may have 16 at most",
		strings.Repeat("é", 20):    "the plate has 20 characters; it may have 16 at most",
		"AB\nCD":                   "the plate has the unprintable character U+000A; it has 1 to 16 printable ones",
		"AB\x1b[31mCD":             "the plate has the unprintable character U+001B; it has 1 to 16 printable ones",
		"A\u00a0B":                 "the plate has the unprintable character U+00A0; it has 1 to 16 printable ones",
		"A\u202eB":                 "the plate has the unprintable character U+202E; it has 1 to 16 printable ones", // right-to-left override
		"A\x00":                    "the plate has the unprintable character U+0000; it has 1 to 16 printable ones",
		"\xff\xfe":                 "the plate is not valid UTF-8; it has 1 to 16 printable characters",
		strings.Repeat("\xff", 99): "the plate is not valid UTF-8; it has 1 to 16 printable characters",
	} {
		got, err := ParsePlate(in)
		if err == nil || got != "" {
			t.Errorf("ParsePlate(%q) = %q, %v", in, got, err)
			continue
		}
		if err.Error() != want {
			t.Errorf("ParsePlate(%q): %q, not %q", in, err, want)
		}
		if !errors.Is(err, Usage) {
			t.Errorf("ParsePlate(%q) has code %v, not usage", in, CodeOf(err))
		}
	}
}

func TestPlateWithBlanksAtItsEndsIsNotValid(t *testing.T) {
	for _, p := range []Plate{"", " A", "A ", "\u00a0A", "A\n"} {
		if p.Valid() {
			t.Errorf("%q is valid", p)
		}
	}
}

func FuzzParsePlate(f *testing.F) {
	for _, s := range []string{"ABC 123", "  x ", "", "\xff", "京都 330 あ", "A\u202eB", strings.Repeat("Q", 17)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePlate(s)
		if Plate(s).Valid() != (err == nil && string(p) == s) {
			t.Fatalf("%q: valid is %v, but it parses as %q, %v", s, Plate(s).Valid(), p, err)
		}
		if err != nil {
			if p != "" || CodeOf(err) != Usage || strings.ContainsAny(err.Error(), "\n\r\x1b") || len(err.Error()) > 100 {
				t.Fatalf("%q, %q", p, err)
			}
			return
		}
		if n := utf8.RuneCountInString(string(p)); n < 1 || n > MaxPlate || !strings.Contains(s, string(p)) {
			t.Fatalf("%q parses as %q", s, p)
		}
		if again, err := ParsePlate(string(p)); err != nil || again != p {
			t.Fatalf("%q parses as %q, which parses as %q, %v", s, p, again, err)
		}
	})
}

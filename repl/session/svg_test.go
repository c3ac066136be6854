package session

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestAPictureShowsColours(t *testing.T) {
	got := string(render("a <b>", "\x1b[36mlarry> \x1b[0mread \x1b[1;38;5;208mbold\x1b[22m not\x1b[39m plain\n\n\x1b[2mdim\x1b[0;22m &\n"))
	for _, want := range []string{
		`<title>a &lt;b&gt;</title>`,
		`<tspan fill="#4fc1cc">larry&gt; </tspan>read <tspan fill="#ff8700" font-weight="bold">bold</tspan><tspan fill="#ff8700"> not</tspan> plain</text>`,
		`<tspan fill-opacity="0.65">dim</tspan> &amp;</text>`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

func TestAPictureIsWideEnough(t *testing.T) {
	rows, width := wrap(strings.Repeat("x", columns+1) + "\nü語\n")
	if len(rows) != 3 || width != columns || rows[1][0].text != "x" || rows[2][0].text != "ü語" {
		t.Errorf("%d columns, rows %v", width, rows)
	}
	if _, width := wrap("語語\nxyz\n"); width != 4 {
		t.Errorf("two wide characters are %d columns wide", width)
	}
}

func TestIndexedColours(t *testing.T) {
	for i, want := range map[int]string{-1: "", 0: palette[0], 15: palette[15], 16: "#000000", 21: "#0000ff", 231: "#ffffff", 232: "#080808", 255: "#eeeeee", 256: ""} {
		if got := indexed(i); got != want {
			t.Errorf("colour %d is %q, want %q", i, got, want)
		}
	}
}

func FuzzRender(f *testing.F) {
	f.Add("\x1b[1;36ma\x1b[0m\x1b[38;5;9m<&\x1b[48;2;1;2;3;4m\x1b[m\x1b[38m\x1b[38;5m\x00\xff\u200d語" + strings.Repeat("語", 60))
	f.Fuzz(func(t *testing.T, text string) {
		for dec := xml.NewDecoder(bytes.NewReader(render(text, text))); ; {
			_, err := dec.Token()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

package session

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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

func TestAPictureEndsWhereItIsFull(t *testing.T) {
	var p still
	for _, s := range []string{"\x1b[31mfirst", strings.Repeat("x", maxStill), "small enough\n", "the end\n"} {
		if err := p.write(0, s); err != nil {
			t.Fatal(err)
		}
	}
	rows, _ := wrap(p.text.String())
	if len(rows) != 2 || rows[0][0].text != "first" || rows[1][0] != (span{text: "... and more than a picture holds"}) {
		t.Errorf("it shows %v", rows)
	}
}

func TestAPictureTakesTheOldOnesPlace(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "x.svg"), filepath.Join(dir, "link.svg")
	if err := errors.Join(os.WriteFile(file, []byte("old"), 0o604), os.Symlink(file, link)); err != nil {
		t.Fatal(err)
	}
	for _, passed := range []bool{false, true} {
		rec, err := Record(RecordConfig{Path: link})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(rec, "new")
		if b, err := os.ReadFile(file); string(b) != "old" {
			t.Errorf("before its end the file is %q, %v", b, err)
		}
		if err := rec.Close(passed); (err == nil) != passed {
			t.Errorf("passed is %v, the error %v", passed, err)
		}
		b, err := os.ReadFile(file)
		if strings.Contains(string(b), "new</text>") != passed || (string(b) == "old") == passed {
			t.Errorf("passed is %v, the file %q, %v", passed, b, err)
		}
	}
	if info, err := os.Lstat(file); err != nil || info.Mode() != 0o604 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode().Type() != os.ModeSymlink {
		t.Errorf("the link is %v, %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("there are %v, %v", left, err)
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

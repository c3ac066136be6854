package scripts_test

import (
	"bufio"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/creack/pty"
)

var colors = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// played returns a cast's header, what it shows without colours, and when it
// ends.
func played(t *testing.T, path string) (header map[string]any, text string, end float64) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	if !lines.Scan() {
		t.Fatal("the recording is empty")
	}
	if err := json.Unmarshal(lines.Bytes(), &header); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for lines.Scan() {
		var e [3]any
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		at, isNumber := e[0].(float64)
		data, isText := e[2].(string)
		if !isNumber || !isText || e[1] != "o" || at < end {
			t.Fatalf("after %v comes %s", end, lines.Text())
		}
		end = at
		all.WriteString(data)
	}
	if !strings.Contains(all.String(), "\x1b[") || strings.Contains(strings.ReplaceAll(all.String(), "\r\n", ""), "\n") {
		t.Errorf("without colours, or with bare newlines: %q", all.String())
	}
	return header, colors.ReplaceAllString(strings.ReplaceAll(all.String(), "\r\n", "\n"), ""), end
}

func TestACastIsTheTranscript(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "x.cast")
	d := start(t, "failover", "--record", file)
	transcript := d.ends(t, 0)
	header, text, end := played(t, file)
	if text != transcript {
		t.Errorf("it shows\n%s\nand not\n%s", text, transcript)
	}
	for name, want := range map[string]any{"version": 2.0, "width": 100.0, "height": 30.0, "title": "Failover: the state outlives its node."} {
		if header[name] != want {
			t.Errorf("%s is %v, not %v", name, header[name], want)
		}
	}
	if env, ok := header["env"].(map[string]any); !ok || env["TERM"] == nil || env["SHELL"] == nil || header["timestamp"] == nil {
		t.Errorf("the header is %v", header)
	}
	if steps := strings.Count(transcript, "> "); end < 0.7*float64(steps) {
		t.Errorf("%d commands are over after %v seconds", steps, end)
	}
}

func TestAsciinemaPlaysACast(t *testing.T) {
	t.Parallel()
	player, err := exec.LookPath("asciinema")
	if err != nil {
		t.Skip("asciinema is not installed: apt-get install asciinema")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "x.cast")
	transcript := start(t, write(t, "# Short.\nstart larry\nlarry> spaces\n"), "--record", file).ends(t, 0)
	cmd := exec.Command(player, "cat", file)
	cmd.Env = append(os.Environ(), "HOME="+dir, "LC_ALL=C.UTF-8")
	screen, err := pty.Start(cmd) // it wants a terminal
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close()
	out, _ := io.ReadAll(screen) // ends with EIO
	shown := colors.ReplaceAllString(strings.ReplaceAll(string(out), "\r", ""), "")
	if err := cmd.Wait(); err != nil || shown != transcript {
		t.Errorf("asciinema shows, %v,\n%s\nand not\n%s", err, shown, transcript)
	}
}

func TestACastOfWhatFailsOrIsInterrupted(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "x.cast")
	d := start(t, write(t, "start larry\nlarry> spaces\n   7 spaces\n"), "--record", file)
	d.ends(t, 1)
	if _, text, _ := played(t, file); !strings.Contains(text, d.stderr.String()) || !strings.HasSuffix(text, ", failed\n") {
		t.Errorf("it shows\n%s", text)
	}
	d = start(t, write(t, waiting), "--record", file, "--verbose")
	before := d.read(t, "25s")
	if err := d.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	transcript := before + d.ends(t, 130)
	if _, text, _ := played(t, file); text != transcript {
		t.Errorf("it shows\n%s\nand not\n%s", text, transcript)
	}
}

func TestAStillIsTheTranscript(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "x.svg")
	transcript := start(t, write(t, "# A <picture> & its \"text\".\n\nstart larry\nlarry> gates\n"), "--record", file).ends(t, 0)
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows []string
	title := ""
	for dec, in := xml.NewDecoder(f), ""; ; {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if in = token.Name.Local; in == "text" {
				rows = append(rows, "")
			}
		case xml.CharData:
			switch in {
			case "text", "tspan":
				rows[len(rows)-1] += string(token)
			case "title":
				title += string(token)
			}
		case xml.EndElement:
			in = map[string]string{"tspan": "text"}[token.Name.Local]
		}
	}
	if want := `A <picture> & its "text".`; title != want {
		t.Errorf("the title is %q, want %q", title, want)
	}
	if got, want := strings.Join(rows, "\n")+"\n", strings.ReplaceAll(transcript, "\n\n", "\n"); got != want {
		t.Errorf("it shows\n%s\nand not\n%s", got, want)
	}
}

func TestWhatCannotBeRecorded(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		filepath.Join(t.TempDir(), "none", "x.cast"): "parking: cannot record: open ",
		filepath.Join(t.TempDir(), "none", "x.svg"):  "parking: cannot record: open ",
		filepath.Join(t.TempDir(), "x.mp4"):          "parking: a recording is a .cast to play or an .svg to look at, not \"x.mp4\"; parking --help tells more\n",
		t.TempDir() + "/":                            "parking: a recording is ",
	} {
		code := 1
		if !strings.Contains(want, "cannot record") {
			code = 2 // it is a wrong flag
		}
		d := start(t, "--record", file)
		if got := d.ends(t, code); got != "" || !strings.HasPrefix(d.stderr.String(), want) || strings.Count(d.stderr.String(), "\n") != 1 {
			t.Errorf("--record %s says\n%s%s", file, got, d.stderr.String())
		}
	}
}

// What has failed does not take the place of a good picture.
func TestAPictureOfWhatFailedIsNotDrawn(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "x.svg")
	if err := os.WriteFile(file, []byte("good"), 0o644); err != nil {
		t.Fatal(err)
	}
	d := start(t, write(t, "start larry\nlarry> spaces\n   7 spaces\n"), "--record", file)
	d.ends(t, 1)
	if !strings.HasSuffix(d.stderr.String(), "parking: "+file+": what has not passed is not drawn\n") {
		t.Errorf("it says %s", d.stderr.String())
	}
	if b, err := os.ReadFile(file); string(b) != "good" {
		t.Errorf("the picture is now %q, %v", b, err)
	}
	if left, err := os.ReadDir(filepath.Dir(file)); len(left) != 1 {
		t.Errorf("beside the picture there is %v, %v", left, err)
	}
}

// Nor does what never ends, or has not even begun.
func TestAGoodRecordingIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cast, picture := filepath.Join(dir, "x.cast"), filepath.Join(dir, "x.svg")
	for _, file := range []string{cast, picture} {
		if err := os.WriteFile(file, []byte("good"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	start(t, write(t, "start larry\nlary> read\n"), "--record", cast).ends(t, 1)
	d := start(t, write(t, waiting), "--record", picture)
	nodes := processes(d.read(t, "25s"))
	if err := d.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range nodes {
		awaitGone(t, pid)
	}
	for _, file := range []string{cast, picture} {
		if b, err := os.ReadFile(file); string(b) != "good" {
			t.Errorf("%s is now %q, %v", file, b, err)
		}
	}
}

func TestVerbose(t *testing.T) {
	t.Parallel()
	got := start(t, "failover", "--verbose", "--pace", "1ms").ends(t, 0)
	for _, want := range []string{
		`(?m)^harry  \d\d:\d\d:\d\d\.\d{3}  x larry failed \(.+\) +2 nodes$`,
		`(?m)^gary   \d\d:\d\d:\d\d\.\d{3}  > ABC 123 came by gate 1          larry$`,
		`(?m)^took \d+(\.\d+)?m?s$`,
	} {
		if !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	for line := range strings.Lines(got) {
		if at := regexp.MustCompile(`\d\d:\d\d:\d\d\.\d{3}  [-+x#<>=!] `).FindStringIndex(line); at != nil && at[0] != len("harry  ") {
			t.Errorf("an event is in the midst of %q", line)
		}
	}
}

package repl

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"parking/lot"
	"parking/node/cookie"
)

var fingerprints = regexp.MustCompile(`[0-9a-f]{16}`)

// The cookie is told by its fingerprint, rotated to the one in a file, and the
// secret is nowhere in what is answered.
func TestCookie(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry, gary := l.start("larry"), l.start("gary")
		larry.do("await members 2")
		next := filepath.Join(t.TempDir(), "next")
		if err := os.WriteFile(next, []byte("brand new\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		before, after := labKeys().Fingerprint(), ""
		if keys, err := cookie.Derive("brand new"); err == nil {
			after = keys.Fingerprint()
		}
		equal(t, "cookie", larry.do("cookie"), "cookie "+before+"   from its configuration\n")
		equal(t, "cookie", larry.json().do("cookie"), `{"fingerprint":"`+before+`","accepted":["`+before+`"],"staged":"","former":"","source":"its configuration","rotating":""}`+"\n")
		for line, want := range map[string]string{
			"cookie rotate":                "no node has a cookie file",
			"cookie rotat":                 "did you mean rotate?",
			"cookie show":                  "there are cookie, cookie rotate [FILE] and cookie accept [FILE]",
			"cookie rotate next":           "give its whole path",
			"cookie rotate " + next + "x":  "no such file",
			"cookie rotate " + next + " x": "too many arguments",
			"cookie accept":                "give one: cookie accept FILE",
		} {
			_, _, err := larry.exec(line)
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %v, want %s", line, err, want)
			}
		}
		equal(t, "rotate", strings.Join(strings.Fields(larry.do("cookie rotate "+next)), " "),
			"ok the cookie "+after+" is in use, and "+before+" is refused"+
				" NODE STATE NEXT START gary rotated its next start needs the new cookie"+
				" larry rotated its next start needs the new cookie")
		equal(t, "cookie", gary.do("cookie"), "cookie "+after+"   from its configuration\n")
		gary.fails("cookie rotate "+next, lot.Refused, "that is the cookie in use already; give another one")
		if err := os.WriteFile(next, []byte("newer still\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		answer := gary.json().do("cookie rotate " + next)
		equal(t, "rotate", fingerprints.ReplaceAllString(answer, "F"), `{"ok":true,"from":"F","to":"F","nodes":[`+
			`{"node":"gary","state":"rotated","kept":false,"source":"its configuration","todo":"its next start needs the new cookie"},`+
			`{"node":"larry","state":"rotated","kept":false,"source":"its configuration","todo":"its next start needs the new cookie"}]}`+"\n")
		if strings.Contains(answer, "newer still") {
			t.Error("the secret is in the answer")
		}
	})
}

func TestCompleteCookie(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		larry := l.start("larry")
		var got []string
		for _, s := range larry.Complete(t.Context(), "cookie ") {
			got = append(got, s.Text)
		}
		equal(t, "completion", strings.Join(got, " "), "rotate accept")
	})
}

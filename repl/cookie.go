package repl

import (
	"fmt"
	"path/filepath"
	"slices"

	"parking/lot"
	"parking/node"
	"parking/node/cookie"
)

// cookieVerbs are what cookie can be told to do.
var cookieVerbs = []string{"rotate", "accept"}

// cookieOf tells of the cookie, or changes it.
func cookieOf(c *call) error {
	if len(c.words.args) == 0 {
		return showCookie(c)
	}
	verb, text := c.words.args[0], ""
	if !slices.Contains(cookieVerbs, verb) {
		return lot.Refuse(lot.Usage, "unknown cookie command %.40s; %s", printable(verb),
			DidYouMean(verb, cookieVerbs, "there are cookie, cookie rotate [FILE] and cookie accept [FILE]"))
	}
	if len(c.words.args) == 2 {
		var err error
		if text, err = cookieFile(c.node.Name(), c.words.args[1]); err != nil {
			return err
		}
	}
	if verb == "accept" {
		return acceptCookie(c, text)
	}
	return rotateCookie(c, text)
}

// cookieFile reads a cookie that stands in a file where the node runs. The secret
// itself is never typed: lines are kept.
func cookieFile(name, path string) (string, error) {
	if !filepath.IsAbs(path) {
		return "", lot.Refuse(lot.Usage, "%s reads the file: give its whole path, as in /run/secrets/cookie, and never the cookie itself", name)
	}
	text, err := cookie.Read(path)
	if err != nil {
		return "", lot.Refuse(lot.Usage, "%s", Plain(err))
	}
	return text, nil
}

type cookieJSON struct {
	Fingerprint string   `json:"fingerprint"`
	Accepted    []string `json:"accepted"`
	Staged      string   `json:"staged"`
	Former      string   `json:"former"`
	Source      string   `json:"source"`
	Rotating    string   `json:"rotating"`
}

func showCookie(c *call) error {
	k, err := c.node.Cookie(c.ctx)
	if err != nil {
		return err
	}
	if c.opt.Format == JSON {
		return writeJSON(c.out, cookieJSON{k.Fingerprint, append([]string{}, k.Accepted...), k.Staged, k.Former, k.Source, k.Rotating})
	}
	parts := []string{"cookie " + k.Fingerprint, "from " + k.Source}
	if k.Staged != "" {
		parts = append(parts, c.paint.warn("staged: "+k.Staged))
	}
	if k.Former != "" {
		parts = append(parts, c.paint.warn("accepted still: "+k.Former))
	}
	if k.Rotating != "" {
		parts = append(parts, c.paint.warn(k.Rotating+" is rotating it"))
	}
	_, err = fmt.Fprintln(c.out, Line(c.opt.Width, parts...))
	return err
}

type rotationJSON struct {
	okJSON
	From  string        `json:"from"`
	To    string        `json:"to"`
	Nodes []rotatedJSON `json:"nodes"`
}

type rotatedJSON struct {
	Node   string `json:"node"`
	State  string `json:"state"`  // rotated, missed or away
	Kept   bool   `json:"kept"`   // its next start has the new cookie
	Source string `json:"source"` // where that has its cookie from
	Todo   string `json:"todo"`   // empty: nothing
}

func rotateCookie(c *call, text string) error {
	r, err := c.node.RotateCookie(c.ctx, text)
	if err != nil {
		return err
	}
	if c.opt.Format == JSON {
		out := rotationJSON{okJSON{true}, r.From, r.To, make([]rotatedJSON, 0, len(r.Nodes))}
		for _, n := range r.Nodes {
			out.Nodes = append(out.Nodes, rotatedJSON{n.Node, stateOf(n), n.Kept, n.Source, todo(r, n)})
		}
		return writeJSON(c.out, out)
	}
	if err := c.ok("the cookie %s is in use, and %s is refused", r.To, r.From); err != nil {
		return err
	}
	rows := make([][]string, 0, len(r.Nodes))
	for _, n := range r.Nodes {
		next := "with it, from " + printable(n.Source)
		if what := todo(r, n); what != "" {
			next = c.paint.warn(printable(what))
		}
		rows = append(rows, []string{c.paint.node(n.Node), stateOf(n), next})
	}
	return c.table([]string{"NODE", "STATE", "NEXT START"}, rows)
}

// stateOf says in a word what became of a node in a rotation.
func stateOf(n node.Rotated) string {
	switch {
	case n.Away:
		return "away"
	case !n.Turned:
		return "missed"
	}
	return "rotated"
}

// todo says what is to be done about a node after a rotation, if anything is.
func todo(r node.Rotation, n node.Rotated) string {
	switch {
	case n.Turned && n.Kept:
		return ""
	case n.Turned:
		return n.Why + where(r)
	case n.Away:
		return "when it is back: cookie accept FILE at its prompt, or start it with the new cookie" + where(r)
	}
	return "it follows by itself, if it had the cookie before it went and is back within ten minutes; else cookie accept FILE at its prompt, or start it with the new one" + where(r)
}

// where says which node has the new cookie in a file.
func where(r node.Rotation) string {
	for _, n := range r.Nodes {
		if n.Turned && n.Kept {
			return fmt.Sprintf("; %s has it in %s", n.Node, n.Source)
		}
	}
	return ""
}

type acceptedJSON struct {
	okJSON
	Fingerprint string `json:"fingerprint"`
	Kept        bool   `json:"kept"`
	Todo        string `json:"todo"`
}

func acceptCookie(c *call, text string) error {
	fingerprint, unkept, err := c.node.AcceptCookie(c.ctx, text)
	if err != nil {
		return err
	}
	next := ""
	if unkept != nil {
		next = "the next start needs the new cookie: " + Plain(unkept)
	}
	if c.opt.Format == JSON {
		return writeJSON(c.out, acceptedJSON{okJSON{true}, fingerprint, unkept == nil, next})
	}
	if next != "" {
		c.remark("warning: %s", next)
	}
	return c.ok("%s has the cookie %s", c.node.Name(), fingerprint)
}

// afterCookie completes cookie rotate and accept.
var afterCookie = arguments(options(
	"rotate", "the whole cluster gets another cookie",
	"accept", "this node gets the one that the others have",
))

package main

import (
	"cmp"
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/kballard/go-shellquote"

	"parking/node"
	"parking/node/cookie"
	"parking/node/discover"
	"parking/node/member"
	"parking/repl"
)

// ownCookie reports whether a cookie was given that rules over the cookie file.
func (s *settings) ownCookie() bool {
	return s.given("cookie") && (s.typed("cookie") || !s.typed("cookie-file"))
}

// listen binds the port that was given; else that of the node's last life, if
// it is still free; else a free one.
func listen(s settings, last int, log *slog.Logger) (member.Transport, error) {
	ip := s.addr.AsSlice()
	if s.port == 0 && last != 0 {
		if t, err := member.Listen(ip, last, log); err == nil {
			return t, nil
		}
	}
	t, err := member.Listen(ip, s.port, log)
	if errors.Is(err, member.ErrPortTaken) {
		return nil, fmt.Errorf("port %d on %s is in use; give --bind another, or none for a free one", s.port, s.addr)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w; give --bind an address of this host", s.addr, err)
	}
	return t, nil
}

func config(s settings, keys *cookie.Keys, network member.Transport, near *neighbours, log *slog.Logger) node.Config {
	cfg := node.DefaultConfig()
	cfg.Name, cfg.Cluster, cfg.Keys, cfg.Network, cfg.Directory = s.Name, s.Cluster, keys, network, near
	cfg.Join, cfg.MustJoin, cfg.Apart, cfg.Seeds = s.Join, s.scripted(), !s.near, s.seeds
	cfg.Gates = node.Setting{Value: s.Gates, Given: s.given("gates")}
	cfg.Spaces = node.Setting{Value: s.Spaces, Given: s.given("spaces")}
	cfg.Push, cfg.Profile, cfg.Ack = node.Push(s.Push), node.Profile(s.Profile), s.Ack
	cfg.NoFaults, cfg.Signal, cfg.Die, cfg.Log = s.NoFaults, stopOrGoOn(near.dir), dieByOrder(s.Name), log
	var seed [16]byte
	_, _ = crand.Read(seed[:]) // never fails
	cfg.Rand = rand.New(rand.NewPCG(binary.LittleEndian.Uint64(seed[:8]), binary.LittleEndian.Uint64(seed[8:])))
	return cfg
}

// neighbours is the runtime directory as the node sees it: its own cluster.
type neighbours struct {
	claim  *discover.Claim
	dir    string
	id     discover.ID // under mu
	remark func(text string)

	mu   sync.Mutex
	also []string             // other cookies' fingerprints by which nodes are this one's
	told map[discover.ID]bool // strangers that were remarked upon
}

// Publish implements node.Directory.
func (d *neighbours) Publish(addr string, incarnation uint64) error {
	return d.claim.Publish(addr, incarnation)
}

// Accept implements node.Directory.
func (d *neighbours) Accept(fingerprints, retired []string) error {
	err := d.claim.Become(fingerprints[0], retired)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.id.Fingerprint, d.also = fingerprints[0], fingerprints[1:]
	return err
}

// Neighbours implements node.Directory. Strangers are left alone, but for those
// that have had this node's cookie: their cluster is this one's, and has another
// by now.
func (d *neighbours) Neighbours() (out []node.Neighbour, err error) {
	all, err := discover.List(d.dir)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range all {
		switch {
		case e.ID == d.id:
		case e.Cluster == d.id.Cluster && (e.Fingerprint == d.id.Fingerprint || slices.Contains(d.also, e.Fingerprint)):
			out = append(out, node.Neighbour{Name: e.Name, Addr: e.Addr, PID: e.PID, Incarnation: e.Incarnation})
		case e.Cluster == d.id.Cluster && slices.Contains(e.Retired, d.id.Fingerprint):
			err = cmp.Or(err, fmt.Errorf("the cookie of the cluster %s, to which %s on this host belongs, was rotated, and this node has the old one; give it the new one: in its cookie file, or by --cookie", e.Cluster, e.Name))
		case !d.told[e.ID]:
			if d.told == nil {
				d.told = make(map[discover.ID]bool)
			}
			d.told[e.ID] = true
			what := "with another cookie"
			if e.Cluster != d.id.Cluster {
				what = "in the cluster " + e.Cluster
			}
			d.remark(fmt.Sprintf("note: %s runs on this host %s; left alone", e.Name, what))
		}
	}
	return out, err
}

// tellNotices tells the node's notices until ctx or the node ends.
func tellNotices(ctx context.Context, to io.Writer, sub *node.Subscription) {
	for {
		events, _ := sub.Next(ctx)
		if events == nil {
			return
		}
		for _, e := range events {
			if e.Kind == node.Notice {
				fmt.Fprintf(to, "note: %s\n", repl.Plain(errors.New(e.Reason)))
			}
		}
	}
}

// greeting says who this node is, whom it has joined and which gates run where;
// to people, also what to do next.
func greeting(n *node.Node, s settings) string {
	width := 0
	if s.interactive() {
		width, _ = windowSize()
	}
	lines := []string{repl.Line(width, "parking "+version, n.Name()+" "+n.Addr(), "cluster "+n.Cluster(), "ledger "+node.Ledger)}
	if found := others(n.Members()); len(found) > 0 {
		lines = append(lines, "joined "+enumerate(found))
	}
	lines = append(lines, repl.GatesLine(n))
	if s.interactive() {
		lines = append(lines, fit(width, "help lists commands; another node:", another(s, n.Members())))
	}
	return strings.Join(lines, "\n")
}

// fit puts hint and command in one line, if the window is as wide.
func fit(width int, hint, command string) string {
	if len(hint)+1+len(command) > width {
		return hint + "\n  " + command
	}
	return hint + " " + command
}

// others returns the names of the members that are alive, but for this node's.
func others(members []node.Member) (names []string) {
	for _, m := range members {
		if m.Status == member.Alive && !m.Self {
			names = append(names, m.Name)
		}
	}
	return names
}

// enumerated is how many names a line takes.
const enumerated = 8

// enumerate lists names, or the first of many.
func enumerate(names []string) string {
	if more := len(names) - enumerated; more > 0 {
		return strings.Join(names[:enumerated], " ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(names, " ")
}

// another is how one starts the next node of this cluster. It repeats what was
// typed: a cookie from elsewhere is not shown.
func another(s settings, members []node.Member) string {
	free := slices.DeleteFunc([]string{"gary", "harry", "larry", "moe", "curly", "shemp"}, func(name string) bool {
		return slices.ContainsFunc(members, func(m node.Member) bool { return m.Name == name && m.Status == member.Alive })
	})
	name := "NAME"
	if len(free) > 0 {
		name = free[0]
	}
	words := []string{"parking --sname", name}
	for _, f := range []struct{ flag, value string }{
		{"cookie", s.Cookie}, {"cookie-file", s.CookieFile}, {"cluster", s.Cluster},
	} {
		if s.typed(f.flag) {
			words = append(words, "--"+f.flag, shellquote.Join(f.value))
		}
	}
	return strings.Join(words, " ")
}

package dns

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// MaxAddrs is how many addresses one answer counts for at most. Of more, so
	// many are drawn.
	MaxAddrs = 256
	// maxTargets bounds the hosts that an SRV answer may name, and atOnce how many
	// of them are looked up at a time.
	maxTargets = 256
	atOnce     = 8
	// timeout bounds a whole look-up: whoever looks again in a few seconds need not
	// wait longer for a packet that was lost.
	timeout = 3 * time.Second
)

// Errors of look-ups, which [Resolver.Seeds] wraps together with the name.
var (
	ErrNoName   = errors.New("no such name")
	ErrNoAnswer = errors.New("no answer in time")
	ErrServer   = errors.New("the name server failed")
)

// A Resolver looks one name up. It is safe for concurrent use.
type Resolver struct {
	name   Name
	server string // HOST:PORT; empty: the system's
}

// New returns a resolver of name that asks the name server at server, as
// HOST:PORT, or those of the system if server is empty.
//
// It is Go's own resolver in either case: it completes names by the system's
// search list, looks into /etc/hosts, and asks again by TCP where an answer was
// cut short.
func New(name Name, server string) *Resolver { return &Resolver{name: name, server: server} }

// during returns a resolver for one look-up. Go's goes on waiting for an answer
// though the context of the question has ended: its connections end with ctx.
func (r *Resolver) during(ctx context.Context) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(_ context.Context, network, server string) (net.Conn, error) {
		if r.server != "" {
			server = r.server
		}
		var d net.Dialer
		c, err := d.DialContext(ctx, network, server)
		if err == nil {
			context.AfterFunc(ctx, func() { _ = c.Close() })
		}
		return c, err
	}}
}

// String returns the name that is looked up.
func (r *Resolver) String() string { return r.name.String() }

// Seeds asks for the name's addresses now, as HOST:PORT, sorted, each once, and
// at most MaxAddrs. It blocks for a few seconds at most. Whatever part of an
// answer there is counts: an error means that there was none, and is one line
// that says why.
func (r *Resolver) Seeds(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	dns := r.during(ctx)
	var found []netip.AddrPort
	var err error
	if r.name.Service() {
		found, err = service(ctx, dns, r.name.Host)
	} else {
		found, err = host(ctx, dns, r.name.Host, uint16(r.name.Port)) // Parse has checked it
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: %w", r.name, plain(err))
	}
	slices.SortFunc(found, netip.AddrPort.Compare)
	found = slices.Compact(found)
	if len(found) > MaxAddrs {
		rand.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
		found = found[:MaxAddrs]
		slices.SortFunc(found, netip.AddrPort.Compare)
	}
	addrs := make([]string, len(found))
	for i, a := range found {
		addrs[i] = a.String()
	}
	return addrs, nil
}

// host returns the addresses of a host. The two families are asked for apart: a
// server that never answers for one of them does not hide the other.
func host(ctx context.Context, dns *net.Resolver, name string, port uint16) (found []netip.AddrPort, err error) {
	families := [...]string{"ip4", "ip6"}
	var addrs [len(families)][]netip.Addr
	var errs [len(families)]error
	var asked sync.WaitGroup
	for i, family := range families {
		asked.Go(func() { addrs[i], errs[i] = dns.LookupNetIP(ctx, family, name) })
	}
	asked.Wait()
	for _, a := range slices.Concat(addrs[:]...) {
		if a = a.Unmap(); a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() {
			found = append(found, netip.AddrPortFrom(a, port))
		}
	}
	return found, errors.Join(errs[:]...)
}

// service returns the addresses of the hosts that the SRV records of name tell.
func service(ctx context.Context, dns *net.Resolver, name string) (found []netip.AddrPort, err error) {
	_, records, err := dns.LookupSRV(ctx, "", "", name)
	if err != nil && len(records) == 0 {
		return nil, err
	}
	records = slices.DeleteFunc(records, func(s *net.SRV) bool { return s.Port == 0 || s.Target == "." })
	records = records[:min(len(records), maxTargets)] // by priority, then as their weights would have it
	var mu sync.Mutex
	var errs []error
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, s := range records {
		group.Go(func() error {
			addrs, err := host(ctx, dns, s.Target, s.Port)
			mu.Lock()
			defer mu.Unlock()
			found, errs = append(found, addrs...), append(errs, err)
			return nil
		})
	}
	_ = group.Wait()
	return found, errors.Join(errs...)
}

// plain says in words why there was no answer. Where two questions failed for
// different reasons, silence outweighs a failure, and either a name that is not
// there: that one may be.
func plain(err error) error {
	worst := ErrNoName
	for _, e := range leaves(err) {
		var d *net.DNSError
		switch {
		case errors.Is(e, context.DeadlineExceeded) || errors.As(e, &d) && d.IsTimeout:
			return ErrNoAnswer
		case errors.As(e, &d) && d.IsNotFound:
		default:
			worst = ErrServer
		}
	}
	return worst
}

// leaves returns the errors that were joined.
func leaves(err error) []error {
	if err == nil {
		return nil
	}
	several, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range several.Unwrap() {
		all = append(all, leaves(e)...)
	}
	return all
}

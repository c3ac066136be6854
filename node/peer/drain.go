package peer

import (
	"net/http"
	"sync"
)

// A Drain knows the requests that a server's handler is at, so that whoever
// ends the server can wait for them, which net/http does not do where a
// connection is cut. The zero value is ready.
type Drain struct {
	mu    sync.Mutex
	shut  bool
	under sync.WaitGroup
}

// Wrap returns h, counted. Requests that come after Wait began are not served.
func (d *Drain) Wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.during(func() { h.ServeHTTP(w, r) })
	})
}

// during calls f, counted, unless Wait has begun.
func (d *Drain) during(f func()) {
	d.mu.Lock()
	if d.shut {
		d.mu.Unlock()
		return
	}
	d.under.Add(1)
	d.mu.Unlock()
	defer d.under.Done()
	f()
}

// Wait blocks until all requests under way have been handled.
func (d *Drain) Wait() {
	d.mu.Lock()
	d.shut = true
	d.mu.Unlock()
	d.under.Wait()
}

package simnet

// maxHeld bounds the packets that wait in each direction of a frozen host; more
// are dropped, as a socket's buffer does. Written stream bytes wait as they do
// at a cut.
const maxHeld = queue

// Freeze stops the host or lets it go on, as SIGSTOP and SIGCONT do to a
// process: what it sends and what is sent to it is held back and delivered at
// the thaw, and dials in both directions hang until then or time out. Its node
// still runs, so it is the network alone that stands still: its clock and its
// timers go on.
func (h *Host) Freeze(frozen bool) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	if h.dead() || frozen == (h.thawed != nil) {
		return
	}
	if !frozen {
		h.thaw()
		return
	}
	h.thawed = make(chan struct{})
	h.net.adjust(h.streamsOf())
}

// thaw lets all go that was held; net.mu is held.
func (h *Host) thaw() {
	if h.thawed == nil {
		return
	}
	close(h.thawed)
	h.thawed = nil
	h.net.adjust(h.streamsOf())
	for _, deliver := range h.held {
		deliver()
	}
	h.held = nil
}

// hold runs deliver, now or at the thaw; net.mu is held.
func (h *Host) hold(deliver func()) {
	switch {
	case h.thawed == nil:
		deliver()
	case len(h.held) < 2*maxHeld:
		h.held = append(h.held, deliver)
	}
}

// streamsOf returns the open streams of h in both directions; net.mu is held.
func (h *Host) streamsOf() (all []*pipe) {
	for p := range h.pipes {
		all = append(all, p)
	}
	for _, o := range h.net.hosts {
		all = append(all, o.pipesTo(h.addr)...)
	}
	return all
}

// obstacle returns nil where a dial may pass, and otherwise what to wait for: a
// thaw, or, at a cut, nothing that ever comes; net.mu is held.
func (n *Network) obstacle(from *Host, addr string) <-chan struct{} {
	switch to := n.hosts[addr]; {
	case n.cut[[2]string{from.addr, addr}]:
		return make(chan struct{})
	case from.thawed != nil:
		return from.thawed
	case to != nil && to.thawed != nil:
		return to.thawed
	}
	return nil
}

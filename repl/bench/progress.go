package bench

import (
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// A Progress shows how far a long run is. A nil one shows nothing.
type Progress struct {
	to  io.Writer
	bar *progressbar.ProgressBar
}

// NewProgress shows progress at a terminal.
func NewProgress(to io.Writer) *Progress { return &Progress{to: to} }

// begin begins a step of so many parts. It ends the one before.
func (p *Progress) begin(what string, parts int) {
	if p == nil {
		return
	}
	p.done()
	p.bar = progressbar.NewOptions(parts,
		progressbar.OptionSetWriter(p.to),
		progressbar.OptionSetDescription(what),
		progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionClearOnFinish(),
	)
	_ = p.bar.RenderBlank()
}

// add notes that parts are done.
func (p *Progress) add(parts int) {
	if p != nil && p.bar != nil {
		_ = p.bar.Add(parts)
	}
}

// done takes the bar off the terminal.
func (p *Progress) done() {
	if p != nil && p.bar != nil {
		_ = p.bar.Clear()
		p.bar = nil
	}
}

// during begins a step that takes so long, and goes on by itself until it is
// stopped.
func (p *Progress) during(what string, d time.Duration) (stop func()) {
	if p == nil {
		return func() {}
	}
	const part = 100 * time.Millisecond
	p.begin(what, int(max(1, d/part)))
	ended := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(part)
		defer tick.Stop()
		for range max(0, d/part-1) { // the last part is done when all is
			select {
			case <-ended:
				return
			case <-tick.C:
				p.add(1)
			}
		}
	})
	return sync.OnceFunc(func() {
		close(ended)
		wg.Wait()
		p.done()
	})
}

package bench

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"
)

// A machine is where it was measured.
type machine struct {
	OS     string `json:"os"`
	Arch   string `json:"arch"`
	CPU    string `json:"cpu"` // its model; empty: unknown
	Cores  int    `json:"cores"`
	Memory uint64 `json:"memory_bytes"`
	Go     string `json:"go"`
}

func thisMachine(ctx context.Context) machine {
	m := machine{OS: runtime.GOOS, Arch: runtime.GOARCH, Cores: runtime.NumCPU(), Go: runtime.Version()}
	if all, err := cpu.InfoWithContext(ctx); err == nil && len(all) > 0 {
		m.CPU = strings.Join(strings.Fields(all[0].ModelName), " ")
	}
	if all, err := mem.VirtualMemoryWithContext(ctx); err == nil {
		m.Memory = all.Total
	}
	return m
}

// loadNow is how many processes want to run, on the average of the last minute.
func loadNow(ctx context.Context) float64 {
	avg, err := load.AvgWithContext(ctx)
	if err != nil {
		return 0
	}
	return avg.Load1
}

// loadEvery is how often the machine's load is noted.
const loadEvery = time.Second

// watchLoad notes the machine's load until it is stopped, which returns the
// highest.
func watchLoad(ctx context.Context) (stop func() float64) {
	ctx, cancel := context.WithCancel(ctx)
	highest := loadNow(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(loadEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				highest = max(highest, loadNow(ctx))
			}
		}
	})
	return func() float64 {
		cancel()
		wg.Wait()
		return highest
	}
}

package e2e

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// BenchmarkALargeModel sends a model of 1 GB, in Flower's chunks of 5 MB, to two agents and back, and reports how much more memory than
// before the server and the agents held at the most. Goal: less than 100 MB each.
func BenchmarkALargeModel(b *testing.B) {
	s := start(b, 10)
	one, two := s.approved("One").join(), s.approved("Two").join()
	hash := s.app("endings")
	s.launchWith(hash, "small", map[string]string{"rounds": "1"}, nil) // what comes with the first run is there
	s.becomes("small", "completed", time.Minute)
	who := map[string]int{"server": s.cmd.Process.Pid, "keeper": s.keeperPID(), "agent-1": one.node.Process.Pid, "agent-2": two.node.Process.Pid}
	idle := map[string]int64{}
	for name, pid := range who {
		idle[name] = resident(pid)
	}
	peaks := watchMemory(b, who)
	b.ResetTimer()
	began := time.Now()
	s.launchWith(hash, "large", map[string]string{"rounds": "1", "megabytes": "1000", "returns": "true", "timeout": "1500"}, nil)
	s.becomes("large", "completed", 25*time.Minute)
	if said := s.roundsSaid("large"); len(said) != 1 || said[0].results != 2 {
		b.Errorf("%+v", said)
	}
	b.ReportMetric(time.Since(began).Seconds(), "s/run")
	for name, peak := range peaks() {
		more := float64(peak-idle[name]) / 1e6
		b.ReportMetric(more, name+"-MB-above-idle")
		if name != "keeper" && more > 100 {
			b.Errorf("%s held %.0f MB more than idle (%.0f MB)", name, more, float64(idle[name])/1e6)
		}
	}
}

// resident returns the bytes that a process holds in memory.
func resident(pid int) int64 {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "statm"))
	if err != nil {
		return 0
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// watchMemory looks at processes all the time; what it returns ends that and says how much each held at the most.
func watchMemory(t testing.TB, who map[string]int) (peaks func() map[string]int64) {
	ctx, stop := context.WithCancel(t.Context())
	most := map[string]int64{}
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			for name, pid := range who {
				most[name] = max(most[name], resident(pid))
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	return func() map[string]int64 {
		stop()
		watching.Wait()
		return most
	}
}

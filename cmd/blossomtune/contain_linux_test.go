package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"blossomtune/internal/keeper"
	"blossomtune/internal/keeper/contain"

	"golang.org/x/sys/unix"
)

// BenchmarkContainedStart measures what a sandbox adds to the start and end of a program. Each iteration starts the program once without a sandbox,
// once with the floor and once with namespaces, so that a busy machine slows all three alike. +ms is the median of what the sandbox adds in
// time, +cpu-ms the same in CPU time of all processes involved. Use at least 20 iterations.
func BenchmarkContainedStart(b *testing.B) {
	if !contain.Check().Namespaces {
		b.Fatalf("containment does not work here: %+v", contain.Check())
	}
	log := filepath.Join(b.TempDir(), "log")
	start := func(p *contain.Policy) cost {
		before := costNow(b)
		c, err := keeper.Start(keeper.Command{Path: "/bin/true", LogFile: log, Contain: p, DieWithParent: true})
		if err != nil {
			b.Fatal(err)
		}
		if exit := c.Exit(); exit.Code != 0 {
			b.Fatal(exit)
		}
		return costNow(b).minus(before)
	}
	policies := map[string]*contain.Policy{"floor": {NoNamespaces: true}, "namespaces": {}}
	added := map[string][]cost{}
	for b.Loop() {
		plain := start(nil)
		for name, p := range policies {
			added[name] = append(added[name], start(p).minus(plain))
		}
	}
	for name, all := range added {
		b.ReportMetric(median(all, func(c cost) time.Duration { return c.wall }), fmt.Sprintf("+ms/%s", name))
		b.ReportMetric(median(all, func(c cost) time.Duration { return c.cpu }), fmt.Sprintf("+cpu-ms/%s", name))
	}
}

// cost is what something took; of now, since some fixed time.
type cost struct{ wall, cpu time.Duration }

var began = time.Now()

// costNow counts the CPU time of all children that have ended, with theirs.
func costNow(b *testing.B) cost {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_CHILDREN, &u); err != nil {
		b.Fatal(err)
	}
	return cost{wall: time.Since(began), cpu: time.Duration(u.Utime.Nano() + u.Stime.Nano())}
}

func (c cost) minus(o cost) cost { return cost{wall: c.wall - o.wall, cpu: c.cpu - o.cpu} }

// median returns milliseconds.
func median(all []cost, of func(cost) time.Duration) float64 {
	var out []float64
	for _, c := range all {
		out = append(out, of(c).Seconds()*1000)
	}
	slices.Sort(out)
	return out[len(out)/2]
}

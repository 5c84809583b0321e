package e2e

import (
	"fmt"
	"slices"
	"testing"
)

// BenchmarkContainment compares what a round costs with and without the sandbox of ClientApps, in turn, with the builtin SuperLink. The
// goal is at most 3 % more. BLOSSOMTUNE_BENCH_REPEATS says how often (5). The medians come as a table, with the median of the differences
// within each pair: on a busy machine both of a pair suffer alike.
func BenchmarkContainment(b *testing.B) {
	repeats := benchRepeats(b)
	ways := []struct {
		name  string
		flags []string
	}{{"off", []string{"--contain=off"}}, {"on", nil}}
	costs := make([][]cost, len(ways))
	for i := range repeats {
		for _, k := range []int{i % 2, 1 - i%2} {
			w := ways[k]
			b.Run(fmt.Sprintf("%s/%d", w.name, i+1), func(b *testing.B) {
				c := costOf(b, withServer(b, func(p *person) { p.join(w.flags...) }, builtinEngine))
				costs[k] = append(costs[k], c)
				b.ReportMetric(c.wall, "s/round")
				b.ReportMetric(c.cpu, "cpu-s/round")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
	off, on := costs[0], costs[1]
	if len(off) != len(on) || len(on) == 0 {
		return // not asked for, or it failed
	}
	fmt.Printf("\nA round of quickstart_digits with two agents: slope between %d and %d rounds, median of %d (lowest–highest).\n%s\n\n",
		shortRun, longRun, len(on), machine(b))
	fmt.Println("| | off | on | on against off, median of pairs |\n|---|---|---|---|")
	for _, m := range []struct {
		name string
		of   func(cost) float64
	}{{"CPU seconds a round", func(c cost) float64 { return c.cpu }}, {"seconds a round", func(c cost) float64 { return c.wall }}} {
		var more []float64
		for i := range on {
			more = append(more, 100*(m.of(on[i])/m.of(off[i])-1))
		}
		slices.Sort(more)
		fmt.Printf("| %s | %s | %s | %+.1f %% |\n", m.name, spread(off, m.of), spread(on, m.of), (more[(len(more)-1)/2]+more[len(more)/2])/2)
	}
}

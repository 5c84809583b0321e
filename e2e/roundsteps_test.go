package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// exchange is what /api/v1/runs/NAME/rounds/N says of one message.
type exchange struct {
	Phase                                      string
	Asked, Taken, Get, Got, Put, Sent, Replied *time.Time
}

// steps says how long each part of an exchange took in a run, as medians: of what the gateway saw and the Runtime API was asked for.
func (s *server) steps(t testing.TB, name string) string {
	t.Helper()
	parts := map[string][]float64{}
	for round := 1; round <= longRun; round++ {
		var all []exchange
		s.admin.must("GET", fmt.Sprintf("/runs/%s/rounds/%d", name, round), nil, &all)
		for _, e := range all {
			for _, step := range []struct {
				name     string
				from, to *time.Time
			}{
				{"until it is taken", e.Asked, e.Taken}, {"download", e.Taken, e.Got}, {"work", e.Got, e.Put},
				{"upload", e.Put, e.Sent}, {"until the ServerApp gets it", e.Sent, e.Replied}, {"all", e.Asked, e.Replied},
			} {
				if step.from != nil && step.to != nil {
					parts[e.Phase+" "+step.name] = append(parts[e.Phase+" "+step.name], step.to.Sub(*step.from).Seconds())
				}
			}
		}
	}
	var out []string
	for part, times := range parts {
		slices.Sort(times)
		out = append(out, fmt.Sprintf("%s %.2f s", part, times[len(times)/2]))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// idleMemory says what SuperNodes hold when nothing runs, each with what it started.
func idleMemory(nodes []int) string {
	var out []string
	for _, pid := range nodes {
		text := fmt.Sprintf("SuperNode %.0f MB", float64(resident(pid))/1e6)
		for _, child := range descendants(pid) {
			text += fmt.Sprintf(" + %s %.0f MB", kindOf(child), float64(proportional(child))/1e6)
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func descendants(pid int) (all []int) {
	threads, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task", "*", "children"))
	for _, file := range threads {
		text, _ := os.ReadFile(file)
		for _, field := range strings.Fields(string(text)) {
			child, _ := strconv.Atoi(field)
			all = append(append(all, child), descendants(child)...)
		}
	}
	return all
}

// proportional returns a process's proportional set size in bytes: what it shares with others counts in part.
func proportional(pid int) int64 {
	text, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "smaps_rollup"))
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "Pss:"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			return kb * 1024
		}
	}
	return 0
}

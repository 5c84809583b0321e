package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// traffic is what strangers and readers do to a server.
type traffic struct {
	sync.WaitGroup
	ctx    context.Context
	s      *server
	cookie string
}

// pause waits, and reports whether to go on.
func (t *traffic) pause(d time.Duration) bool {
	select {
	case <-t.ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// stranger connects, sends a beginning and then a byte each second until the connection is cut, again and again.
func (t *traffic) stranger(begin string) {
	for t.pause(200 * time.Millisecond) {
		c, err := (&net.Dialer{}).DialContext(t.ctx, "tcp", t.s.addr)
		if err != nil {
			continue
		}
		cut := make(chan struct{})
		go func() { defer close(cut); _, _ = io.Copy(io.Discard, c) }()
		_, err = io.WriteString(c, begin)
		for err == nil && t.open(cut) {
			if begin != "" {
				_, err = c.Write([]byte("x"))
			}
		}
		_ = c.Close()
		<-cut
	}
}

// open waits a second, and reports whether a connection is still there.
func (t *traffic) open(cut <-chan struct{}) bool {
	select {
	case <-t.ctx.Done():
		return false
	case <-cut:
		return false
	case <-time.After(time.Second):
		return true
	}
}

// reader gets a page as a signed-in browser does, again and again; it leaves a stream after three seconds.
func (t *traffic) reader(path string) {
	for t.pause(500 * time.Millisecond) {
		ctx, leave := context.WithTimeout(t.ctx, 3*time.Second)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.s.url+path, nil)
		if err == nil {
			req.AddCookie(&http.Cookie{Name: "blossomtune_session", Value: t.cookie})
			if res, err := http.DefaultClient.Do(req); err == nil {
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		}
		leave()
	}
}

// measure is one row of the table: what is watched, and by how much it may grow before that counts, besides a tenth.
type measure struct {
	name  string
	floor float64
	of    func() (float64, bool) // false: it is not there at this moment
}

// watcher samples all measures each sampleEvery.
type watcher struct {
	measures []measure
	samples  [][]float64 // -1 where one was not there
	stop     func()
}

const sampleEvery = 10 * time.Second

// watch begins to sample.
func (k *soak) watch() *watcher {
	w := &watcher{}
	for _, p := range []struct {
		name string
		pid  func() int
	}{{"server", func() int { return k.s.cmd.Process.Pid }}, {"keeper", func() int { return keeperOf(k.s.data) }},
		{"agent One", func() int { return agentOf(k.one) }}, {"agent Two, killed each time", func() int { return agentOf(k.two) }}} {
		w.measures = append(w.measures,
			measure{p.name + ": memory (PSS, MB)", 5, func() (float64, bool) { return held(p.pid()) }},
			measure{p.name + ": threads", 4, func() (float64, bool) { return entries(p.pid(), "task") }},
			measure{p.name + ": descriptors", 10, func() (float64, bool) { return entries(p.pid(), "fd") }})
		if p.name == "server" {
			w.measures = append(w.measures, measure{"server: goroutines", 20, func() (float64, bool) { return k.s.goroutines() }})
		}
	}
	w.measures = append(w.measures, measure{"all processes", 5, func() (float64, bool) { return float64(len(processes(k.s.data))), true }})
	ctx, cancel := context.WithCancel(k.b.Context())
	var done sync.WaitGroup
	done.Go(func() {
		for tick := time.NewTicker(sampleEvery); ; {
			select {
			case <-ctx.Done():
				tick.Stop()
				return
			case <-tick.C:
				w.sample()
			}
		}
	})
	w.stop = func() { cancel(); done.Wait() }
	return w
}

func (w *watcher) sample() {
	row := make([]float64, len(w.measures))
	for i, m := range w.measures {
		v, ok := m.of()
		if !ok {
			v = -1
		}
		row[i] = v
	}
	w.samples = append(w.samples, row)
}

// compare prints the medians of the first and last third, and fails the test where a measure has grown.
func (w *watcher) compare(t testing.TB) {
	table, faults := w.table()
	fmt.Println(table)
	for _, fault := range faults {
		t.Error(fault)
	}
}

func (w *watcher) table() (table string, faults []string) {
	third := len(w.samples) / 3
	if third < 3 {
		return "", []string{fmt.Sprintf("%d samples are too few", len(w.samples))}
	}
	var out strings.Builder
	out.WriteString("| | first third | last third | may grow to |\n|---|---|---|---|\n")
	for i, m := range w.measures {
		first, last := w.median(i, 0, third), w.median(i, len(w.samples)-third, len(w.samples))
		most := first + max(first/10, m.floor)
		fmt.Fprintf(&out, "| %s | %.1f | %.1f | %.1f |\n", m.name, first, last, most)
		if first < 0 || last < 0 {
			faults = append(faults, m.name+" was hardly ever there")
		} else if last > most {
			faults = append(faults, fmt.Sprintf("%s grew from %.1f to %.1f", m.name, first, last))
		}
	}
	return out.String(), faults
}

func (w *watcher) median(measure, from, to int) float64 {
	var v []float64
	for _, row := range w.samples[from:to] {
		if row[measure] >= 0 {
			v = append(v, row[measure])
		}
	}
	if len(v) < (to-from)/2 {
		return -1
	}
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// agentOf finds the process of a participant's agent by its directory.
func agentOf(p *person) int {
	for _, text := range processes(filepath.Join(p.home, "agent")) {
		pid, cmd, _ := strings.Cut(text, " ")
		if n, err := strconv.Atoi(pid); err == nil && strings.Contains(cmd, "blossomtune join ") {
			return n
		}
	}
	return 0
}

// keeperOf finds the keeper's process by its program.
func keeperOf(data string) int {
	var st struct{ Keeper struct{ PID int } }
	if text, err := os.ReadFile(filepath.Join(data, "federations", "1", "keeper.json")); err != nil || json.Unmarshal(text, &st) != nil {
		return 0
	}
	return st.Keeper.PID
}

// held returns a process's memory in MB.
func held(pid int) (float64, bool) {
	bytes := proportional(pid)
	return float64(bytes) / 1e6, bytes > 0
}

// entries counts what a directory of a process in /proc has.
func entries(pid int, dir string) (float64, bool) {
	found, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), dir))
	return float64(len(found)), err == nil
}

// goroutines reads the server's own count.
func (s *server) goroutines() (float64, bool) {
	res, err := s.admin.HTTP.Get(s.url + "/metrics")
	if err != nil {
		return 0, false
	}
	defer res.Body.Close()
	for in := bufio.NewScanner(res.Body); in.Scan(); {
		if value, ok := strings.CutPrefix(in.Text(), "go_goroutines "); ok {
			n, err := strconv.ParseFloat(value, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// A measure that grows by more than a tenth and its floor is named, as is one that is hardly ever there; others are not.
func TestGrowthIsNamed(t *testing.T) {
	w := &watcher{measures: []measure{{name: "grows", floor: 5}, {name: "within a tenth", floor: 5}, {name: "within the floor", floor: 5}, {name: "shrinks"}, {name: "gone", floor: 5}}}
	for i := range 30 {
		row := []float64{100, 100, 10, 50 - float64(i), 7}
		if i >= 15 {
			row = []float64{111, 109, 14, 50 - float64(i), -1}
		}
		w.samples = append(w.samples, row)
	}
	table, faults := w.table()
	if got := strings.Join(faults, "; "); got != "grows grew from 100.0 to 111.0; gone was hardly ever there" || strings.Count(table, "\n") != 2+5 {
		t.Errorf("%s\n%s", got, table)
	}
	if _, faults := (&watcher{samples: w.samples[:8]}).table(); len(faults) != 1 {
		t.Errorf("with few samples: %v", faults)
	}
}

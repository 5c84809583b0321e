package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"blossomtune/internal/testflwr"
)

// tab is what one tab of a browser has seen.
type tab struct {
	Lines  [][2]int // number of a stamped line, and the milliseconds from its stamp to the page
	Charts []int64  // when the charts changed
	Told   []int64  // when the page was told of a metric
	Shown  [][2]any // what the log shows at the end: number and text
}

// watchers are tabs of a browser that watch a run.
type watchers struct {
	t   testing.TB
	cmd *exec.Cmd
	in  io.Writer
	out *bufio.Reader
}

func (s *server) watch(base, cookie, path string, tabs int) *watchers {
	s.t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		s.t.Fatalf("chromium is missing: %v", err)
	}
	job, err := json.Marshal(map[string]any{"assets": filepath.Join(testflwr.Root(s.t), "internal", "web", "assets"), "chromium": chromium, "base": base, "cookie": cookie, "path": path, "tabs": tabs})
	if err != nil {
		s.t.Fatal(err)
	}
	file := filepath.Join(s.t.TempDir(), "job.json")
	if err := os.WriteFile(file, job, 0o600); err != nil {
		s.t.Fatal(err)
	}
	w := &watchers{t: s.t, cmd: exec.CommandContext(s.t.Context(), "node", "watch.mjs", file)}
	w.cmd.Stderr = os.Stderr
	in, err := w.cmd.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	w.in, w.out = in, bufio.NewReaderSize(out, 1<<20)
	if err := w.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	if line, err := w.out.ReadString('\n'); err != nil || line != "READY\n" {
		s.t.Fatalf("the browser says %q, %v", line, err)
	}
	return w
}

// seen ends the watching when a line is on the page; 0: at once.
func (w *watchers) seen(line int) (out []tab) {
	w.t.Helper()
	if _, err := fmt.Fprintln(w.in, line); err != nil {
		w.t.Fatal(err)
	}
	if err := json.NewDecoder(w.out).Decode(&out); err != nil {
		w.t.Fatal(err)
	}
	_ = w.cmd.Wait()
	return out
}

// listen reads a page's stream until the test ends, as a browser does that shows nothing.
func (s *server) listen(cookie, path string) {
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path+"/events", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.AddCookie(&http.Cookie{Name: "blossomtune_session", Value: cookie})
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		s.t.Fatalf("a stream is answered with %s", res.Status)
	}
	go func() {
		defer res.Body.Close()
		_, _ = io.Copy(io.Discard, res.Body)
	}()
}

// From a line's write, and a metric's arrival, to the page of fifty who watch: a browser, which tells the times, and 49 more streams.
// More browsers would measure each other: all of them, the SuperNodes and the server share this machine's cores.
func TestFiftyViewersSeeLinesAndMetricsAtOnce(t *testing.T) {
	const tabs, viewers = 1, 50
	s := start(t, 3)
	one, two := s.approved("One").join("--share-logs"), s.approved("Two").join()
	cookie := s.signIn()
	r := s.becomes(s.launch(s.app("chatty"), map[string]string{"lines": "900", "rate": "20"}).Name, "running", time.Minute)
	path := "/f/fed/runs/" + r.Name
	w := s.watch(s.url, cookie, path, tabs)
	for range viewers - tabs {
		s.listen(cookie, path)
	}
	s.becomes(r.Name, "completed", 2*time.Minute)
	var lines []time.Duration
	for _, tab := range w.seen(0) {
		for _, l := range tab.Lines {
			if l[1] < 60_000 && l[0] > 600 { // all of the fifty watched by then
				lines = append(lines, time.Duration(l[1])*time.Millisecond)
			}
		}
	}
	tellLatency(t, "from a line's write to the DOM", lines)

	r = s.launch(s.app("steady"), map[string]string{"num-server-rounds": "12", "pause": "0.5"})
	s.becomes(r.Name, "running", time.Minute)
	path = "/f/fed/runs/" + r.Name
	w = s.watch(s.url, cookie, path, tabs)
	ready := time.Now()
	for range viewers - tabs {
		s.listen(cookie, path)
	}
	s.becomes(r.Name, "completed", 3*time.Minute)
	var ms []struct {
		Node string    `json:"node_id"`
		At   time.Time `json:"at"`
		Name string
	}
	s.admin.must("GET", "/runs/"+r.Name+"/metrics", nil, &ms)
	var told, drawn []time.Duration
	for _, tab := range w.seen(0) {
		last := int64(0)
		for _, m := range ms {
			if at := m.At.UnixMilli(); m.At.After(ready) && at > last+300 { // the first of those that came together
				last = at
				told, drawn = append(told, after(at, tab.Told)...), append(drawn, after(at, tab.Charts)...)
			}
		}
	}
	tellLatency(t, "from a metric's arrival to the browser", told)
	tellLatency(t, "from a metric's arrival to the DOM", drawn)
	t.Run("the logs of a machine whose owner agreed", func(t *testing.T) { sharedLogs(t, s, one, two) })
}

// sharedLogs looks whether the managers see the logs of the one machine that shares them, of SuperNode and ClientApps.
func sharedLogs(t *testing.T, s *server, shares, keeps *person) {
	for part, want := range map[string]string{"supernode": "SuperNode ID", "clientapp": "[run "} {
		await(t, 20*time.Second, "the "+part+" log has come", func() (string, bool) {
			found, err := filepath.Glob(filepath.Join(s.data, "federations", "1", "nodes", "*", part+".log"))
			if err != nil || len(found) != 1 {
				return fmt.Sprint(found, err), false
			}
			text, err := os.ReadFile(found[0])
			return fmt.Sprintf("%d bytes, %v", len(text), err), strings.Contains(string(text), want)
		})
	}
	for p, want := range map[*person]bool{shares: true, keeps: false} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/me/fed", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := p.c.HTTP.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil || strings.Contains(string(body), "shared with the managers") != want || strings.Contains(string(body), "stay on your machine") == want {
			t.Errorf("%s shares: %v; the page says otherwise (%s, %v)", p.name, want, res.Status, err)
		}
	}
}

// after is how long after a moment the first of others came; none where none did.
func after(at int64, moments []int64) []time.Duration {
	for _, m := range moments {
		if m >= at {
			return []time.Duration{time.Duration(m-at) * time.Millisecond}
		}
	}
	return nil
}

func tellLatency(t *testing.T, what string, ds []time.Duration) {
	t.Helper()
	if len(ds) < 10 {
		t.Fatalf("%s: only %d are measured", what, len(ds))
	}
	t.Logf("MEASURED %s: p50 %s, p95 %s of %d (goal: p95 200 ms)", what, percentile(ds, 50), percentile(ds, 95), len(ds))
}

// cable is a way to the server that can be cut.
type cable struct {
	ln   net.Listener
	mu   sync.Mutex
	down bool
	open map[net.Conn]bool
}

func newCable(t *testing.T, to string) *cable {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &cable{ln: ln, open: map[net.Conn]bool{}}
	t.Cleanup(func() { ln.Close(); w.set(true) })
	go func() {
		for {
			a, err := ln.Accept()
			if err != nil {
				return
			}
			b, err := net.Dial("tcp", to)
			w.mu.Lock()
			if w.down || err != nil {
				a.Close()
				if b != nil {
					b.Close()
				}
				w.mu.Unlock()
				continue
			}
			w.open[a], w.open[b] = true, true
			w.mu.Unlock()
			for _, way := range [][2]net.Conn{{a, b}, {b, a}} {
				go func() {
					_, _ = io.Copy(way[0], way[1])
					way[0].Close()
				}()
			}
		}
	}()
	return w
}

// set cuts all connections and refuses new ones, or lets them through again.
func (w *cable) set(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = down
	for c := range w.open {
		c.Close()
	}
	clear(w.open)
}

// The connection is cut again and again while lines come: in the end each line is on the page once.
func TestAWatcherWhoseConnectionIsLostMissesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	const lines = 600
	s := start(t, 3)
	w := newCable(t, s.addr)
	r := s.becomes(s.launch(s.app("chatty"), map[string]string{"lines": fmt.Sprint(lines), "rate": "30"}).Name, "running", time.Minute)
	base := "http://localhost:" + portOf(w.ln.Addr().String())
	tabs := s.watch(base, s.signIn(), "/f/fed/runs/"+r.Name, 1)
	for cut := range 5 {
		from := s.total(r)
		w.set(cut%2 == 0) // cut, and each other time only broken off
		await(t, time.Minute, "lines come meanwhile", func() (string, bool) {
			n := s.total(r)
			return fmt.Sprint(n), n > from+40 || n >= lines
		})
		w.set(false)
	}
	s.becomes(r.Name, "completed", 2*time.Minute)
	shown := tabs.seen(s.total(r))[0].Shown
	next := 0.0
	for i, l := range shown {
		n, text := l[0].(float64), l[1].(string)
		if i > 0 && n != next+1 {
			t.Fatalf("line %v follows line %v", n, next)
		}
		next = n
		if strings.HasPrefix(text, "line ") && !strings.Contains(text, " at ") {
			t.Errorf("line %v is %q", n, text)
		}
	}
	if total := s.total(r); len(shown) == 0 || int(next) != total || shown[0][0].(float64) != 1 {
		t.Errorf("%d lines are shown, the last is %v of %d", len(shown), next, total)
	}
}

func (s *server) total(r runView) int {
	s.t.Helper()
	var l struct{ Total int }
	s.admin.must("GET", "/runs/"+r.Name+"/log?from=-1&limit=1", nil, &l)
	return l.Total
}

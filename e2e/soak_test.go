package e2e

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkSoak has a server, two agents and a plain SuperNode work for BLOSSOMTUNE_SOAK_MINUTES (10): runs that complete and runs that
// fail, slow strangers and readers, and kills of an agent, a SuperNode and the SuperLink. Each process's memory, threads and descriptors,
// and the server's goroutines, are compared between the first and the last third: growth beyond the margin fails. Server and keeper are
// killed before and after, not between: what a process gathers can only be seen while it lives.
func BenchmarkSoak(b *testing.B) {
	minutes, err := strconv.ParseFloat(cmp.Or(os.Getenv("BLOSSOMTUNE_SOAK_MINUTES"), "10"), 64)
	if err != nil || minutes <= 0 {
		b.Fatal("BLOSSOMTUNE_SOAK_MINUTES is not a positive number")
	}
	k := newSoak(b)
	k.cycle("warm-up")
	k.killServerAndKeeper("killed-before")
	stop := k.strangersAndReaders()
	watch := k.watch()
	n := 0
	for began := time.Now(); time.Since(began) < time.Duration(minutes*float64(time.Minute)); n++ {
		k.cycle(itoa(n))
	}
	watch.stop()
	stop()
	k.killServerAndKeeper("killed-after")
	fmt.Printf("\n%.0f minutes: %d times six runs, three of which complete and one of which fails, beside slow strangers and readers; each time an agent, a plain SuperNode and "+
		"the SuperLink were killed. Medians of the first and last third of %d samples.\n%s\n\n", minutes, n, len(watch.samples), machine(b))
	watch.compare(b)
}

// soak is what works for a while.
type soak struct {
	b               *testing.B
	s               *server
	one, two, three *person
	apps            map[string]string // hashes by name
	cookie          string
	names           int // of runs, so far
}

func newSoak(b *testing.B) *soak {
	k := &soak{b: b, s: startWith(b, 10, freeAddr(b), flowerEngine), apps: map[string]string{}}
	k.one, k.two, k.three = k.s.approved("One").join(), k.s.approved("Two").join(), k.s.approved("Three").plain()
	for _, name := range []string{"steady", "raises", "chatty", "one_fails"} {
		k.apps[name] = k.s.app(name)
	}
	k.cookie = k.s.signIn()
	return k
}

// launch starts a run of an app and returns its name.
func (k *soak) launch(app string, config map[string]string, settings map[string]any) string {
	k.names++
	name := fmt.Sprintf("%s-%d", strings.ReplaceAll(app, "_", "-"), k.names)
	k.s.launchWith(k.apps[app], name, config, settings)
	return name
}

func steady(rounds int) map[string]string {
	return map[string]string{"num-server-rounds": itoa(rounds), "pause": "0.1", "min-nodes": "3"}
}

// cycle is what is done again and again.
func (k *soak) cycle(what string) {
	s, began := k.s, time.Now()
	k.ends(k.launch("steady", steady(2), nil), "completed")
	k.ends(k.launch("raises", nil, nil), "failed")
	k.ends(k.launch("chatty", map[string]string{"lines": "20000"}, nil), "completed")
	k.ends(k.launch("one_fails", map[string]string{"num-server-rounds": "2", "pause": "0"}, nil), "completed", "failed")

	cut := k.launch("steady", steady(4), map[string]any{"round_seconds": 20})
	s.atRound(cut, 1)
	k.killAgent(k.two)
	k.ends(cut, "completed", "failed") // as Flower decides: with two SuperNodes, or by the limit
	k.rejoin(k.two)
	k.three.restarted()
	k.three.online()

	through := k.launch("steady", steady(3), nil)
	s.atRound(through, 2)
	if err := syscall.Kill(s.superLinkPID(k.b), syscall.SIGKILL); err != nil {
		k.b.Fatal(err)
	}
	k.ends(through, "completed")
	s.awaitUp()
	k.b.Logf("cycle %s took %.0f s", what, time.Since(began).Seconds())
}

// ends waits until a run has ended. One that ends in another state than may be fails the test, which goes on: the table is wanted as well.
func (k *soak) ends(name string, maybe ...string) {
	if r := k.s.ends(name, 15*time.Minute); !slices.Contains(maybe, r.State) {
		k.b.Errorf("%s is %s: %+v", name, r.State, r.Cause)
	}
}

func (k *soak) killAgent(p *person) {
	if err := syscall.Kill(-p.node.Process.Pid, syscall.SIGKILL); err != nil {
		k.b.Fatal(err)
	}
	_ = p.node.Wait()
}

// rejoin starts an agent's command again.
func (k *soak) rejoin(p *person) {
	p.run(bin(k.b), "join", k.s.url, "--dir", filepath.Join(p.home, "agent"), "--python-dir", filepath.Join(k.s.data, "python"), "--deps", "never")
	p.online()
}

// killServerAndKeeper kills both as a power cut would; a run completes afterwards.
func (k *soak) killServerAndKeeper(what string) {
	k.s.kill()
	k.s.serve()
	k.s.killKeeper(k.b)
	for _, p := range []*person{k.one, k.two, k.three} {
		p.online()
	}
	k.ends(k.launch("steady", steady(2), nil), "completed")
	k.b.Logf("%s: the server is process %d", what, k.s.cmd.Process.Pid)
}

// strangersAndReaders keeps connections to the server until what it returns is called.
func (k *soak) strangersAndReaders() (stop func()) {
	ctx, cancel := context.WithCancel(k.b.Context())
	t := &traffic{ctx: ctx, s: k.s, cookie: k.cookie}
	for range 40 {
		t.Go(func() { t.stranger("") })
	}
	for range 10 {
		t.Go(func() { t.stranger("\x16") }) // as if TLS began
	}
	for range 20 {
		t.Go(func() {
			t.stranger("POST /signin HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 5000\r\n\r\n")
		})
	}
	for _, path := range []string{"/overview/events", "/f/fed/events", "/f/fed/runs", "/f/fed/runs/events", "/f/fed/nodes", "/", "/api/v1/federations/fed/runs"} {
		t.Go(func() { t.reader(path) })
	}
	return func() { cancel(); t.Wait() }
}

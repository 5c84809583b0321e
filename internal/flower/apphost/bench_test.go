package apphost_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/flower/apphost"
	"blossomtune/internal/keeper"
	"blossomtune/internal/testflwr"
)

// runtimeAPI is a Runtime API that gives every ClientApp the same message.
type runtimeAPI struct {
	addr  string
	lines *bufio.Scanner
}

func newRuntimeAPI(b *testing.B, fab []byte) *runtimeAPI {
	b.Helper()
	base, file := testflwr.Venv(b), filepath.Join(b.TempDir(), "app.fab")
	if err := os.WriteFile(file, fab, 0o600); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, base.Bin("python"), filepath.Join("testdata", "runtime.py"), file, "blossomtune/quickstart-digits", "1.0.0")
	cmd.Env, cmd.Stderr = base.Environ(b.TempDir()), os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { cancel(); _, _ = io.Copy(io.Discard, out); _ = cmd.Wait() })
	r := &runtimeAPI{lines: bufio.NewScanner(out)}
	r.addr = "127.0.0.1:" + r.line(b, "port")[0]
	return r
}

// line returns the words of the next line, which must begin with this one.
func (r *runtimeAPI) line(b *testing.B, word string) []string {
	b.Helper()
	if !r.lines.Scan() {
		b.Fatal("the Runtime API has ended")
	}
	words := strings.Fields(r.lines.Text())
	if words[0] != word {
		b.Fatalf("%q instead of %s", words, word)
	}
	return words[1:]
}

// at returns the time of the next line.
func (r *runtimeAPI) at(b *testing.B, word string) time.Time {
	b.Helper()
	words := r.line(b, word)
	ns, err := strconv.ParseInt(words[0], 10, 64)
	if err != nil || len(words) > 1 && words[1] != "False" {
		b.Fatalf("the reply is an error: %q", words)
	}
	return time.Unix(0, ns)
}

// cpuSeconds follows a process to its end, and returns the CPU time that it used by then.
func cpuSeconds(child *keeper.Child) (used float64) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child.Identity().PID)); err == nil {
			_, rest, _ := strings.Cut(string(text), ") ")
			if f := strings.Fields(rest); len(f) > 12 {
				user, _ := strconv.ParseFloat(f[11], 64)
				system, _ := strconv.ParseFloat(f[12], 64)
				used = max(used, (user+system)/100)
			}
		}
		select {
		case <-child.Done():
			return used
		case <-tick.C:
		}
	}
}

// BenchmarkClientApp handles one message of quickstart_digits per iteration: s/asked is the time until the app's process asks for its
// task, s/reply that until it replies, s/cpu the CPU time of the process. All are medians.
func BenchmarkClientApp(b *testing.B) {
	bundle, err := testflwr.Venv(b).BuildFAB(context.Background(), filepath.Join(testflwr.Root(b), "apps", "quickstart_digits"))
	if err != nil {
		b.Fatal(err)
	}
	api := newRuntimeAPI(b, bundle)
	for _, bench := range []struct {
		name   string
		change func(*apphost.Options)
	}{
		{"command", func(o *apphost.Options) { o.MaxTemplates = -1 }},
		{"template", func(o *apphost.Options) { o.NoPreload = true }},
		{"preload", func(*apphost.Options) {}},
		{"preload-no-install", func(o *apphost.Options) { o.Install = false }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			p, dir := pool(b, b.TempDir(), bench.change), b.TempDir()
			var asked, replied, cpu []float64
			message := func() {
				began := time.Now()
				r, err := p.Prepare(context.Background(), bundle)
				if err != nil {
					b.Fatal(err)
				}
				defer r.Release()
				child, err := p.Start(r, apphost.ClientApp, []string{"--runtime-api-address", api.addr, "--insecure", "--token", "t"},
					keeper.Fork{LogFile: filepath.Join(dir, "log")}, nil)
				if err != nil {
					b.Fatal(err)
				}
				used := cpuSeconds(child)
				asked = append(asked, api.at(b, "asked").Sub(began).Seconds())
				replied = append(replied, api.at(b, "replied").Sub(began).Seconds())
				if exit := child.Exit(); exit.Code != 0 {
					text, _ := os.ReadFile(filepath.Join(dir, "log"))
					b.Fatalf("%s: %s", exit, text)
				}
				cpu = append(cpu, used)
			}
			message() // the first one builds and warms
			asked, replied, cpu = nil, nil, nil
			for b.Loop() {
				message()
			}
			for unit, all := range map[string][]float64{"s/asked": asked, "s/reply": replied, "s/cpu": cpu} {
				slices.Sort(all)
				b.ReportMetric(all[len(all)/2], unit)
			}
		})
	}
}

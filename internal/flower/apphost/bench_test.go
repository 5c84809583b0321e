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

// bundle returns the FAB of quickstart_digits, with a line added to its ClientApp.
func bundle(b *testing.B, line string) []byte {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "quickstart-digits")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(testflwr.Root(b), "apps", "quickstart_digits"))); err != nil {
		b.Fatal(err)
	}
	file := filepath.Join(dir, "quickstart_digits", "client_app.py")
	text, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, append(text, line...), 0o600)
	}
	if err != nil {
		b.Fatal(err)
	}
	fab, err := testflwr.Venv(b).BuildFAB(context.Background(), dir)
	if err != nil {
		b.Fatal(err)
	}
	return fab
}

// BenchmarkClientApp handles one message per iteration, of quickstart_digits and of the same with scikit-learn imported: s/asked is the
// time until the app's process asks for its task, s/reply that until it replies, s/cpu the CPU time of the process. All are medians.
func BenchmarkClientApp(b *testing.B) {
	for app, line := range map[string]string{"digits": "", "sklearn": "\nimport sklearn.linear_model\n"} {
		b.Run(app, func(b *testing.B) {
			fab := bundle(b, line)
			api := newRuntimeAPI(b, fab)
			for how, change := range map[string]func(*apphost.Options){
				"command":    noTemplates,
				"template":   func(o *apphost.Options) { o.NoPreload = true },
				"preload":    nil,
				"no-install": func(o *apphost.Options) { o.Install = false },
			} {
				b.Run(how, func(b *testing.B) { benchmarkMessages(b, pool(b, b.TempDir(), change), api, fab) })
			}
		})
	}
}

func benchmarkMessages(b *testing.B, p *apphost.Pool, api *runtimeAPI, fab []byte) {
	var asked, replied, cpu []float64
	log := filepath.Join(b.TempDir(), "log")
	message := func() {
		began := time.Now()
		r, err := p.Prepare(context.Background(), fab)
		if err != nil {
			b.Fatal(err)
		}
		defer r.Release()
		child, err := p.Start(r, apphost.ClientApp, []string{"--runtime-api-address", api.addr, "--insecure", "--token", "t"}, keeper.Fork{LogFile: log}, nil)
		if err != nil {
			b.Fatal(err)
		}
		cpu = append(cpu, cpuSeconds(child))
		asked = append(asked, api.at(b, "asked").Sub(began).Seconds())
		replied = append(replied, api.at(b, "replied").Sub(began).Seconds())
		if exit := child.Exit(); exit.Code != 0 {
			text, _ := os.ReadFile(log)
			b.Fatalf("%s: %s", exit, text)
		}
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
}

// BenchmarkPrepare is what an app that may install packages costs for each message after its first.
func BenchmarkPrepare(b *testing.B) {
	for name, install := range map[string]bool{"install": true, "never": false} {
		b.Run(name, func(b *testing.B) {
			p, fab := pool(b, b.TempDir(), func(o *apphost.Options) { o.Install = install }), needs(b, "six==1.16.0")
			prepare(b, p, fab).Release()
			for b.Loop() {
				prepare(b, p, fab).Release()
			}
		})
	}
}

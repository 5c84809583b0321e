package e2e

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/testflwr"
	"blossomtune/internal/tlsca"
)

// A round's cost is the slope between these two runs, so that what a run costs once does not count.
const (
	shortRun = 2
	longRun  = 8
)

// training is something that runs apps/quickstart_digits on two SuperNodes.
type training struct {
	dir   string                 // what all its processes name
	run   func(rounds int) error // starts a run and waits until it has completed
	steps func() string          // where the time of the newest run went; nil where nobody measures it
}

// cost is what a round takes, in seconds.
type cost struct{ wall, cpu float64 }

// BenchmarkRounds compares what a round costs with plain Flower, with this server and plain SuperNodes, and with this server and agents:
// in turn, each time with everything started anew. BLOSSOMTUNE_BENCH_REPEATS says how often (5). The medians come as a table.
func BenchmarkRounds(b *testing.B) {
	repeats := benchRepeats(b)
	ways := []struct {
		name, title string
		start       func(testing.TB) training
	}{
		{"plain-Flower", "plain `flower-superlink`, 2 `flower-supernode`", plainFlower},
		{"plain-SuperNodes", "this server, 2 `flower-supernode`", ours(func(p *person) { p.plain() })},
		{"agents", "this server, 2 agents (`--deps never`)", ours(func(p *person) { p.join() })},
		{"agents-deps", "this server, 2 agents (`--deps allow`)", ours(func(p *person) { p.join("--deps", "allow") })},
	}
	costs := make([][]cost, len(ways))
	for i := range repeats {
		for k, w := range ways {
			b.Run(fmt.Sprintf("%s/%d", w.name, i+1), func(b *testing.B) {
				c := costOf(b, w.start(b))
				costs[k] = append(costs[k], c)
				b.ReportMetric(c.wall, "s/round")
				b.ReportMetric(c.cpu, "cpu-s/round")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
	var out strings.Builder
	fmt.Fprintf(&out, "\nA round of quickstart_digits: slope between %d and %d rounds, median of %d (lowest–highest).\n%s\n\n", shortRun, longRun,
		repeats, machine(b))
	out.WriteString("| | s a round | of plain Flower's | CPU s a round | of plain Flower's |\n|---|---|---|---|---|\n")
	wall, cpu := func(c cost) float64 { return c.wall }, func(c cost) float64 { return c.cpu }
	for k, w := range ways {
		if len(costs[k]) == 0 {
			continue // not asked for, or it failed
		}
		fmt.Fprintf(&out, "| %s | %s | %s | %s | %s |\n", w.title, spread(costs[k], wall), times(costs, k, wall),
			spread(costs[k], cpu), times(costs, k, cpu))
	}
	fmt.Println(out.String())
}

func benchRepeats(b *testing.B) int {
	b.Helper()
	repeats, err := strconv.Atoi(cmp.Or(os.Getenv("BLOSSOMTUNE_BENCH_REPEATS"), "5"))
	if err != nil || repeats < 1 {
		b.Fatal("BLOSSOMTUNE_BENCH_REPEATS is not a positive number")
	}
	return repeats
}

// costOf takes the slope, after a run that warms up what is made once.
func costOf(b *testing.B, tr training) cost {
	b.Helper()
	meter := newCPUMeter(b, tr.dir)
	var walls, cpus []float64
	var kinds []map[string]time.Duration
	for _, rounds := range []int{1, shortRun, longRun} {
		began, before := time.Now(), meter.spent()
		if err := tr.run(rounds); err != nil {
			b.Fatalf("%d rounds: %v", rounds, err)
		}
		walls, cpus = append(walls, time.Since(began).Seconds()), append(cpus, (meter.spent()-before).Seconds())
		kinds = append(kinds, meter.byName())
	}
	b.Logf("CPU seconds a round by process: %s", perRound(kinds[1], kinds[2]))
	if tr.steps != nil {
		b.Log(tr.steps())
	}
	b.Logf("1, %d and %d rounds: %.1f s, CPU %.1f s", shortRun, longRun, walls, cpus)
	return cost{(walls[2] - walls[1]) / (longRun - shortRun), (cpus[2] - cpus[1]) / (longRun - shortRun)}
}

// perRound says what each kind of process used for a round, the most first: where a goal is missed, this says where the time goes.
func perRound(before, after map[string]time.Duration) string {
	type part struct {
		name string
		used float64
	}
	var parts []part
	for name, total := range after {
		if used := (total - before[name]).Seconds() / longRun; used >= 0.005 {
			parts = append(parts, part{name, used})
		}
	}
	slices.SortFunc(parts, func(a, b part) int { return cmp.Compare(b.used, a.used) })
	var out []string
	for _, p := range parts {
		out = append(out, fmt.Sprintf("%s %.2f", p.name, p.used))
	}
	return strings.Join(out, ", ")
}

func sorted(costs []cost, of func(cost) float64) []float64 {
	var out []float64
	for _, c := range costs {
		out = append(out, of(c))
	}
	slices.Sort(out)
	return out
}

func median(costs []cost, of func(cost) float64) float64 {
	v := sorted(costs, of)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

func spread(costs []cost, of func(cost) float64) string {
	v := sorted(costs, of)
	return fmt.Sprintf("%.2f (%.2f–%.2f)", median(costs, of), v[0], v[len(v)-1])
}

// times compares with plain Flower, which is the first, where that was measured too.
func times(costs [][]cost, k int, of func(cost) float64) string {
	if len(costs[0]) == 0 {
		return "–"
	}
	plain, own := median(costs[0], of), median(costs[k], of)
	return fmt.Sprintf("1/%.1f", plain/own)
}

// machine names what it was measured on.
func machine(t testing.TB) string {
	model := "unknown processor"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
			}
		}
	}
	load, _ := os.ReadFile("/proc/loadavg")
	oneMinute, _, _ := strings.Cut(string(load), " ")
	env := testflwr.Venv(t)
	return fmt.Sprintf("Machine: %d cores, %s; load at the end %s; flwr %s, Python %s, %s.", runtime.NumCPU(), model, oneMinute,
		env.FlwrVersion, env.PythonVersion, runtime.Version())
}

// untilEnded asks rarely, as asking is not free either.
func untilEnded(t testing.TB, ended func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		if done, err := ended(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// ours is this server with two participants.
func ours(connect func(*person)) func(testing.TB) training {
	return func(t testing.TB) training { return withServer(t, connect) }
}

func withServer(t testing.TB, connect func(*person), settings ...string) training {
	s := startWith(t, 2, freeAddr(t), settings...)
	var nodes []int
	for _, name := range []string{"One", "Two"} {
		p := s.approved(name)
		connect(p)
		nodes = append(nodes, p.node.Process.Pid)
	}
	fab := digitsFAB(t)
	var a struct{ Hash string }
	s.admin.must("POST", "/apps?filename=digits.fab", fab, &a)
	var name string
	steps := func() string { return s.steps(t, name) + "; " + idleMemory(nodes) }
	return training{dir: s.data, steps: steps, run: func(rounds int) error {
		name = s.launch(a.Hash, map[string]string{"num-server-rounds": itoa(rounds)}).Name
		return untilEnded(t, func() (bool, error) {
			r := s.get(name)
			if state := domain.RunState(r.State); state.Ended() && state != domain.Completed {
				return true, fmt.Errorf("the run is %s: %+v", state, r.Cause)
			}
			return r.State == string(domain.Completed), nil
		})
	}}
}

func digitsFAB(t testing.TB) []byte {
	t.Helper()
	fab, err := testflwr.Venv(t).BuildFAB(t.Context(), filepath.Join(testflwr.Root(t), "apps", "quickstart_digits"))
	if err != nil {
		t.Fatal(err)
	}
	return fab
}

// plainFlower is Flower as its documentation has it, with TLS and nothing of ours.
func plainFlower(t testing.TB) training {
	dir, env := t.TempDir(), testflwr.Venv(t)
	t.Cleanup(func() { noProcesses(t, dir) })
	ca, err := tlsca.Open(tlsca.Options{Dir: filepath.Join(dir, "tls")})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca.CAPEM()) {
		t.Fatal("no CA")
	}
	at := func(name string) string { return filepath.Join(dir, "tls", name) }
	addr := freeAddr(t)
	flower := func(name string, args ...string) {
		plainProcess(t, dir, env.Bin(name), env.Environ(filepath.Join(dir, "flwr")), args...)
	}
	flower("flower-superlink", "--host", "127.0.0.1", "--port", portOf(addr), "--ssl-certfile", at("server.pem"), "--ssl-keyfile", at("server.key"),
		"--ssl-ca-certfile", at("ca.pem"), "--database", filepath.Join(dir, "state.db"), "--disable-runtime-dependency-installation")
	c := wire.NewClient(addr, roots)
	t.Cleanup(c.Close)
	await(t, time.Minute, "the SuperLink answers", func() (string, bool) {
		_, err := c.ListNodes(t.Context())
		return fmt.Sprint(err), err == nil
	})
	for i := range 2 {
		flower("flower-supernode", "--superlink", addr, "--root-certificates", at("ca.pem"), "--node-config", domain.NodeConfig(i, 2),
			"--port", portOf(freeAddr(t)))
	}
	await(t, time.Minute, "both SuperNodes are online", func() (string, bool) {
		nodes, err := c.ListNodes(t.Context())
		online := 0
		for _, n := range nodes {
			if n.Status == "online" {
				online++
			}
		}
		return fmt.Sprint(nodes, err), online == 2
	})
	fab := digitsFAB(t)
	return training{dir: dir, run: func(rounds int) error {
		id, err := c.StartRun(t.Context(), fab, map[string]any{"num-server-rounds": int64(rounds)})
		if err != nil {
			return err
		}
		return untilEnded(t, func() (bool, error) {
			runs, err := c.ListRuns(t.Context(), id)
			if err != nil || len(runs) != 1 || runs[0].Status != "finished" {
				return false, err
			}
			if runs[0].SubStatus != "completed" {
				return true, fmt.Errorf("the run ended %s: %s", runs[0].SubStatus, runs[0].Details)
			}
			return true, nil
		})
	}}
}

// plainProcess starts a program that ends with the test, and all that it leaves behind.
func plainProcess(t testing.TB, dir, path string, env []string, args ...string) {
	t.Helper()
	log, err := os.Create(filepath.Join(dir, fmt.Sprintf("%s-%d.log", filepath.Base(path), time.Now().UnixNano())))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.CommandContext(context.Background(), path, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, env, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
		timer := time.AfterFunc(20*time.Second, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		_ = cmd.Wait()
		timer.Stop()
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(log.Name()), tail(log.Name()))
		}
	})
}

package apphost_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"blossomtune/internal/flower/apphost"
	"blossomtune/internal/keeper"
)

// BenchmarkContainedMessages handles two messages of quickstart_digits per iteration, one in a sandbox and one outside, in turn, each
// forked
// from a warm template. cpu-s is the CPU time of template, reaper and app for one message, the mean of all: other work on the machine
// changes it little.
func BenchmarkContainedMessages(b *testing.B) {
	fab := bundle(b, "")
	api := newRuntimeAPI(b, fab)
	_, text, _ := net.SplitHostPort(api.addr)
	port, err := strconv.Atoi(text)
	if err != nil {
		b.Fatal(err)
	}
	room := &apphost.Room{Dir: filepath.Join(b.TempDir(), "room"), Port: port, Hub: true}
	if err := room.Make(); err != nil {
		b.Fatal(err)
	}
	p, log := pool(b, b.TempDir(), nil), filepath.Join(b.TempDir(), "log")
	message := func(room *apphost.Room) (template int) {
		r, err := p.Prepare(context.Background(), fab)
		if err != nil {
			b.Fatal(err)
		}
		defer r.Release()
		r.Enter(room)
		args := []string{"--runtime-api-address", api.addr, "--insecure", "--token", "t"}
		child, err := p.Start(r, apphost.ClientApp, args, keeper.Fork{LogFile: log}, nil)
		if err != nil {
			b.Fatal(err)
		}
		template = parent(parent(child.Identity().PID))
		exit := child.Exit()
		api.at(b, "asked")
		api.at(b, "replied")
		if exit.Code != 0 || template == 0 {
			text, _ := os.ReadFile(log)
			b.Fatalf("%s, template %d: %s", exit, template, text)
		}
		return template
	}
	ways := []*apphost.Room{nil, room}
	var templates []int
	var before, after [2]float64
	for i, room := range ways {
		templates = append(templates, message(room)) // the first one builds and warms
		before[i] = cpuWithChildren(templates[i])
	}
	for b.Loop() {
		for i, room := range ways {
			if template := message(room); template != templates[i] {
				b.Fatal("a template was replaced")
			}
		}
	}
	for i, name := range []string{"outside-cpu-s", "contained-cpu-s"} {
		after[i] = cpuWithChildren(templates[i])
		b.ReportMetric((after[i]-before[i])/float64(b.N), name)
	}
	b.ReportMetric(100*((after[1]-before[1])/(after[0]-before[0])-1), "%-more")
	b.ReportMetric(0, "ns/op")
}

// statFields returns what follows a process's name in /proc/PID/stat: its state, its parent and so on.
func statFields(pid int) []string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(text), ") ")
	return strings.Fields(rest)
}

func parent(pid int) int {
	f := statFields(pid)
	if len(f) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(f[1])
	return n
}

// cpuWithChildren returns the CPU seconds of a process and of those that it has waited for.
func cpuWithChildren(pid int) (sum float64) {
	f := statFields(pid)
	if len(f) < 15 {
		return 0
	}
	for _, ticks := range slices.Clone(f[11:15]) {
		n, _ := strconv.ParseFloat(ticks, 64)
		sum += n / 100
	}
	return sum
}

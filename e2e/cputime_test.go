package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// clockTick is the unit of the times in /proc: Linux has one value for all programs.
const clockTick = 10 * time.Millisecond

// cpuMeter adds up the processor time of all processes that name a directory in their command line or environment, and of all their
// descendants: also of those that live for a moment, as one that has ended counts in the parent that has waited for it.
type cpuMeter struct {
	mark string

	mu     sync.Mutex
	before int64           // start times from here on, in ticks since boot, are of processes that may still become others
	alive  map[int]process // by pid
	others map[int]int64   // start times, by pid, of processes that have nothing to do with it
	gone   int64           // ticks of those that nobody here has waited for
}

type process struct {
	parent, pid    int
	started, ticks int64
	own            int64 // the part of ticks that is not that of children it waited for
}

// newCPUMeter measures until the test ends.
func newCPUMeter(t testing.TB, dir string) *cpuMeter {
	t.Helper()
	self, ok := stat(os.Getpid())
	if !ok {
		t.Fatal("/proc cannot be read")
	}
	m := &cpuMeter{mark: dir, before: self.started, alive: map[int]process{}, others: map[int]int64{os.Getpid(): self.started}}
	m.sample()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				m.sample()
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-stopped })
	return m
}

// spent is the processor time until now.
func (m *cpuMeter) spent() time.Duration {
	m.sample()
	m.mu.Lock()
	defer m.mu.Unlock()
	sum := m.gone
	for _, p := range m.alive {
		sum += p.ticks
	}
	return time.Duration(sum) * clockTick
}

func (m *cpuMeter) sample() {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := map[int]process{}
	found, _ := os.ReadDir("/proc")
	var unknown []process
	for _, e := range found {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		p, ok := stat(pid)
		if !ok || m.others[pid] == p.started {
			continue
		}
		if old, ok := m.alive[pid]; ok && old.started == p.started {
			now[pid] = p
		} else {
			unknown = append(unknown, p)
		}
	}
	for _, p := range unknown { // /proc has parents first, but for pids that are used again
		if _, ours := now[p.parent]; ours || names(p.pid, m.mark) {
			now[p.pid] = p
		} else if p.started < m.before {
			m.others[p.pid] = p.started
		}
	}
	for pid, p := range m.alive {
		if still, ok := now[pid]; ok && still.started == p.started {
			continue
		}
		if !m.counted(p, now) {
			m.gone += p.ticks
		}
	}
	m.alive = now
}

// counted says whether the time of a process that has ended counts in one that lives: its parent, or where that has ended too, the parent's.
func (m *cpuMeter) counted(p process, now map[int]process) bool {
	for {
		if _, ok := now[p.parent]; ok {
			return true
		}
		parent, ok := m.alive[p.parent]
		if !ok || parent.pid == p.pid {
			return false
		}
		p = parent
	}
}

// byName is the processor time until now of each kind of process; "children of" are those that have ended and were waited for.
func (m *cpuMeter) byName() map[string]time.Duration {
	m.sample()
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string]time.Duration{"others that have ended": time.Duration(m.gone) * clockTick}
	for _, p := range m.alive {
		name := kindOf(p.pid)
		out[name] += time.Duration(p.own) * clockTick
		if waited := p.ticks - p.own; waited > 0 {
			out["children of "+name] += time.Duration(waited) * clockTick
		}
	}
	return out
}

// pids are the processes that live now, with what they are called.
func (m *cpuMeter) pids() map[int]string {
	m.sample()
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[int]string{}
	for pid := range m.alive {
		out[pid] = kindOf(pid)
	}
	return out
}

// kindOf is what a process is called: its program, and of one of ours the subcommand.
func kindOf(pid int) string {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	comm, _ := os.ReadFile(filepath.Join(dir, "comm"))
	name := strings.TrimSpace(string(comm))
	line, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
	args := strings.Split(string(line), "\x00")
	switch {
	case name == "blossomtune" && len(args) > 1:
		return name + " " + args[1]
	case strings.HasPrefix(name, "python"):
		for _, a := range args[1:] {
			if !strings.HasPrefix(a, "-") {
				return filepath.Base(a)
			}
		}
	}
	return name
}

func names(pid int, mark string) bool {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	for _, file := range []string{"cmdline", "environ"} {
		if text, err := os.ReadFile(filepath.Join(dir, file)); err == nil && bytes.Contains(text, []byte(mark)) {
			return true
		}
	}
	return false
}

// stat reads what proc(5) says of a process: fields 4, 14 to 17 (its own time and that of those it has waited for) and 22.
func stat(pid int) (process, bool) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return process{}, false
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:])) // from field 3 on; a name may have spaces
	if len(fields) < 20 {
		return process{}, false
	}
	number := func(field int) int64 {
		n, _ := strconv.ParseInt(fields[field-3], 10, 64)
		return n
	}
	own := number(14) + number(15)
	return process{pid: pid, parent: int(number(4)), started: number(22), own: own, ticks: own + number(16) + number(17)}, true
}

// What a process and its short-lived children use is counted once, whoever waits for them, and nothing of others.
func TestProcessorTimeIsCountedOnce(t *testing.T) {
	dir := t.TempDir()
	m := newCPUMeter(t, dir)
	const work = `burn() { i=0; while [ $i -lt 150000 ]; do i=$((i+1)); done; }; burn; (burn); (burn); (burn) & wait; cd /`
	mine, other := exec.CommandContext(t.Context(), "sh", "-c", work, dir), exec.CommandContext(t.Context(), "sh", "-c", work)
	for _, c := range []*exec.Cmd{other, mine} {
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
	}
	awaitZombie(t, mine.Process.Pid)
	got := m.spent()
	for _, c := range []*exec.Cmd{other, mine} {
		if err := c.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	want := mine.ProcessState.UserTime() + mine.ProcessState.SystemTime()
	if off := (got - want).Abs(); want < 100*time.Millisecond || off > 50*time.Millisecond {
		t.Errorf("%s are counted, %s were used", got, want)
	}
	if again := m.spent(); again != got {
		t.Errorf("what has ended changed from %s to %s", got, again)
	}
}

// awaitZombie waits until a process has ended, and leaves it there: then its time is all there is.
func awaitZombie(t *testing.T, pid int) {
	t.Helper()
	await(t, time.Minute, "it ends", func() (string, bool) {
		text, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
		_, state, _ := strings.Cut(string(text), ") ")
		return state, strings.HasPrefix(state, "Z")
	})
}

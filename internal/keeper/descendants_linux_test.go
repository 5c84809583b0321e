package keeper

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"blossomtune/internal/keeper/proc"
)

// TestMain lets the test binary be a keeper that is killed.
func TestMain(m *testing.M) {
	if script := os.Getenv("KEEPER_TEST_SCRIPT"); script != "" {
		Adopt()
		c, err := Start(Command{Path: "/bin/sh", Args: []string{"-c", script}, Env: os.Environ(), LogFile: os.Getenv("F") + ".log", DieWithParent: true})
		if err != nil {
			panic(err)
		}
		c.Exit()
		return
	}
	m.Run()
}

// strays are ways to leave a process behind. Each writes its process ids into $F; the last line says that all are there.
var strays = map[string]string{
	"in the group":   `sleep 300 & echo $! >>$F; echo all >>$F`,
	"in a session":   `setsid sh -c 'echo $$ >>$F; echo all >>$F; exec sleep 301' &`,
	"forked twice":   `(setsid env -i F=$F /bin/sh -c 'echo $$ >>$F; echo all >>$F; exec env -i /bin/sleep 302' &)`,
	"with children":  `(setsid env -i F=$F /bin/sh -c 'echo $$ >>$F; setsid /bin/sh -c "echo \$\$ >>$F; (exec setsid sleep 303) & echo all >>$F; wait" & wait' &)`,
	"deaf to asking": `(setsid env -i F=$F /bin/sh -c 'trap "" TERM HUP INT; echo $$ >>$F; echo all >>$F; while :; do sleep 304; done' &)`,
	"in a chain":     `printf '[ -e "$F" ] || exit\nsleep 0.01\nsetsid sh "$0" &\n' >$F.sh; echo all >>$F; setsid sh $F.sh &`,
}

// The main program is ready when its stray processes are.
const (
	wait  = "while ! grep -q all $F 2>/dev/null; do sleep 0.01; done\n"
	ready = "echo ready >>$F\n"
)

// strayProcesses waits until a script has left its processes, and returns them.
func strayProcesses(t *testing.T, file string) []Identity {
	t.Helper()
	var text []byte
	await(t, "the stray processes", func() bool {
		text, _ = os.ReadFile(file)
		return bytes.HasSuffix(text, []byte("ready\n"))
	})
	var out []Identity
	for _, f := range strings.Fields(string(text)) {
		if pid, err := strconv.Atoi(f); err == nil {
			if id, ok := Of(pid); ok {
				out = append(out, id)
			}
		}
	}
	return out
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("a minute has not brought %s", what)
		case <-tick.C:
		}
	}
}

// mentions counts the processes that have a text in their command line.
func mentions(text string) (n int) {
	for _, pid := range proc.All() {
		if b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); bytes.Contains(b, []byte(text)) {
			n++
		}
	}
	return n
}

// Whatever a child leaves is gone when the child is done, however it ended, and its end is told exactly.
func TestNothingOutlivesAChild(t *testing.T) {
	ends := map[string]struct {
		setup  string // before it is ready
		script string // its last part
		act    func(c *Child)
		want   Exit
	}{
		"exits":            {"", "exit 7", func(*Child) {}, Exit{Code: 7}},
		"kills itself":     {"", "kill -9 $$", func(*Child) {}, Exit{Code: -1, Signal: "SIGKILL"}},
		"fails badly":      {"", "kill -SEGV $$", func(*Child) {}, Exit{Code: -1, Signal: "SIGSEGV"}},
		"is stopped":       {"", "exec sleep 305", func(c *Child) { c.Stop(10 * time.Second) }, Exit{Code: -1, Signal: "SIGTERM"}},
		"ends when asked":  {"trap 'exit 3' TERM\n", "while :; do sleep 0.01; done", func(c *Child) { c.Stop(10 * time.Second) }, Exit{Code: 3}},
		"is killed":        {"trap '' TERM\n", "exec sleep 306", func(c *Child) { c.Stop(0) }, Exit{Code: -1, Signal: "SIGKILL"}},
		"does not listen":  {"trap '' TERM\n", "while :; do sleep 1; done", func(c *Child) { c.Stop(50 * time.Millisecond) }, Exit{Code: -1, Signal: "SIGKILL"}},
		"is killed by id":  {"", "exec sleep 307", func(c *Child) { _ = syscall.Kill(c.Identity().PID, syscall.SIGKILL) }, Exit{Code: -1, Signal: "SIGKILL"}},
		"kills its reaper": {"", "kill -9 $PPID; exec sleep 308", func(*Child) {}, Exit{Code: -1, Signal: "SIGKILL"}},
	}
	Adopt()
	for stray, leave := range strays {
		for name, end := range ends {
			t.Run(stray+", "+name, func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "strays")
				c, err := Start(Command{Path: "/bin/sh", Args: []string{"-c", end.setup + leave + "\n" + wait + ready + end.script}, Env: []string{"PATH=" + os.Getenv("PATH"), "F=" + file}, LogFile: file + ".log", DieWithParent: true})
				if err != nil {
					t.Fatal(err)
				}
				left := strayProcesses(t, file)
				began := time.Now()
				end.act(c)
				if exit := c.Exit(); exit != end.want {
					t.Errorf("it ended with %v, want %v", exit, end.want)
				}
				if took := time.Since(began); took >= lastWords {
					t.Errorf("its end took %s", took)
				}
				for _, id := range left {
					if id.Alive() {
						t.Errorf("%s outlives it", id)
					}
				}
				if n := mentions(file); n > 0 {
					t.Errorf("%d processes of it live on", n)
				}
			})
		}
	}
	if left := proc.Children(); len(left) > 0 {
		t.Errorf("children are left that nobody waits for: %v", left)
	}
}

// Nothing outlives a keeper that is killed, either.
func TestNothingOutlivesAKilledKeeper(t *testing.T) {
	for stray, leave := range strays {
		t.Run(stray, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "strays")
			k := exec.Command("/proc/self/exe")
			k.Env = append(os.Environ(), "F="+file, "KEEPER_TEST_SCRIPT=echo $$ >>$F; "+leave+"\n"+wait+ready+"exec sleep 310")
			if err := k.Start(); err != nil {
				t.Fatal(err)
			}
			left := strayProcesses(t, file)
			if len(left) == 0 {
				t.Fatal("there are no processes")
			}
			_ = k.Process.Kill()
			_ = k.Wait()
			for _, id := range left {
				await(t, "the end of "+id.String(), func() bool { return !id.Alive() })
			}
			await(t, "the end of all", func() bool { return mentions(file) == 0 })
		})
	}
}

// A child's end leaves other children, and what belongs to them, alone.
func TestOtherChildrenLiveOn(t *testing.T) {
	Adopt()
	file := filepath.Join(t.TempDir(), "strays")
	start := func(script string) *Child {
		c, err := Start(Command{Path: "/bin/sh", Args: []string{"-c", script}, Env: []string{"PATH=" + os.Getenv("PATH"), "F=" + file}, LogFile: file + ".log", DieWithParent: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Stop(0) })
		return c
	}
	other := start(strays["forked twice"] + "\n" + wait + ready + "exec sleep 311")
	lives := append(strayProcesses(t, file), other.Identity())
	spawned, err := Spawn(Spec{Path: "/bin/sleep", Args: []string{"312"}, LogFile: file + ".log"})
	if err != nil {
		t.Fatal(err)
	}
	plain := exec.Command("/bin/sleep", "313")
	if err := plain.Start(); err != nil {
		t.Fatal(err)
	}
	defer plain.Wait()
	defer plain.Process.Kill()
	plainID, _ := Of(plain.Process.Pid)
	t.Cleanup(func() { _ = StopIdentity(spawned.Identity, 0) })
	lives = append(lives, spawned.Identity, plainID)
	start("sleep 0.1; kill -9 $PPID; sleep 314").Exit()
	start("exit").Exit()
	for _, id := range lives {
		if !id.Alive() {
			t.Errorf("%s ended with another child", id)
		}
	}
}

// All of a child's processes count, also those that left its group.
func TestMemoryOfDescendants(t *testing.T) {
	file := filepath.Join(t.TempDir(), "strays")
	script := `import os,sys,time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        held = bytearray(64_000_000)
        open(os.environ["F"], "w").write(f"{os.getpid()}\nready\n")
        time.sleep(300)
    os._exit(0)
time.sleep(300)`
	c, err := Start(Command{Path: "python3", Args: []string{"-c", script}, Env: []string{"PATH=" + os.Getenv("PATH"), "F=" + file}, LogFile: file + ".log", DieWithParent: true})
	if err != nil {
		t.Fatal(err)
	}
	strayProcesses(t, file)
	if n, ok := c.Memory(); !ok || n < 64_000_000 || n > 150_000_000 {
		t.Errorf("it holds %d bytes, %v", n, ok)
	}
	c.Stop(0)
	if n, ok := c.Memory(); ok || n != 0 {
		t.Errorf("after its end it holds %d bytes, %v", n, ok)
	}
}

// What a reaper costs: it is between this process and each child.
func BenchmarkStart(b *testing.B) {
	log := filepath.Join(b.TempDir(), "x.log")
	for b.Loop() {
		c, err := Start(Command{Path: "/bin/true", LogFile: log, DieWithParent: true})
		if err != nil {
			b.Fatal(err)
		}
		c.Exit()
	}
}

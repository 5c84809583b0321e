package contain_test

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"blossomtune/internal/keeper"
	"blossomtune/internal/keeper/contain"
)

// openInFloor are ways that only namespaces, or a newer Landlock, close: see docs/security.md.
var openInFloor = map[string]bool{
	"see_a_file": true, "change_a_mode": true, "change_a_time": true, "command_line_of_another": true, "place_another": true,
	"connect_to_a_socket_with_a_path": true, "shared_memory_by_name": true,
}

// openInFloorToOthers are those of them that are open to all users of a machine.
var openInFloorToOthers = map[string]bool{"see_a_file": true, "command_line_of_another": true, "connect_to_a_socket_with_a_path": true, "shared_memory_by_name": true}

const nobody = 65534

// Each way out is tried without a sandbox, where it must lead out, and inside, where it must not.
func TestNothingGetsOut(t *testing.T) { tryAll(t) }

// The same as an ordinary user, where this one is root.
func TestNothingGetsOutAsAnOrdinaryUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("TestNothingGetsOut runs as an ordinary user already")
		return
	}
	dir, err := os.MkdirTemp("", "contain-nobody-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.CopyFS(filepath.Join(dir, "testdata"), os.DirFS("testdata")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run", "^TestNothingGetsOut$", "-test.v")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "TMPDIR="+dir, "HOME="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestNothingGetsOut") {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
}

func tryAll(t *testing.T) {
	python, prefix := interpreter(t)
	report := contain.Check()
	t.Logf("%+v", report)
	if !report.Floor() {
		t.Fatalf("containment does not work here: %+v", report)
	}
	modes := []string{"without a sandbox", "with the floor only"}
	if report.Users {
		modes = append(modes, "with the floor only, as another user")
	}
	if report.Namespaces {
		modes = append(modes, "in namespaces")
	} else {
		t.Log("this system refuses namespaces: " + report.Reason)
	}
	if report.Namespaces && report.Users {
		modes = append(modes, "in namespaces, as another user")
	}
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			told := escapes(t, python, prefix, mode)
			if len(told) < 40 {
				t.Errorf("only %d ways were tried", len(told))
			}
			for name, how := range told {
				out := how == "out"
				switch {
				case mode == "without a sandbox" && !out && !strings.HasPrefix(name, "call_"): // this kernel may have been built without the call
					t.Errorf("%s does not lead out where nothing stops it: %s", name, how)
				case out && strings.HasPrefix(mode, "in namespaces"), out && mode == "with the floor only" && !openInFloor[name],
					out && mode == "with the floor only, as another user" && !openInFloorToOthers[name]:
					t.Errorf("%s leads out", name)
				}
			}
		})
	}
}

// escapes tries all ways in a mode.
func escapes(t *testing.T, python, prefix, mode string) map[string]string {
	victim, dir := startVictim(t, python)
	work, readable := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(readable, "program"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs("testdata/escapes.py")
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "log")
	c := keeper.Command{Path: python, Args: []string{"-I", script, victim}, Dir: work, Env: []string{"READABLE=" + readable}, LogFile: log, DieWithParent: true}
	switch mode {
	case "without a sandbox":
		c.Env = append(c.Env, "PARENT_SECRET=x")
	default:
		t.Setenv("PARENT_SECRET", "x")
		c.Contain = &contain.Policy{Read: []string{readable, script, prefix}, Write: []string{work}, Connect: []int{443}, NoNamespaces: strings.HasPrefix(mode, "with the floor only")}
		if strings.HasSuffix(mode, "as another user") {
			c.Contain.UID = appUser
			own(t, *c.Contain, work)
		}
	}
	child, err := keeper.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	exit := child.Exit()
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]string{}
	if err := json.Unmarshal(text[max(0, strings.IndexByte(string(text), '{')):], &told); err != nil {
		t.Fatalf("%s: %v\n%s", exit, err, text)
	}
	if _, err := os.Stat(filepath.Join(dir, "signalled")); err == nil {
		told["signal_the_owner_of_a_file"] = "out"
	}
	return told
}

// startVictim starts what a contained program must not reach, and returns where everything of it is, as JSON, and its folder.
func startVictim(t *testing.T, python string) (where, dir string) {
	dir = t.TempDir()
	cmd := exec.CommandContext(t.Context(), python, "testdata/victim.py", dir)
	cmd.Env = []string{"VICTIM_SECRET=x"}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		other := filepath.Join(dir, "of_nobody")
		if err := os.WriteFile(other, []byte("the-secret-of-the-victim"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(other, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	return strings.TrimSpace(line), dir
}

// A file that this process has open, and lets its children have, is not open in the program.
func TestNoFileIsInherited(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Open(secret, syscall.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Close(fd) }()
	modes(t, func(t *testing.T, p contain.Policy) {
		exit, out := run(t, p, "/bin/sh", "-c", "for f in /proc/self/fd/*; do readlink $f; done; exec ls /proc/self/fd")
		if strings.Contains(out, "secret") || exit.Code != 0 || !strings.HasSuffix(out, "0\n1\n2\n3\n") {
			t.Errorf("%s\n%s", exit, out)
		}
	})
}

// The process that stands beside a program, the first of its namespace, shows it nothing.
func TestTheFirstProcessIsClosed(t *testing.T) {
	modes(t, func(t *testing.T, p contain.Policy) {
		_, out := run(t, p, "/bin/sh", "-c",
			"for f in environ mem auxv maps; do head -c 1 /proc/1/$f >/dev/null 2>&1 && echo $f; done; for n in 0 3 4 5 6 7; do readlink /proc/1/fd/$n; done; kill -USR1 1 2>/dev/null && echo signal")
		if out != "" && (p.NoNamespaces || out != "signal\n") { // the first process is in the same sandbox, and a signal does nothing to it
			t.Errorf("the first process shows\n%s", out)
		}
	})
}

// leaves makes a process that is its parent's child, in a session of its own, and ends.
const leaves = `
import ctypes, os, platform, sys, time
number = {"x86_64": 56, "aarch64": 220}[platform.machine()]
CLONE_PARENT, SIGCHLD = 0x8000, 17
if ctypes.CDLL(None).syscall(number, CLONE_PARENT | SIGCHLD, None, None, None, None) == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
    time.sleep(600)
print("left", flush=True)
`

// A process that a program has made its parent's child does not outlive it.
func TestNoSiblingIsLeft(t *testing.T) {
	python, prefix := interpreter(t)
	modes(t, func(t *testing.T, p contain.Policy) {
		p.Read = []string{prefix}
		mark := "sibling-of-" + strconv.Itoa(os.Getpid())
		if exit, out := run(t, p, python, "-I", "-c", leaves, mark); exit.Code != 0 || out != "left\n" {
			t.Fatalf("%s\n%s", exit, out)
		}
		found, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, name := range found {
			if text, _ := os.ReadFile(name); strings.Contains(string(text), mark) {
				t.Errorf("it is still there: %s", name)
			}
		}
	})
}

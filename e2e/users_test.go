package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"blossomtune/internal/testflwr"
)

// withoutNamespaces runs a program in a user namespace that has all users but can make no further namespaces, as containers do.
const withoutNamespaces = `#!/usr/bin/env python3
import ctypes, os, sys
outside, inside = os.pipe(), os.pipe()
me = os.getpid()
if os.fork() == 0:
    os.read(outside[0], 1)
    for name in ("uid_map", "gid_map"):
        with open(f"/proc/{me}/{name}", "w") as f:
            f.write("0 0 65536")
    os.write(inside[1], b"x")
    os._exit(0)
assert ctypes.CDLL(None).unshare(0x10000000) == 0
os.write(outside[1], b"x")
os.read(inside[0], 1)
os.wait()
with open("/proc/sys/user/max_user_namespaces", "w") as f:
    f.write("0")
os.execv(sys.argv[1], sys.argv[1:])
`

// Where the server runs as root, the apps of each federation are a user of their own. Even without any sandbox that user can neither
// reach the apps of another federation nor read the server's files.
func TestEachFederationsAppsAreAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("only root can start processes of other users")
		return
	}
	dir := t.TempDir()
	wrapper := script(t, dir, "wrapper", "#!/bin/sh\nexec "+openHome(t, dir)+" "+script(t, dir, "without-namespaces",
		withoutNamespaces)+" "+bin(t)+" \"$@\"\n")
	for name, prog := range map[string]string{"with namespaces": bin(t), "without namespaces": wrapper} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := os.Chmod(filepath.Dir(t.TempDir()), 0o711); err != nil { // as directories of servers are that have no other owner above them
				t.Fatal(err)
			}
			eachIsAnotherUser(t, startAs(t, prog, 2, freeAddr(t), "BLOSSOMTUNE_APP_UIDS=62001-62002"), name == "with namespaces")
		})
	}
}

// openHome returns the command that runs a program where others can enter the home directory, in which the tests' Python is. They see
// nothing else of it.
func openHome(t *testing.T, dir string) string {
	t.Helper()
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	env := testflwr.Venv(t)
	installed, err := filepath.EvalSymlinks(env.Bin("python"))
	if err != nil {
		t.Fatal(err)
	}
	var before, after strings.Builder
	for i, path := range []string{filepath.Dir(env.Dir), filepath.Dir(filepath.Dir(installed)), testflwr.Root(t)} {
		if strings.HasPrefix(path, home+"/") {
			keep := filepath.Join(dir, fmt.Sprint("keep", i))
			fmt.Fprintf(&before, "mkdir -p %[1]s\nmount --bind %[2]s %[1]s\n", keep, path)
			fmt.Fprintf(&after, "mkdir -p %[2]s\nmount --bind %[1]s %[2]s\n", keep, path)
		}
	}
	text := fmt.Sprintf("#!/bin/sh -e\n%smount -t tmpfs -o mode=755 home %s\n%s%s -c 'import flwr'\nexec \"$@\"\n", &before, home, &after,
		env.Bin("python"))
	return "unshare -m --propagation private " + script(t, dir, "open-home", text)
}

// asNobody runs a test of this package again, as a user with no rights.
func asNobody(t *testing.T, name string, settings ...string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "nobody-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	env, python := testflwr.Venv(t), filepath.Join(dir, "python")
	if err := errors.Join(os.Mkdir(python, 0o700), os.Symlink(env.Dir, filepath.Join(python, filepath.Base(env.Dir)))); err != nil {
		t.Fatal(err)
	}
	for target, source := range map[string]string{"e2e.test": "/proc/self/exe", "blossomtune": bin(t)} {
		program, err := os.ReadFile(source)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, target), program, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	command := strings.Fields(openHome(t, dir) + " setpriv --reuid=65534 --regid=65534 --clear-groups " + filepath.Join(dir, "e2e.test"))
	if err := errors.Join(os.Chown(dir, nobody, nobody), os.Chown(python, nobody, nobody), os.Chmod(filepath.Join(dir, "open-home"),
		0o755)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), command[0], append(command[1:], "-test.run", "^"+name+"$", "-test.v")...)
	cmd.Env = append(os.Environ(), "TMPDIR="+dir, "HOME="+dir, "XDG_CACHE_HOME="+dir, "BLOSSOMTUNE_TEST_VENV="+filepath.Join(python,
		filepath.Base(env.Dir)), programEnv+"="+filepath.Join(dir, "blossomtune"))
	cmd.Env = append(cmd.Env, settings...)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+name) {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
}

const nobody = 65534

func script(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func eachIsAnotherUser(t *testing.T, s *server, namespaces bool) {
	hash := s.app("works")
	for _, fed := range []string{"second", "third"} {
		s.admin.must("POST", "/federations", map[string]any{"slug": fed, "name": fed, "partitions": 1}, nil)
		s.admin.must("PUT", "/federations/"+fed+"/superlink", map[string]string{"state": "up"}, nil)
	}
	runs := map[string]runView{}
	for _, fed := range []string{"fed", "second", "third"} {
		var r runView
		s.admin.must("POST", "/federations/"+fed+"/runs", map[string]any{"app": hash, "config": map[string]string{"seconds": "600",
			"word": fed}}, &r)
		runs[fed] = r
	}
	refused := s.ends(runs["third"].Name, 2*time.Minute)
	if refused.State != "failed" || refused.Cause == nil || refused.Cause.Code != "no_user_id" || !strings.Contains(refused.Cause.Remedy,
		"--app-uids") {
		t.Errorf("the third federation of two user IDs: %s, %+v", refused.State, refused.Cause)
	}
	cookie := s.signIn()
	if _, page := s.page(cookie, "/admin/system"); !strings.Contains(page, "each federation has a user ID of 62001-62002") {
		t.Error("the system page does not say which users ServerApps run as")
	}
	if _, page := s.page(cookie, "/admin/system"); strings.Contains(page, "in a sandbox (Landlock, seccomp)") == namespaces {
		t.Errorf("the system page says otherwise than namespaces: %v", namespaces)
	}
	dirs, pids := map[string]string{}, map[string]int{}
	for i, fed := range []string{"fed", "second"} {
		r := s.becomes(runs[fed].Name, "running", 2*time.Minute)
		dirs[fed] = filepath.Join(s.data, "federations", strconv.Itoa(i+1), "runs", r.EngineRunID)
		await(t, time.Minute, "the app speaks", func() (string, bool) {
			text, _ := os.ReadFile(filepath.Join(dirs[fed], "serverapp.log"))
			return string(text), strings.Contains(string(text), "WORD "+fed)
		})
		text, err := os.ReadFile(filepath.Join(dirs[fed], "launch.json"))
		var task struct{ PID int }
		if err != nil || json.Unmarshal(text, &task) != nil || !namespaces && task.PID == 0 {
			t.Fatalf("%v: %s", err, text)
		}
		pids[fed] = task.PID
		if uid := uidOf(t, task.PID); uid != 62001+i {
			t.Errorf("the app of %s runs as user %d", fed, uid)
		}
		if _, page := s.page(cookie, "/f/"+fed+"/runs/"+r.Name); !strings.Contains(page, fmt.Sprintf("Its user ID is %d", 62001+i)) {
			t.Errorf("the run's page of %s does not say its user ID", fed)
		}
	}
	first := func(command ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 62001, Gid: 62001}}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := first("/bin/sh", "-c", "kill -0 "+strconv.Itoa(pids["fed"])); err != nil {
		t.Errorf("an app's user cannot signal its own: %v, %s", err, out)
	}
	for what, command := range map[string][]string{
		"signal another":                  {"/bin/sh", "-c", "kill -0 " + strconv.Itoa(pids["second"])},
		"read another's environment":      {"/bin/cat", fmt.Sprintf("/proc/%d/environ", pids["second"])},
		"list another's folder":           {"/bin/ls", filepath.Join(dirs["second"], "work")},
		"list another's run":              {"/bin/ls", dirs["second"]},
		"read another's log":              {"/bin/cat", filepath.Join(dirs["second"], "serverapp.log")},
		"read the database":               {"/bin/cat", filepath.Join(s.data, "blossomtune.db")},
		"read its own SuperLink's secret": {"/bin/cat", filepath.Join(s.data, "federations", "1", "superexec.secret")},
	} {
		if out, err := first(command...); err == nil {
			t.Errorf("an app's user can %s: %s", what, out)
		}
	}
	s.readableTo(t, 62001, []string{dirs["fed"] + "/", filepath.Join(s.data, "python")})
	for _, fed := range []string{"fed", "second"} {
		s.admin.must("POST", "/runs/"+runs[fed].Name+"/stop", nil, nil)
		s.ends(runs[fed].Name, time.Minute)
	}
}

// The runs of a server whose ServerApps ran as its own user stay readable when they run as users of their own, and the other way round.
func TestRunsOfOtherUsersStayReadable(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("only root can start processes of other users")
		return
	}
	t.Parallel()
	s := startWith(t, 1, freeAddr(t), builtinEngine, "BLOSSOMTUNE_APP_UIDS=off")
	hash := s.app("works")
	var runs []runView
	for i, ids := range []string{"off", "62001-62002", "off"} {
		if i > 0 {
			s.kill()
			s.with = []string{builtinEngine, "BLOSSOMTUNE_APP_UIDS=" + ids}
			s.serve()
			s.awaitUp()
		}
		r := s.becomes(s.launch(hash, map[string]string{"word": "w" + itoa(i)}).Name, "completed", time.Minute)
		runs = append(runs, r)
		info, err := os.Stat(filepath.Join(filepath.Dir(s.logFile(r)), "work", "out.txt"))
		if err != nil || (info.Sys().(*syscall.Stat_t).Uid == 0) != (ids == "off") {
			t.Errorf("with the IDs %s: %v, %+v", ids, err, info)
		}
	}
	for i, r := range runs {
		word := "w" + itoa(i)
		var lines json.RawMessage
		s.admin.must("GET", "/runs/"+r.Name+"/log", nil, &lines)
		if !strings.Contains(string(lines), "DONE "+word) {
			t.Errorf("the log of %s: %s", r.Name, lines)
		}
		if text := s.artifact(r.Name, "out.txt"); text != word {
			t.Errorf("the artifact of %s is %q", r.Name, text)
		}
	}
}

// artifact returns the text of a file that a ServerApp wrote.
func (s *server) artifact(run, path string) string {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+"/api/v1/runs/"+run+"/artifacts/file?path="+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.admin.Token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		s.t.Fatalf("%s of %s: %s, %v, %s", path, run, res.Status, err, text)
	}
	return string(text)
}

// readableTo fails the test for each file of the data directory that a user can open by its name, but for those below some folders.
func (s *server) readableTo(t *testing.T, uid int, but []string) {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(s.data, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && !slices.ContainsFunc(but, func(dir string) bool { return strings.HasPrefix(path, dir) }) {
			paths = append(paths, path)
		}
		return nil // a file that is gone is not read
	})
	if err != nil || len(paths) < 10 {
		t.Fatalf("%d files, %v", len(paths), err)
	}
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", `while read -r f; do if [ -r "$f" ]; then echo "$f"; fi; done`)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	cmd.Stdin = strings.NewReader(strings.Join(paths, "\n") + "\n")
	out, err := cmd.CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("of %d files the user %d can read, %v:\n%s", len(paths), uid, err, out)
	}
}

func uidOf(t *testing.T, pid int) int {
	t.Helper()
	info, err := os.Stat("/proc/" + strconv.Itoa(pid))
	if err != nil {
		t.Fatal(err)
	}
	return int(info.Sys().(*syscall.Stat_t).Uid)
}

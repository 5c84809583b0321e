package contain_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"blossomtune/internal/keeper/contain"
)

// A lent folder can stand below a symbolic link that the sandbox also has, and be one itself.
func TestFoldersBelowLinksAreLent(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("only root starts programs as other users")
		return
	}
	dir := t.TempDir()
	link, shown, lent := filepath.Join(dir, "link"), filepath.Join(dir, "real", "shown"), filepath.Join(dir, "real", "lent")
	if err := errors.Join(os.MkdirAll(shown, 0o755), os.MkdirAll(lent, 0o755), os.Symlink("real", link),
		os.Symlink(lent, filepath.Join(dir, "end")),
		os.WriteFile(filepath.Join(shown, "a"), []byte("one "), 0o644), os.WriteFile(filepath.Join(lent, "b"), []byte("two"), 0o600),
		os.Chmod(lent, 0o700)); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{filepath.Join(link, "lent"), filepath.Join(dir, "end")} {
		exit, out := run(t, contain.Policy{Read: []string{filepath.Join(link, "shown")}, Lend: []string{folder}, UID: appUser},
			"/bin/cat", filepath.Join(link, "shown", "a"), filepath.Join(folder, "b"))
		if exit.Code != 0 || strings.TrimSpace(out) != "one two" {
			t.Errorf("%s: %s\n%s", folder, exit, out)
		}
	}
}

// A folder that only root or another user can read is lent to the user of a program, which can change nothing in it.
func TestFoldersAreLent(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("only root starts programs as other users")
		return
	}
	for name, c := range map[string]struct {
		owner, uid int
		mode       os.FileMode
	}{
		"root's": {0, appUser, 0o700}, "another's": {nobody, appUser, 0o750}, "everyone's, with a file of root's": {nobody, appUser, 0o755},
		"root's to root": {0, 0, 0o700},
	} {
		t.Run(name, func(t *testing.T) {
			data := t.TempDir()
			file := filepath.Join(data, "sub", "table.csv")
			if err := errors.Join(os.Mkdir(filepath.Dir(file), c.mode), os.WriteFile(file, []byte("the data"), 0o600)); err != nil {
				t.Fatal(err)
			}
			if c.mode != 0o755 {
				if err := os.Chown(file, c.owner, c.owner); err != nil {
					t.Fatal(err)
				}
			}
			if err := errors.Join(os.Chown(filepath.Dir(file), c.owner, c.owner), os.Chown(data, c.owner, c.owner),
				os.Chmod(data, c.mode)); err != nil {
				t.Fatal(err)
			}
			if err := contain.CanLend(c.uid, data); err != nil {
				t.Fatal(err)
			}
			exit, out := run(t, contain.Policy{Lend: []string{data}, UID: c.uid}, "/bin/sh", "-c",
				`cat "$0" && (echo x >> "$0"; rm -f "$0"; chmod 666 "$0"; echo x > "$0.new") 2>/dev/null; true`, file)
			if exit.Code != 0 || strings.TrimSpace(out) != "the data" {
				t.Errorf("%s\n%s", exit, out)
			}
			if text, err := os.ReadFile(file); err != nil || string(text) != "the data" {
				t.Errorf("the file is %q, %v", text, err)
			}
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the file has the mode %v, %v", info, err)
			}
			if _, err := os.Stat(file + ".new"); err == nil {
				t.Error("the folder has another file")
			}
		})
	}
	dir, folder := t.TempDir(), t.TempDir()
	file, made := filepath.Join(dir, "settings"), filepath.Join(folder, "made")
	if err := errors.Join(os.WriteFile(file, []byte("of root"), 0o600), os.Chmod(folder, 0o700)); err != nil {
		t.Fatal(err)
	}
	p := contain.Policy{Read: []string{dir}, Lend: []string{file}, LendWrite: []string{folder}, UID: appUser}
	exit, out := run(t, p, "/bin/sh", "-c", `cat "$0"; echo x > "$1"; echo x > "$0"`, file, made)
	if exit.Code == 0 || !strings.HasPrefix(out, "of root") {
		t.Errorf("a file in a folder that is shown: %s\n%s", exit, out)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "of root" {
		t.Errorf("the file is %q, %v", text, err)
	}
	if info, err := os.Stat(made); err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Errorf("the file that the program made: %v, %+v", err, info)
	}
	if err := contain.CanLend(appUser, "/no/such/folder"); err == nil || !strings.Contains(err.Error(), "/no/such/folder") {
		t.Errorf("a folder that does not exist: %v", err)
	}
	exit, out = run(t, contain.Policy{Lend: []string{"/no/such/folder"}, UID: appUser}, "/bin/true")
	if exit.Code == 0 || !strings.Contains(out, "/no/such/folder") {
		t.Errorf("a folder that does not exist: %s\n%s", exit, out)
	}
}

// reach connects to a port of two addresses, and says what came of it.
const reach = `
import socket, sys
for host in ("127.0.0.1", "127.0.0.2"):
    try:
        with socket.create_connection((host, int(sys.argv[1])), 5) as s:
            s.sendall(b"x" * 3_000_000)
            s.shutdown(socket.SHUT_WR)
            print(host, s.makefile().read())
    except OSError as err:
        print(host, "no")
`

// A port is allowed on every host, unless the policy says that it is on this machine. Then another host is not reached at it.
func TestALocalPortIsOnThisMachineOnly(t *testing.T) {
	if !contain.Check().Namespaces {
		t.Log("without namespaces a port is allowed on every host: see docs/security.md")
		return
	}
	first, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := first.Addr().(*net.TCPAddr).Port
	second, err := net.Listen("tcp", net.JoinHostPort("127.0.0.2", strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	for _, ln := range []net.Listener{first, second} {
		defer ln.Close()
		go func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				n, _ := io.Copy(io.Discard, c)
				fmt.Fprintf(c, "got %d", n)
				_ = c.Close()
			}
		}()
	}
	python, prefix := interpreter(t)
	modes(t, func(t *testing.T, p contain.Policy) {
		if p.NoNamespaces {
			return
		}
		p.Read, p.Connect = []string{prefix}, []int{port}
		for _, c := range []struct {
			local bool
			want  string
		}{{false, "127.0.0.1 got 3000000\n127.0.0.2 got 3000000\n"}, {true, "127.0.0.1 got 3000000\n127.0.0.2 no\n"}} {
			p.Local = c.local
			if exit, out := run(t, p, python, "-I", "-c", reach, strconv.Itoa(port)); exit.Code != 0 || out != c.want {
				t.Errorf("local: %v: %s\n%s", c.local, exit, out)
			}
		}
	})
}

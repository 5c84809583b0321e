package apphost

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/flower/python"
	"blossomtune/internal/keeper/contain"
)

// enclose makes the folders that uv writes to, and the sandbox that it runs in. uv alone writes to the machine's cache: what it installs
// is never executed there. A build from source does execute code, so it has a cache of its own, and none of the user's passwords.
func (s *steps) enclose() error {
	cache := s.file("cache")
	if !s.p.o.Sources {
		found, err := s.machineCache()
		if err != nil {
			return err
		}
		cache = found
	}
	tmp := s.file("tmp")
	for _, dir := range []string{cache, tmp, s.venv} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("making a folder for uv: %w", err)
		}
	}
	s.env = append(slices.Clone(s.env), "UV_CACHE_DIR="+cache, "TMPDIR="+tmp)
	if s.p.o.Uncontained {
		return nil
	}
	paths, ports := indexes(append(os.Environ(), s.env...))
	if !s.p.o.Sources {
		paths = append(paths, passwords()...)
	}
	read := slices.Concat([]string{s.p.base.env.Dir}, python.Installation(s.p.base.env.Dir))
	for _, path := range certificates() {
		if info, err := os.Stat(path); err == nil && info.Mode()&0o004 == 0 { // not for the builds' own user
			paths = append(paths, path)
		} else {
			read = append(read, path)
		}
	}
	s.room = &contain.Policy{
		Read:      read,
		Lend:      slices.DeleteFunc(paths, missing),
		LendWrite: []string{s.work, s.venv, cache},
		Connect:   slices.Concat(webPorts, proxyPorts(), ports), UDP: true,
	}
	s.room.UID = s.p.builder(append(slices.Clone(s.room.Lend), s.room.LendWrite...)...)
	return nil
}

// builder returns the user that a build runs as; 0 where it cannot use these folders as another user.
func (p *Pool) builder(folders ...string) int {
	if p.o.BuildUID == 0 || !p.others || contain.CanLend(p.o.BuildUID, folders...) != nil {
		return 0
	}
	return p.o.BuildUID
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return err != nil
}

// machineCache asks uv where its cache is. It asks in a folder that has nothing of the app's, which could name another.
func (s *steps) machineCache() (string, error) {
	var dir string
	err := s.p.base.env.UV(s.ctx, python.UVCommand{Dir: s.work, Env: s.env, Progress: func(line string) { dir = line }}, "cache", "dir")
	if err != nil {
		return "", err
	}
	return filepath.Abs(strings.TrimSpace(dir))
}

// wheels are the arguments by which uv runs no code of a package.
func (s *steps) wheels() []string {
	if s.p.o.Sources {
		return nil
	}
	return []string{"--no-build"}
}

// compile precompiles what was installed. The base's Python does it: that of the environment would run the .pth files of its packages.
// Files that it cannot compile are left as they are, as pip and uv do.
func (s *steps) compile(site string) error {
	base := s.p.base.env
	cmd := exec.CommandContext(s.ctx, base.Bin("python"), "-I", "-S", "-m", "compileall", "-qq", "-j", "0", site)
	cmd.Dir, cmd.Env = s.venv, []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + s.file("tmp"), "PYTHONUTF8=1"}
	cmd.WaitDelay = time.Second
	if !s.p.o.Uncontained {
		policy, err := contain.Command(cmd, contain.Policy{
			Read: append([]string{base.Dir}, python.Installation(base.Dir)...), LendWrite: []string{s.venv, s.file("tmp")}, UID: s.room.UID,
		})
		if err != nil {
			return err
		}
		defer policy.Close()
	}
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 1 {
		return nil
	}
	return err
}

var address = regexp.MustCompile(`(?:https?|file)://[^\s,"']+`)

// indexes returns what the settings of package indexes name on this machine: files and folders, and ports.
func indexes(env []string) (paths []string, ports []int) {
	settings := configs()
	texts := []string{}
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, "UV_") && !strings.HasPrefix(name, "PIP_") || strings.HasSuffix(name, "_DIR") {
			continue
		}
		if name == "UV_CONFIG_FILE" {
			settings = append(settings, value)
		}
		texts = append(texts, value)
		for _, word := range strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == ',' }) {
			if filepath.IsAbs(word) && filepath.Clean(word) != "/" {
				paths = append(paths, word)
			}
		}
	}
	for _, file := range settings {
		text, err := os.ReadFile(file)
		if err == nil {
			paths, texts = append(paths, file), append(texts, string(text))
		}
	}
	for _, found := range address.FindAllString(strings.Join(texts, "\n"), -1) {
		u, err := url.Parse(found)
		if err != nil {
			continue
		}
		if port, err := strconv.Atoi(u.Port()); err == nil && port > 0 && port < 1<<16 {
			ports = append(ports, port)
		}
		if u.Scheme == "file" && filepath.Clean(u.Path) != "/" {
			paths = append(paths, u.Path)
		}
	}
	return paths, ports
}

// configs are uv's own settings of this machine and user.
func configs() []string {
	out := []string{"/etc/uv/uv.toml", "/etc/xdg/uv/uv.toml"}
	if dir := os.Getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return append(out, filepath.Join(dir, "uv", "uv.toml"))
	}
	if home, err := os.UserHomeDir(); err == nil {
		out = append(out, filepath.Join(home, ".config", "uv", "uv.toml"))
	}
	return out
}

// passwords are the user's for package indexes.
func passwords() []string {
	var out []string
	if file := os.Getenv("NETRC"); filepath.IsAbs(file) {
		out = append(out, file)
	}
	if home, err := os.UserHomeDir(); err == nil {
		out = append(out, filepath.Join(home, ".netrc"), filepath.Join(home, ".local", "share", "uv", "credentials"))
	}
	return out
}

package apphost

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"blossomtune/internal/flower/python"
	"blossomtune/internal/keeper/contain"
)

// Room is the sandbox of an app's processes. They can read their Python environment and the system's libraries, and change only the
// room's own folders. Processes in the same room share a warm template; those in different rooms never do.
type Room struct {
	Dir  string   // holds the folders that the app can change; it cannot change Dir itself
	Read []string // further folders that it can read, whoever owns them
	Port int      // of the Runtime API on this machine
	Hub  bool     // it can reach web servers anywhere (TCP 443 and 80), for models and data
	UID  int      // the user that its processes run as; 0: this process's own
	Disk int64    // most bytes of one file; 0: no limit. The sum is for the caller to watch, see [Room.Size]
}

// The folders of a room.
const (
	WorkDir  = "work"      // the working directory
	FlwrHome = "flwr_home" // FLWR_HOME: the unpacked app
	homeDir  = "home"      // HOME: caches of models among others
	tmpDir   = "tmp"       // TMPDIR
)

// Path returns one of the room's folders.
func (r *Room) Path(name string) string { return filepath.Join(r.Dir, name) }

func (r *Room) folders() []string {
	return []string{r.Path(WorkDir), r.Path(FlwrHome), r.Path(homeDir), r.Path(tmpDir)}
}

// Clear removes what the app does not leave for anybody: all but its working directory.
func (r *Room) Clear() {
	for _, dir := range r.folders()[1:] {
		_ = os.RemoveAll(dir)
	}
}

// Make makes the room's folders. Where this process is root, what is in them already becomes the property of the room's user.
func (r *Room) Make() error {
	for _, dir := range r.folders() {
		err := os.MkdirAll(dir, 0o700)
		if err == nil && (r.UID != 0 || os.Geteuid() == 0) {
			err = give(dir, r.UID)
		}
		if err != nil {
			return fmt.Errorf("making an app's folders: %w", err)
		}
	}
	if r.UID == 0 {
		return nil
	}
	return os.Chmod(r.Dir, 0o711) // without namespaces its processes must be able to pass through
}

// Put writes a file into the room's FLWR_HOME, which the room's user can read, and returns its path. The name must be new.
func (r *Room) Put(name string, text []byte) (string, error) {
	root, err := os.OpenRoot(r.Path(FlwrHome))
	if err != nil {
		return "", fmt.Errorf("opening an app's folder: %w", err)
	}
	defer root.Close()
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", fmt.Errorf("writing into an app's folder: %w", err)
	}
	_, err = f.Write(text)
	if r.UID != 0 {
		err = errors.Join(err, f.Chown(r.UID, r.UID))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("writing into an app's folder: %w", err)
	}
	return filepath.Join(r.Path(FlwrHome), name), nil
}

// webPorts are those of the web and, for long answers, of name servers.
var webPorts = []int{443, 80, 53}

// policy returns what an app in the room may use.
func (p *Pool) policy(r *Room, e *environment) *contain.Policy {
	if r == nil {
		return nil
	}
	c := &contain.Policy{Write: r.folders(), Connect: []int{r.Port}, UDP: r.Hub, UID: r.UID, FileSize: r.Disk}
	c.Read, c.Lend = slices.Concat(p.pythons(e), certificates()), r.Read
	c.Local = !r.Hub
	if r.Hub {
		c.Connect = slices.Concat(c.Connect, webPorts, proxyPorts())
	}
	return c
}

// pythons are what a Python of the environment reads.
func (p *Pool) pythons(e *environment) []string {
	return append([]string{e.env.Dir, p.base.env.Dir, p.o.programs()}, python.Installation(p.base.env.Dir)...)
}

// certificates are the files of this machine's own certificate authorities.
func certificates() []string {
	var out []string
	for _, name := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"} {
		if path := os.Getenv(name); filepath.IsAbs(path) {
			out = append(out, path)
		}
	}
	return out
}

// proxyPorts are those of this machine's web proxies, through which alone some networks reach the web, and of its own model hub.
func proxyPorts() []int {
	var out []int
	for _, name := range []string{"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "HF_ENDPOINT"} {
		for _, name := range []string{name, strings.ToLower(name)} {
			u, err := url.Parse(os.Getenv(name))
			if err != nil {
				continue
			}
			if port, err := strconv.Atoi(u.Port()); err == nil && port > 0 && port < 1<<16 {
				out = append(out, port)
			}
		}
	}
	return out
}

// hidden are variables that an app in a room does not get: where the user's own files are, and the settings of package indexes, which
// can hold passwords.
var hidden = []string{"HOME", "TMPDIR", "TEMP", "TMP", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "NETRC", "HF_HOME",
	"FLWR_HOME"}

// environment returns the variables of an app in the room.
func (r *Room) environment(env []string) []string {
	env = slices.DeleteFunc(env, func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		name = strings.ToUpper(name)
		return slices.Contains(hidden, name) || strings.HasPrefix(name, "UV_") || strings.HasPrefix(name, "PIP_") ||
			!r.Hub && strings.HasSuffix(name, "_PROXY") && name != "NO_PROXY"
	})
	if r.UID != 0 { // libraries that want a user name look here first
		env = slices.DeleteFunc(env, func(kv string) bool { return strings.HasPrefix(kv, "USER=") || strings.HasPrefix(kv, "LOGNAME=") })
		env = append(env, "USER=app", "LOGNAME=app")
	}
	return append(env, "HOME="+r.Path(homeDir), "TMPDIR="+r.Path(tmpDir), "FLWR_HOME="+r.Path(FlwrHome))
}

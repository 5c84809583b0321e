//go:build !participant

package doctor

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"blossomtune/internal/config"
	"blossomtune/internal/domain"
	"blossomtune/internal/filelock"
	"blossomtune/internal/flower/python"
	"blossomtune/internal/keeper/contain"
)

const (
	reachWithin = 5 * time.Second     // timeout for connections and queries
	certSoon    = 14 * 24 * time.Hour // warn this long before a certificate expires
)

// Server checks the server described by a resolved configuration. It must run on the server's machine.
func Server(ctx context.Context, c config.Config, clock domain.Clock) []Finding {
	return server{c: c, clock: clock, free: freeSpace, contained: contain.Check, find: python.Find,
		imports: imports}.check(ctx)
}

// server is what the checks need. What a test cannot take from the machine is a function.
type server struct {
	c         config.Config
	clock     domain.Clock
	free      func(dir string) (bytes uint64, known bool, err error)
	contained func() contain.Report
	find      func(ctx context.Context, named string) (path, version string, err error)
	imports   func(ctx context.Context, interpreter string) error // whether Flower can be imported
}

func (s server) check(ctx context.Context) []Finding {
	var out []Finding
	for _, check := range []check{s.directory, s.disk, s.process, s.database, s.certificate, s.python, s.sandbox, s.keepers, s.mail, s.address,
		s.folders} {
		out = append(out, check(ctx)...)
	}
	return out
}

func (s server) directory(context.Context) []Finding {
	const part = "data directory"
	info, err := os.Stat(s.c.Data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return []Finding{Bad(part, "Set --data to the server's directory, or start the server, which creates it.", "%s does not exist.",
			s.c.Data)}
	case err != nil:
		return []Finding{Bad(part, "Run this as the user of the server.", "%s cannot be read: %v.", s.c.Data, err)}
	case !info.IsDir():
		return []Finding{Bad(part, "Set --data to the server's directory.", "%s is not a directory.", s.c.Data)}
	case info.Mode().Perm()&0o022 != 0:
		return []Finding{Bad(part, "Run chmod 700 "+s.c.Data+".", "Other users can write to %s.", s.c.Data)}
	}
	return []Finding{Good(part, "%s", s.c.Data)}
}

// Free disk space, in bytes, below which disk reports a problem.
const (
	leastFree = 100 << 20 // failure: nothing can be launched
	fewFree   = 5 << 30   // warning
)

func (s server) disk(context.Context) []Finding {
	const part = "disk"
	switch free, known, err := s.free(s.c.Data); {
	case errors.Is(err, fs.ErrNotExist) || !known && err == nil:
		return nil // the directory's own finding says so
	case err != nil:
		return []Finding{Bad(part, "Check the disk.", "The free disk space cannot be read: %v.", err)}
	case free < leastFree:
		return []Finding{Bad(part, "Free some space. Runs cannot be launched.", "%d MB are free.", free>>20)}
	case free < fewFree:
		return []Finding{Warn(part, "Free some space soon. Runs write models and logs.", "%d MB are free.", free>>20)}
	default:
		return []Finding{Good(part, "%d GB are free.", free>>30)}
	}
}

// process checks that the server is running and ready.
func (s server) process(ctx context.Context) []Finding {
	const part = "server"
	path := filepath.Join(s.c.Data, "server.lock")
	held, err := filelock.Held(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !held {
		return append(s.port(), Warn(part, "Start it with blossomtune serve.", "The server is not running."))
	}
	if err != nil {
		return []Finding{Bad(part, "Run this as the user of the server.", "The server's lock file cannot be read: %v.", err)}
	}
	who := "The server is running"
	if pid := filelock.Read(path).PID; pid != 0 {
		who += " (process " + strconv.Itoa(pid) + ")"
	}
	status, said, err := s.ready(ctx)
	switch {
	case err != nil:
		return []Finding{Bad(part, "Check its log. If it listens on another address, pass this command the same settings.",
			"%s but does not respond at %s.", who, s.c.Listen)}
	case status != http.StatusOK:
		return []Finding{Bad(part, "Check its log.", "%s but not ready: %s", who, said)}
	}
	return []Finding{Good(part, "%s and ready at %s.", who, s.c.Listen)}
}

// ready queries the server's /readyz endpoint.
func (s server) ready(ctx context.Context) (status int, said string, err error) {
	host, port, err := net.SplitHostPort(s.c.Listen)
	if err != nil {
		return 0, "", err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, reachWithin)
	defer cancel()
	scheme := "https"
	if s.c.BehindProxy || net.ParseIP(host).IsLoopback() || host == "localhost" {
		scheme = "http"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return 0, "", err
	}
	res, err := Unverified().Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	text := make([]byte, 512)
	n, _ := res.Body.Read(text)
	return res.StatusCode, strings.TrimSpace(string(text[:n])), nil
}

// port checks that a server which is not running could listen. It reports problems only.
func (s server) port() []Finding {
	const part = "port"
	ln, err := net.Listen("tcp", s.c.Listen) //nolint:noctx // it returns at once
	switch {
	case err == nil:
		_ = ln.Close()
		return nil
	case errors.Is(err, syscall.EADDRINUSE):
		return []Finding{Bad(part, "End that program, or choose another port with --listen.", "Another program listens on %s.", s.c.Listen)}
	case errors.Is(err, fs.ErrPermission):
		return []Finding{Bad(part, "Choose a port above 1023 with --listen, or allow this one in the service's unit.",
			"This user cannot listen on %s.", s.c.Listen)}
	}
	return []Finding{Bad(part, "Set --listen to an address of this machine.", "%s cannot be listened on: %v.", s.c.Listen, err)}
}

// keepers counts the federations whose keeper is running.
func (s server) keepers(context.Context) []Finding {
	const part = "keepers"
	locks, _ := filepath.Glob(filepath.Join(s.c.Data, "federations", "*", "keeper.lock")) // the pattern is sound
	running := 0
	for _, path := range locks {
		held, err := filelock.Held(path)
		if err != nil {
			return []Finding{Bad(part, "Run this as the user of the server.", "%s cannot be read: %v.", path, err)}
		}
		if held {
			running++
		}
	}
	return []Finding{Good(part, "%d of %d federations have a running keeper. The others start with their next run.", running, len(locks))}
}

// folders checks the folders that settings name. It reports problems only.
func (s server) folders(context.Context) (out []Finding) {
	const part = "settings"
	for _, f := range []struct{ flag, path string }{{"downloads", s.c.Downloads}, {"backup-passphrase-file", s.c.Backup.PassphraseFile}} {
		if _, err := os.Stat(f.path); f.path != "" && err != nil {
			out = append(out, Bad(part, "Create it, or change --"+f.flag+".", "%s, which --%s names, cannot be read.", f.path, f.flag))
		}
	}
	for _, dir := range s.c.Apps {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			out = append(out, Warn(part, "Create it, or change --apps.", "%s, which --apps names, is not a folder. Its apps are missing.", dir))
		}
	}
	return out
}

//go:build !participant

package doctor

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/config"
	"blossomtune/internal/domain"
	"blossomtune/internal/filelock"
	"blossomtune/internal/flower/python"
	"blossomtune/internal/keeper/contain"
	"blossomtune/internal/store"
)

const (
	reachWithin = 5 * time.Second     // timeout for connections and queries
	certSoon    = 14 * 24 * time.Hour // warn this long before a certificate expires
)

// Server checks the server described by a resolved configuration. It must run on the server's machine.
func Server(ctx context.Context, c config.Config, clock domain.Clock) []Finding {
	s := server{c: c, clock: clock}
	var out []Finding
	for _, look := range []check{s.directory, s.process, s.database, s.certificate, s.python, s.sandbox, s.keepers, s.mail, s.address} {
		out = append(out, look(ctx)...)
	}
	return out
}

type server struct {
	c     config.Config
	clock domain.Clock
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
	}
	out := []Finding{Good(part, "%s", s.c.Data)}
	if f := diskFinding(s.c.Data); f.Says != "" {
		out = append(out, f)
	}
	return out
}

// process checks that the server is running and ready.
func (s server) process(ctx context.Context) []Finding {
	const part = "server"
	path := filepath.Join(s.c.Data, "server.lock")
	held, err := filelock.Held(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !held {
		return []Finding{Warn(part, "Start it with blossomtune serve.", "The server is not running.")}
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

func (s server) database(ctx context.Context) []Finding {
	const part = "database"
	ctx, cancel := context.WithTimeout(ctx, 2*reachWithin)
	defer cancel()
	db, err := store.OpenExisting(ctx, s.c.Database)
	if err != nil {
		return []Finding{failed(part, err)}
	}
	defer db.Close()
	about, err := db.About(ctx)
	if err == nil {
		err = db.Ready(ctx)
	}
	if err != nil {
		return []Finding{failed(part, err)}
	}
	return []Finding{Good(part, "%s, %d MB, schema %d.", about.Engine, about.Size>>20, about.Schema)}
}

func (s server) certificate(context.Context) []Finding {
	const part = "certificate"
	if s.c.BehindProxy {
		return []Finding{Good(part, "The reverse proxy handles TLS (--behind-proxy).")}
	}
	path, renew := s.c.TLSCert, "Replace the file. The server reloads it without a restart."
	if path == "" {
		path, renew = filepath.Join(s.c.Data, "tls", "server.pem"), "Start the server, which renews it."
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && s.c.TLSCert == "" {
		return []Finding{Good(part, "The server creates a certificate at its first start.")}
	}
	if err != nil {
		return []Finding{Bad(part, "Check --tls-cert and the file's permissions.", "%s cannot be read: %v.", path, err)}
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return []Finding{Bad(part, renew, "%s does not contain a certificate.", path)}
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return []Finding{Bad(part, renew, "%s contains an invalid certificate.", path)}
	}
	switch left := cert.NotAfter.Sub(s.clock()); {
	case left <= 0:
		return []Finding{Bad(part, renew, "The certificate expired on %s.", cert.NotAfter.Format(time.DateOnly))}
	case left < certSoon:
		return []Finding{Warn(part, renew, "The certificate expires on %s.", cert.NotAfter.Format(time.DateOnly))}
	}
	return []Finding{Good(part, "The certificate is valid until %s.", cert.NotAfter.Format(time.DateOnly))}
}

func (s server) python(ctx context.Context) []Finding {
	const part = "Python"
	made, _ := filepath.Glob(filepath.Join(s.c.Data, "python", "*", "bin", "python")) // the pattern is sound
	ctx, cancel := context.WithTimeout(ctx, 2*reachWithin)
	defer cancel()
	path, version, err := python.Find(ctx, s.c.Python)
	if ctx.Err() != nil {
		return []Finding{Warn(part, "Try again when the machine is less busy.", "Python did not respond within %s.", 2*reachWithin)}
	}
	if err != nil {
		return []Finding{failed(part, err)}
	}
	if len(made) == 0 {
		return []Finding{Warn(part, "Start the server, which installs Flower. It needs access to a package index.",
			"%s (%s) was found, but Flower is not installed yet.", path, version)}
	}
	return []Finding{Good(part, "%s (%s) with flwr %s.", path, version, python.FlwrVersion)}
}

func (s server) sandbox(context.Context) []Finding {
	const part = "containment"
	r := contain.Check()
	switch {
	case !r.Floor():
		return []Finding{Warn(part, "Run the server on Linux 6.12 or newer. Until then only admins can add app versions.",
			"Apps cannot be contained on this machine: %s", r.Reason)}
	case !r.Namespaces:
		return []Finding{Good(part, "Apps are contained (Landlock %d, seccomp), without namespaces: %s", r.Landlock, r.Reason)}
	}
	return []Finding{Good(part, "Apps are contained (Landlock %d, seccomp, namespaces).", r.Landlock)}
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

func (s server) mail(ctx context.Context) []Finding {
	const part = "mail"
	switch {
	case s.c.Mailjet.Key != "":
		return []Finding{Good(part, "Mail is sent through Mailjet. This command does not contact Mailjet.")}
	case s.c.Mail.Host == "":
		return []Finding{Warn(part, "Set --smtp-host, or hand out codes from the outbox.",
			"No SMTP server is configured. Mail stays in the outbox.")}
	}
	port := s.c.Mail.Port
	if port == 0 {
		port = map[string]int{"tls": 465, "none": 25}[s.c.Mail.TLS]
	}
	if port == 0 {
		port = 587
	}
	addr := net.JoinHostPort(s.c.Mail.Host, strconv.Itoa(port))
	if err := reach(ctx, addr); err != nil {
		return []Finding{Bad(part, "Check --smtp-host, --smtp-port and the firewall.", "The SMTP server %s does not respond.", addr)}
	}
	return []Finding{Good(part, "The SMTP server %s responds.", addr)}
}

// address checks that the public URL accepts connections.
func (s server) address(ctx context.Context) []Finding {
	const part = "public address"
	if s.c.PublicURL == "" {
		return []Finding{Warn(part, "Set --public-url to the address that participants use.",
			"The public URL is not set and defaults to --listen (%s).", s.c.Listen)}
	}
	host := strings.TrimPrefix(strings.TrimPrefix(s.c.PublicURL, "https://"), "http://")
	host, _, _ = strings.Cut(host, "/")
	if _, _, err := net.SplitHostPort(host); err != nil {
		port := "443"
		if strings.HasPrefix(s.c.PublicURL, "http://") {
			port = "80"
		}
		host = net.JoinHostPort(strings.Trim(host, "[]"), port)
	}
	if err := reach(ctx, host); err != nil {
		return []Finding{Warn(part,
			"Check the name's DNS entry, the firewall, and the proxy in front. From inside its network, a server may not see its own address.",
			"%s cannot be reached from this machine.", s.c.PublicURL)}
	}
	return []Finding{Good(part, "%s accepts connections.", s.c.PublicURL)}
}

// reach checks that addr accepts TCP connections.
func reach(ctx context.Context, addr string) error {
	d := net.Dialer{Timeout: reachWithin}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return c.Close()
}

package doctor

import (
	"context"
	"crypto/tls"
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
	reachWithin = 5 * time.Second     // for another machine or process to answer
	certSoon    = 14 * 24 * time.Hour // before a certificate ends
)

// Server looks at the server that a configuration describes, on its own machine. The configuration must have been resolved.
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
		return []Finding{Bad(part, "Name the server's directory with --data, or start the server, which makes it.", "%s does not exist.", s.c.Data)}
	case err != nil:
		return []Finding{Bad(part, "Run this as the user of the server.", "%s cannot be read: %v.", s.c.Data, err)}
	case !info.IsDir():
		return []Finding{Bad(part, "Name the server's directory with --data.", "%s is no directory.", s.c.Data)}
	}
	out := []Finding{Good(part, "%s", s.c.Data)}
	if f := diskFinding(s.c.Data); f.Says != "" {
		out = append(out, f)
	}
	return out
}

// process looks whether the server runs, and whether it answers.
func (s server) process(ctx context.Context) []Finding {
	const part = "server"
	path := filepath.Join(s.c.Data, "server.lock")
	held, err := filelock.Held(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !held {
		return []Finding{Warn(part, "Start it with blossomtune serve.", "It does not run.")}
	}
	if err != nil {
		return []Finding{Bad(part, "Run this as the user of the server.", "Whether it runs cannot be seen: %v.", err)}
	}
	who := "It runs"
	if pid := filelock.Read(path).PID; pid != 0 {
		who += " (process " + strconv.Itoa(pid) + ")"
	}
	status, said, err := s.ready(ctx)
	switch {
	case err != nil:
		return []Finding{Bad(part, "Look at its log. If it listens elsewhere, give this command the same settings.", "%s, but does not answer at %s.", who, s.c.Listen)}
	case status != http.StatusOK:
		return []Finding{Bad(part, "Look at its log.", "%s, but is not ready: %s", who, said)}
	}
	return []Finding{Good(part, "%s and is ready at %s.", who, s.c.Listen)}
}

// ready asks the server whether it is ready. Only this machine is asked, so no certificate is needed.
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

// Unverified returns a client that believes any certificate. It is for questions whose answer is trusted with nothing.
func Unverified() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}}} //nolint:gosec // as said
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
		return []Finding{Good(part, "The proxy in front has it (--behind-proxy).")}
	}
	path, renew := s.c.TLSCert, "Put a new certificate there; the server takes it without a restart."
	if path == "" {
		path, renew = filepath.Join(s.c.Data, "tls", "server.pem"), "Start the server, which renews it."
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && s.c.TLSCert == "" {
		return []Finding{Good(part, "It is made at the server's first start.")}
	}
	if err != nil {
		return []Finding{Bad(part, "Check --tls-cert and who may read it.", "%s cannot be read: %v.", path, err)}
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return []Finding{Bad(part, renew, "%s holds no certificate.", path)}
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return []Finding{Bad(part, renew, "%s holds a certificate that cannot be read.", path)}
	}
	switch left := cert.NotAfter.Sub(s.clock()); {
	case left <= 0:
		return []Finding{Bad(part, renew, "It ended on %s.", cert.NotAfter.Format(time.DateOnly))}
	case left < certSoon:
		return []Finding{Warn(part, renew, "It ends on %s.", cert.NotAfter.Format(time.DateOnly))}
	}
	return []Finding{Good(part, "It is valid until %s.", cert.NotAfter.Format(time.DateOnly))}
}

func (s server) python(ctx context.Context) []Finding {
	const part = "Python"
	made, _ := filepath.Glob(filepath.Join(s.c.Data, "python", "*", "bin", "python")) // the pattern is sound
	ctx, cancel := context.WithTimeout(ctx, 2*reachWithin)
	defer cancel()
	path, version, err := python.Find(ctx, s.c.Python)
	if ctx.Err() != nil {
		return []Finding{Warn(part, "Try again when the machine is less busy.", "It did not answer within %s.", 2*reachWithin)}
	}
	if err != nil {
		return []Finding{failed(part, err)}
	}
	if len(made) == 0 {
		return []Finding{Warn(part, "Start the server, which prepares it; that needs a package index.", "%s (%s) is there, but no environment with Flower is prepared yet.", path, version)}
	}
	return []Finding{Good(part, "%s (%s), and an environment for flwr %s.", path, version, python.FlwrVersion)}
}

func (s server) sandbox(context.Context) []Finding {
	const part = "containment"
	r := contain.Check()
	switch {
	case !r.Floor():
		return []Finding{Warn(part, "Run the server on Linux 6.12 or newer. Until then only admins can add app versions.", "Apps cannot be contained on this machine: %s", r.Reason)}
	case !r.Namespaces:
		return []Finding{Good(part, "Apps are contained (Landlock %d, seccomp), without namespaces: %s", r.Landlock, r.Reason)}
	}
	return []Finding{Good(part, "Apps are contained (Landlock %d, seccomp, namespaces).", r.Landlock)}
}

// keepers looks which federations have a keeper.
func (s server) keepers(context.Context) []Finding {
	const part = "keepers"
	locks, _ := filepath.Glob(filepath.Join(s.c.Data, "federations", "*", "keeper.lock")) // the pattern is sound
	running := 0
	for _, path := range locks {
		held, err := filelock.Held(path)
		if err != nil {
			return []Finding{Bad(part, "Run this as the user of the server.", "Whether %s is held cannot be seen: %v.", path, err)}
		}
		if held {
			running++
		}
	}
	return []Finding{Good(part, "%d of %d federations have one running; the others start with their next run.", running, len(locks))}
}

func (s server) mail(ctx context.Context) []Finding {
	const part = "mail"
	switch {
	case s.c.Mailjet.Key != "":
		return []Finding{Good(part, "It goes out by Mailjet, which is not asked here.")}
	case s.c.Mail.Host == "":
		return []Finding{Warn(part, "Set --smtp-host, or hand codes out from the outbox.", "No SMTP server is set: mails stay in the outbox.")}
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
		return []Finding{Bad(part, "Check --smtp-host and --smtp-port, and that this machine may connect to it.", "The SMTP server %s does not answer.", addr)}
	}
	return []Finding{Good(part, "The SMTP server %s answers.", addr)}
}

// address looks whether participants can find the server by the address that it tells them.
func (s server) address(ctx context.Context) []Finding {
	const part = "public address"
	if s.c.PublicURL == "" {
		return []Finding{Warn(part, "Set --public-url to the address that participants use.", "It is made from --listen (%s).", s.c.Listen)}
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
		return []Finding{Warn(part, "Check the name's DNS entry, the firewall, and the proxy in front. From inside its network, a server may not see its own address.",
			"%s cannot be reached from this machine.", s.c.PublicURL)}
	}
	return []Finding{Good(part, "%s accepts connections.", s.c.PublicURL)}
}

// reach connects and closes.
func reach(ctx context.Context, addr string) error {
	d := net.Dialer{Timeout: reachWithin}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return c.Close()
}

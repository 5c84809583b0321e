//go:build !participant

package doctor

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/filelock"
	"blossomtune/internal/mail"
)

// mail checks that the SMTP server accepts a connection with TLS and the configured login. No mail is sent.
func (s server) mail(ctx context.Context) []Finding {
	const part = "mail"
	switch {
	case s.c.Mailjet.Key != "":
		return []Finding{Good(part, "Mail is sent through Mailjet. This command does not contact Mailjet.")}
	case s.c.Mail.Host == "":
		return []Finding{Warn(part, "Set --smtp-host, or hand out codes from the outbox.",
			"No SMTP server is configured. Mail stays in the outbox.")}
	}
	m := s.c.Mail
	port := m.Port
	if port == 0 {
		port = map[string]int{"tls": 465, "none": 25}[m.TLS]
	}
	if port == 0 {
		port = 587
	}
	addr := net.JoinHostPort(m.Host, strconv.Itoa(port))
	if err := reach(ctx, addr); err != nil {
		if notFound(err) {
			return []Finding{Bad(part, "Check --smtp-host and this machine's DNS.", "The name of the SMTP server %s cannot be resolved.", m.Host)}
		}
		return []Finding{Bad(part, "Check --smtp-host, --smtp-port and the firewall.", "The SMTP server %s does not respond.", addr)}
	}
	sender := mail.New(mail.Options{Host: m.Host, Port: port, User: m.User, Password: m.Password, TLS: m.TLS,
		Log:     slog.New(slog.DiscardHandler),
		Timeout: 2 * reachWithin})
	if err := sender.Connect(ctx); err != nil {
		return []Finding{Bad(part, "Check --smtp-port, --smtp-tls, --smtp-user and the password.",
			"The SMTP server %s accepts connections, but no mail: %s", addr, withoutSecret(err.Error(), m.Password))}
	}
	return []Finding{Good(part, "The SMTP server %s responds.", addr)}
}

// withoutSecret is for a server that repeats what it was sent.
func withoutSecret(text, secret string) string {
	if secret == "" {
		return text
	}
	return strings.ReplaceAll(text, secret, "********")
}

// address checks that the public URL leads to a server of this kind, and compares the clocks of the two machines where a proxy answers.
func (s server) address(ctx context.Context) []Finding {
	const part = "public address"
	if s.c.PublicURL == "" {
		return []Finding{Warn(part, "Set --public-url to the address that participants use.",
			"The public URL is not set and defaults to --listen (%s).", s.c.Listen)}
	}
	u, err := url.Parse(s.c.PublicURL)
	if err != nil {
		return []Finding{Bad(part, "Correct --public-url.", "%s is not a valid URL.", s.c.PublicURL)}
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if err := reach(ctx, net.JoinHostPort(u.Hostname(), port)); err != nil {
		if notFound(err) {
			return []Finding{Warn(part, "Add a DNS entry for the name, or correct --public-url.", "The name %s cannot be resolved.", u.Hostname())}
		}
		if held, err := filelock.Held(filepath.Join(s.c.Data, "server.lock")); err == nil && !held {
			return nil // the finding that the server is not running says enough
		}
		return []Finding{Warn(part,
			"Check the firewall and the proxy in front. From inside its network, a server may not see its own address.",
			"%s cannot be reached from this machine.", s.c.PublicURL)}
	}
	says, at, err := s.health(ctx, u)
	if err != nil || says != "ok" {
		return []Finding{Warn(part, "Let the proxy in front pass requests on to --listen, or correct --public-url.",
			"Another server answers at %s, or the proxy in front does not reach this one.", s.c.PublicURL)}
	}
	out := []Finding{Good(part, "%s answers.", s.c.PublicURL)}
	if off := s.clock().Sub(at).Truncate(time.Second); !at.IsZero() && off.Abs() > clockSlack {
		out = append(out, Bad("clock", "Synchronize the clocks of both machines with NTP.", "The clock differs by %s from the clock at %s.", off,
			s.c.PublicURL))
	}
	return out
}

// health asks for /healthz at the public address.
func (s server) health(ctx context.Context, u *url.URL) (says string, at time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, reachWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.JoinPath("healthz").String(), nil)
	if err != nil {
		return "", at, err
	}
	res, err := Unverified().Do(req)
	if err != nil {
		return "", at, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 64))
	at, _ = http.ParseTime(res.Header.Get("Date")) // a server need not report its time
	return strings.TrimSpace(string(text)), at, err
}

func notFound(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns)
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

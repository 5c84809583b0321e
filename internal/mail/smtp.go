package mail

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/safely"

	gomail "github.com/wneessen/go-mail"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// send hands one mail to who delivers it.
func (s *Service) send(ctx context.Context, m domain.Mail) error {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	if s.Mailjet.Key != "" {
		return s.sendMailjet(ctx, m)
	}
	return s.sendSMTP(ctx, m)
}

func (s *Service) sendSMTP(ctx context.Context, m domain.Mail) error {
	msg := gomail.NewMsg()
	if err := msg.FromFormat(s.Site.Name(), onWire(s.From)); err != nil {
		return fmt.Errorf("sender %q: %w", s.From, err)
	}
	if err := msg.To(onWire(m.To)); err != nil {
		return fmt.Errorf("recipient: %w", err)
	}
	msg.Subject(m.Subject)
	msg.SetMessageID()
	msg.SetDate()
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	msg.AddAlternativeString(gomail.TypeTextHTML, htmlOf(m, s.brand()))
	client, err := s.client()
	if err != nil {
		return fmt.Errorf("setting up SMTP: %w", err)
	}
	// The library looks at ctx before it dials only; a server that then says nothing must not hold up our own end. What is left
	// behind ends with the connection's own time limit.
	sent := make(chan error, 1)
	go func() {
		sent <- safely.Do(s.Log, "sending a mail", func() error { return client.DialAndSendWithContext(ctx, msg) })
	}()
	select {
	case err := <-sent:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// onWire returns an address as mail servers take it: its domain in ASCII (xn--…). Few take another one, and only with SMTPUTF8.
func onWire(address string) string {
	local, host, found := strings.Cut(address, "@")
	ascii, err := domain.ASCIIHost(host)
	if !found || err != nil {
		return address // the mail server will say what is wrong with it
	}
	return local + "@" + ascii
}

// helo is the name that this machine gives itself to mail servers, which refuse a greeting without a valid one (RFC 5321, section 4.1.1.1).
// Where the system has none, as in some containers, it is localhost.
func helo(hostname func() (string, error)) string {
	name, err := hostname()
	if err != nil {
		return "localhost"
	}
	if name, err = domain.ASCIIHost(name); err != nil || name == "" {
		return "localhost"
	}
	return name
}

// Connect connects to the SMTP server as for a mail, with TLS and authentication, and sends nothing.
func (s *Service) Connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	client, err := s.client()
	if err != nil {
		return fmt.Errorf("setting up SMTP: %w", err)
	}
	connected := make(chan error, 1) // as in sendSMTP
	go func() {
		connected <- safely.Do(s.Log, "connecting to the SMTP server", func() error {
			if err := client.DialWithContext(ctx); err != nil {
				return err
			}
			return client.Close()
		})
	}()
	select {
	case err := <-connected:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Service) client() (*gomail.Client, error) {
	opts := []gomail.Option{gomail.WithTimeout(s.Timeout), gomail.WithHELO(helo(os.Hostname))}
	switch s.TLS {
	case "tls":
		opts = append(opts, gomail.WithSSLPort(false))
	case "none":
		opts = append(opts, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		opts = append(opts, gomail.WithTLSPortPolicy(gomail.TLSMandatory))
	}
	if s.Port != 0 {
		opts = append(opts, gomail.WithPort(s.Port))
	}
	if s.User != "" {
		auth := gomail.SMTPAuthAutoDiscover
		if s.TLS == "none" {
			auth = gomail.SMTPAuthPlainNoEnc
		}
		opts = append(opts, gomail.WithSMTPAuth(auth), gomail.WithUsername(s.User), gomail.WithPassword(s.Password))
	}
	return gomail.NewClient(s.Host, opts...)
}

package mail_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/events"
	"blossomtune/internal/mail"
	"blossomtune/internal/site"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
	"blossomtune/internal/tlsca"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

var authority *tlsca.Authority

// TestMain makes a CA that this process trusts as it trusts the public ones: that is read once, before the first connection.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "blossomtune-mail-")
	if err == nil {
		authority, err = tlsca.Open(tlsca.Options{Dir: dir, Hosts: []string{"localhost"}, Clock: time.Now})
	}
	ca := filepath.Join(dir, "test-ca.pem")
	if err == nil {
		err = errors.Join(os.WriteFile(ca, authority.CAPEM(), 0o600), os.Setenv("SSL_CERT_FILE", ca))
	}
	if err != nil {
		panic(err)
	}
	m.Run()
	_ = os.RemoveAll(dir)
}

// backend is a real SMTP server's part that decides: it keeps what it is given.
type backend struct {
	mu     sync.Mutex
	got    []string
	to     []string
	logins []string
	refuse string // a recipient that is not known here
}

type session struct{ b *backend }

func (b *backend) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{b}, nil }
func (s *session) Reset()                                      {}
func (s *session) Logout() error                               { return nil }
func (s *session) Mail(string, *smtp.MailOptions) error        { return nil }
func (s *session) AuthMechanisms() []string                    { return []string{sasl.Plain} }
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		s.b.mu.Lock()
		defer s.b.mu.Unlock()
		s.b.logins = append(s.b.logins, user+"/"+password)
		return nil
	}), nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.b.to = append(s.b.to, to)
	if to == s.b.refuse {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
	}
	return nil
}

func (s *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.b.got = append(s.b.got, string(text))
	return err
}

func (b *backend) mails() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.got...)
}

// listen starts an SMTP server, with STARTTLS or without any TLS, at an address of its own or a given one.
func listen(t *testing.T, b *backend, config *tls.Config, addr string) int {
	t.Helper()
	s := smtp.NewServer(b)
	s.Domain, s.TLSConfig, s.AllowInsecureAuth = "localhost", config, true
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, s, ln)
}

func serve(t *testing.T, s *smtp.Server, ln net.Listener) int {
	go func() { _ = s.Serve(ln) }()
	t.Cleanup(func() { s.Close() })
	return ln.Addr().(*net.TCPAddr).Port
}

// post is a mail service whose clock a test moves.
type post struct {
	t   *testing.T
	db  *store.DB
	s   *mail.Service
	log *lockedBuffer
	mu  sync.Mutex
	now time.Time
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newPost(t *testing.T, o mail.Options) *post {
	t.Helper()
	p := &post{t: t, db: storetest.SQLite(t), now: time.Now().UTC().Truncate(time.Millisecond), log: &lockedBuffer{}}
	o.Store, o.Events, o.Clock, o.Log = store.Adapt[mail.Tx](p.db), events.NewBus(), p.clock, slog.New(slog.NewTextHandler(p.log, nil))
	o.Host, o.From = "localhost", "fl@example.org"
	o.Site = site.New(site.Options{Given: map[string]site.Given{site.KeyName: {Value: "Fed <1>"}}})
	p.s = mail.New(o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { p.s.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return p
}

func (p *post) clock() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *post) pass(d time.Duration) {
	p.mu.Lock()
	p.now = p.now.Add(d)
	p.mu.Unlock()
	p.s.Wake()
}

const secret = "K7MP-2QX4"

// write puts a mail into the outbox, as a rule does in its transaction.
func (p *post) write(to string) {
	p.t.Helper()
	m := domain.Mail{To: to, Subject: secret + " is your code for Fed", Text: "Your code is\n\n    " + secret + "\n\nor open\n\n    https://fl.example.org/verify?a=1&b=2\n\n<b>done</b>\n", State: p.s.State(), CreatedAt: p.clock(), NextAt: p.clock()}
	if err := p.db.InTx(p.t.Context(), func(tx *store.Tx) error { return tx.InsertMail(p.t.Context(), &m) }); err != nil {
		p.t.Fatal(err)
	}
	p.s.Wake()
}

// until waits until the only mail is as wanted.
func (p *post) until(what string, want func(domain.Mail) bool) domain.Mail {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		ms, err := p.s.Mails(ctx, 0, 10)
		if err == nil && len(ms) == 1 && want(ms[0]) {
			return ms[0]
		}
		select {
		case <-ctx.Done():
			p.t.Fatalf("it does not come to: %s; the outbox: %+v, %v\n%s", what, ms, err, p.log)
		case <-tick.C:
		}
	}
}

func sent(m domain.Mail) bool { return m.State == domain.MailSent }

// Mail servers without SMTPUTF8 take domains in ASCII only; an older version has kept addresses as they were typed.
func TestDomainsGoOutInASCII(t *testing.T) {
	b := &backend{}
	p := newPost(t, mail.Options{Port: listen(t, b, nil, "127.0.0.1:0"), TLS: "none"})
	p.write("ada@münchen.example")
	p.until("sent", sent)
	if got := b.mails(); len(b.to) != 1 || b.to[0] != "ada@xn--mnchen-3ya.example" || !strings.Contains(got[0], "To: <ada@xn--mnchen-3ya.example>") {
		t.Errorf("mailed to %q: %s", b.to, got)
	}
}

func TestMailGoesOutEncryptedAndOnce(t *testing.T) {
	for _, mode := range []string{"starttls", "tls"} {
		t.Run(mode, func(t *testing.T) {
			b := &backend{}
			var port int
			if mode == "tls" {
				ln, err := tls.Listen("tcp", "127.0.0.1:0", authority.TLSConfig())
				if err != nil {
					t.Fatal(err)
				}
				port = serve(t, smtp.NewServer(b), ln)
			} else {
				port = listen(t, b, authority.TLSConfig(), "127.0.0.1:0")
			}
			p := newPost(t, mail.Options{Port: port, User: "robot", Password: "pass-word", TLS: mode})
			p.write("a@example.org")
			m := p.until("sent", sent)
			if m.Text != "" || strings.Contains(m.Subject, secret) || m.SentAt.IsZero() {
				t.Errorf("a sent mail keeps its text %q, sent at %s", m.Text, m.SentAt)
			}
			p.pass(24 * time.Hour)
			got := b.mails()
			if len(got) != 1 || !strings.Contains(got[0], secret) || !strings.Contains(got[0], "To: <a@example.org>") || !strings.Contains(got[0], "Auto-Submitted: auto-generated") {
				t.Errorf("%d mails arrived: %v", len(got), got)
			}
			for _, part := range []string{"multipart/alternative", "text/plain", "text/html", "&lt;b&gt;done", "href=3D\"https://fl.example.org/verify?a=3D1&amp;b=3D2\""} {
				if !strings.Contains(strings.ReplaceAll(got[0], "=\r\n", ""), part) {
					t.Errorf("the mail has no %s: %s", part, got[0])
				}
			}
			if len(b.logins) != 1 || b.logins[0] != "robot/pass-word" {
				t.Errorf("logins %v", b.logins)
			}
		})
	}
}

func TestAServerThatIsAwayIsTriedAgain(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().(*net.TCPAddr)
	ln.Close()
	p := newPost(t, mail.Options{Port: addr.Port, TLS: "none"})
	p.write("a@example.org")
	m := p.until("a failed try", func(m domain.Mail) bool { return m.Tries == 1 })
	if m.State != domain.MailQueued || m.LastError == "" || !m.NextAt.After(p.clock()) {
		t.Errorf("%+v", m)
	}
	b := &backend{}
	listen(t, b, nil, addr.String())
	p.pass(time.Minute)
	p.until("sent", sent)
	if n := len(b.mails()); n != 1 {
		t.Errorf("%d mails arrived", n)
	}
	if strings.Contains(p.log.String(), secret) || !strings.Contains(p.log.String(), "could not be sent") {
		t.Errorf("the log: %s", p.log)
	}
}

func TestAServerThatSaysNothingIsGivenUp(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close() // it accepts connections, and never says a word
	p := newPost(t, mail.Options{Port: ln.Addr().(*net.TCPAddr).Port, TLS: "none", Timeout: 100 * time.Millisecond})
	p.write("a@example.org")
	p.until("a failed try", func(m domain.Mail) bool { return m.Tries == 1 && m.State == domain.MailQueued })
}

func TestAnUnknownRecipientIsNotTriedAgain(t *testing.T) {
	b := &backend{refuse: "nobody@example.org"}
	p := newPost(t, mail.Options{Port: listen(t, b, nil, "127.0.0.1:0"), TLS: "none"})
	p.write("nobody@example.org")
	m := p.until("dead", func(m domain.Mail) bool { return m.State == domain.MailDead })
	if m.Tries != 1 || !strings.Contains(m.LastError, "no such mailbox") {
		t.Errorf("%+v", m)
	}
	_ = p.db.View(t.Context(), func(tx *store.Tx) error {
		es, err := tx.AuditEntries(t.Context(), domain.AuditFilter{Limit: 10})
		if err != nil || len(es) != 1 || es[0].Action != "mail.dead" {
			t.Errorf("audit %+v, %v", es, err)
		}
		return nil
	})
}

// A password never goes over a line that was meant to be encrypted and is not.
func TestNoPasswordWithoutTLS(t *testing.T) {
	b := &backend{}
	p := newPost(t, mail.Options{Port: listen(t, b, nil, "127.0.0.1:0"), User: "robot", Password: "pass-word", TLS: "starttls"})
	p.write("a@example.org")
	p.until("a failed try", func(m domain.Mail) bool { return m.Tries == 1 })
	if len(b.logins) > 0 || len(b.mails()) > 0 {
		t.Errorf("logins %v, mails %v", b.logins, b.mails())
	}
}

func TestADeadMailIsSentAgain(t *testing.T) {
	b := &backend{refuse: "a@example.org"}
	p := newPost(t, mail.Options{Port: listen(t, b, nil, "127.0.0.1:0"), TLS: "none"})
	p.write("a@example.org")
	m := p.until("dead", func(m domain.Mail) bool { return m.State == domain.MailDead })
	b.mu.Lock()
	b.refuse = ""
	b.mu.Unlock()
	if err := p.s.Resend(t.Context(), domain.System, m.ID); err != nil {
		t.Fatal(err)
	}
	p.until("sent", sent)
	if err := p.s.Resend(t.Context(), domain.System, m.ID); domain.CodeOf(err) != domain.Conflict {
		t.Errorf("a sent mail is sent again: %v", err)
	}
}

// Mailjet cannot run here: its Send API v3.1 is imitated, field by field.
func TestMailjet(t *testing.T) {
	type message struct {
		From, CustomID any
		To             []struct{ Email string }
		Subject        string
		TextPart       string
		HTMLPart       string
	}
	var mu sync.Mutex
	var got []message
	status, answer := http.StatusOK, `{"Messages":[{"Status":"success","To":[{"Email":"a@example.org","MessageID":1}]}]}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		var in struct{ Messages []message }
		user, password, _ := r.BasicAuth()
		if r.URL.Path != "/v3.1/send" || user != "key" || password != "secret" || json.NewDecoder(r.Body).Decode(&in) != nil {
			http.Error(w, `{"ErrorMessage":"unauthorized"}`, http.StatusUnauthorized)
			return
		}
		got = append(got, in.Messages...)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	defer server.Close()
	o := mail.Options{Mailjet: mail.Mailjet{Key: "key", Secret: "secret", URL: server.URL}}
	p := newPost(t, o)
	p.write("a@example.org")
	p.until("sent", sent)
	if len(got) != 1 || got[0].To[0].Email != "a@example.org" || !strings.Contains(got[0].TextPart, secret) || !strings.Contains(got[0].HTMLPart, secret) {
		t.Errorf("Mailjet got %+v", got)
	}
	mu.Lock()
	status, answer = http.StatusBadRequest, `{"Messages":[{"Status":"error","Errors":[{"ErrorMessage":"not a valid email"}]}]}`
	mu.Unlock()
	p = newPost(t, o)
	p.write("bad@example.org")
	if m := p.until("dead", func(m domain.Mail) bool { return m.State == domain.MailDead }); !strings.Contains(m.LastError, "not a valid email") {
		t.Errorf("%+v", m)
	}
	mu.Lock()
	status, answer = http.StatusInternalServerError, `oops`
	mu.Unlock()
	p = newPost(t, o)
	p.write("later@example.org")
	p.until("a failed try", func(m domain.Mail) bool { return m.Tries == 1 && m.State == domain.MailQueued })
}

// Without an SMTP server mails wait where an admin reads them.
func TestWithoutAServerMailIsHeld(t *testing.T) {
	s := mail.New(mail.Options{Events: events.NewBus()})
	if s.State() != domain.MailHeld || s.Configured() {
		t.Error(s.State())
	}
	s.Run(t.Context()) // returns: there is nothing to do
}

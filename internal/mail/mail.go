// Package mail sends what waits in the outbox. Mails are written into the database by whoever has something to say, in the
// transaction of the change; this package alone speaks SMTP, so a slow mail server holds up nobody.
package mail

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/events"
	"blossomtune/internal/site"

	gomail "github.com/wneessen/go-mail"
)

// Topic is the topic of the outbox's events.
const Topic = "mail"

// Tx is what mail needs of a transaction.
type Tx interface {
	DueMails(ctx context.Context, now time.Time, n int) ([]domain.Mail, error)
	Mails(ctx context.Context, beforeID int64, n int) ([]domain.Mail, error)
	MailByID(ctx context.Context, id int64) (domain.Mail, error)
	UpdateMail(ctx context.Context, m domain.Mail) error
	InsertAudit(ctx context.Context, e domain.AuditEntry) error
}

// Store runs transactions.
type Store interface {
	InTx(ctx context.Context, fn func(Tx) error) error
	View(ctx context.Context, fn func(Tx) error) error
}

// Site is how this server calls itself, at the moment of each mail.
type Site interface {
	Name() string
	Value(key string) string
}

// Options are the parts a [Service] works with.
type Options struct {
	Store    Store
	Events   *events.Bus
	Clock    domain.Clock
	Log      *slog.Logger
	Host     string // SMTP server; empty: mails stay in the outbox
	Port     int    // 0: the usual one of TLS
	User     string
	Password string
	From     string
	TLS      string // "starttls", "tls" or "none"
	Mailjet  Mailjet
	Site     Site
	Timeout  time.Duration // of one mail's way; 0: 30 s
}

// Service sends mails. It is safe for concurrent use.
type Service struct {
	Options
	wake chan struct{}
}

// New returns a Service; [Service.Run] must run for anything to be sent.
func New(o Options) *Service {
	if o.Site == nil {
		o.Site = site.Defaults()
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	return &Service{Options: o, wake: make(chan struct{}, 1)}
}

// Configured reports whether mails go out.
func (s *Service) Configured() bool { return s.Host != "" || s.Mailjet.Key != "" }

// State is that of a new mail.
func (s *Service) State() domain.MailState {
	if s.Configured() {
		return domain.MailQueued
	}
	return domain.MailHeld
}

// Wake makes [Service.Run] look at once.
func (s *Service) Wake() {
	select {
	case s.wake <- struct{}{}:
	default: // one wake waits already
	}
	s.Events.Publish(events.Event{Topic: Topic, Kind: "changed"})
}

// Mails returns mails of the outbox, newest first: those older than the one with an id, or the newest ones where that is 0.
func (s *Service) Mails(ctx context.Context, beforeID int64, n int) (out []domain.Mail, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { out, err = tx.Mails(ctx, beforeID, n); return err })
	return out, err
}

const (
	lookEvery = 15 * time.Second
	batch     = 20
	maxTries  = 12 // with the waits below: about a day and a half
	firstWait = 15 * time.Second
	mostWait  = 6 * time.Hour
)

// Run sends until ctx ends.
func (s *Service) Run(ctx context.Context) {
	if !s.Configured() {
		return
	}
	for ctx.Err() == nil {
		more, err := s.sendDue(ctx)
		if err != nil && ctx.Err() == nil {
			s.Log.Error("sending mails", "err", err)
		}
		if more {
			continue
		}
		timer := time.NewTimer(lookEvery)
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// sendDue sends a batch; it reports whether there may be more.
func (s *Service) sendDue(ctx context.Context) (bool, error) {
	var due []domain.Mail
	err := s.Store.View(ctx, func(tx Tx) (err error) { due, err = tx.DueMails(ctx, s.Clock().UTC(), batch); return err })
	if err != nil {
		return false, err
	}
	for _, m := range due {
		sendErr := s.send(ctx, m)
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if err := s.note(ctx, m, sendErr); err != nil {
			return false, err
		}
	}
	return len(due) == batch, nil
}

// note keeps what became of a try.
func (s *Service) note(ctx context.Context, m domain.Mail, sendErr error) error {
	now := s.Clock().UTC()
	m.Tries++
	switch {
	case sendErr == nil:
		// What was sent is with its reader: codes and links are not kept here any longer.
		m.State, m.SentAt, m.LastError, m.Text = domain.MailSent, now, "", ""
		m.Subject = codePattern.ReplaceAllString(m.Subject, "••••-••••")
	case m.Tries >= maxTries || permanent(sendErr):
		m.State, m.LastError = domain.MailDead, words(sendErr)
	default:
		wait := firstWait << (m.Tries - 1)
		m.NextAt, m.LastError = now.Add(min(wait, mostWait)), words(sendErr)
	}
	if sendErr != nil {
		s.Log.Warn("a mail could not be sent", "mail", m.ID, "tries", m.Tries, "state", m.State, "err", sendErr)
	}
	err := s.Store.InTx(ctx, func(tx Tx) error {
		if err := tx.UpdateMail(ctx, m); err != nil || m.State == domain.MailQueued {
			return err
		}
		return tx.InsertAudit(ctx, domain.AuditEntry{At: now, Actor: domain.System, Action: "mail." + string(m.State), ObjectKind: "mail", ObjectID: itoa(m.ID)})
	})
	s.Events.Publish(events.Event{Topic: Topic, Kind: "changed"})
	return err
}

// codePattern finds an activation code in a subject, where phones show it without opening the mail.
var codePattern = regexp.MustCompile(`\b[2-9A-Z]{4}-[2-9A-Z]{4}\b`)

// Resend puts a mail that could not be sent back into the queue. One that was sent has no text any more.
func (s *Service) Resend(ctx context.Context, actor domain.Actor, id int64) error {
	err := s.Store.InTx(ctx, func(tx Tx) error {
		m, err := tx.MailByID(ctx, id)
		if err != nil {
			return err
		}
		if m.State != domain.MailDead && m.State != domain.MailHeld || !s.Configured() {
			return domain.Errorf(domain.Conflict, "This mail cannot be sent again: it is %s.", m.State).Fix("Mails that were given up can be sent again once a mail server is configured.")
		}
		m.State, m.Tries, m.NextAt, m.LastError = domain.MailQueued, 0, s.Clock().UTC(), ""
		if err := tx.UpdateMail(ctx, m); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, domain.AuditEntry{At: s.Clock().UTC(), Actor: actor, Action: "mail.queued", ObjectKind: "mail", ObjectID: itoa(m.ID)})
	})
	if err == nil {
		s.Wake()
	}
	return err
}

// permanent reports a refusal that no later try changes, such as an unknown recipient.
func permanent(err error) bool {
	var refusal *refused
	if errors.As(err, &refusal) {
		return true
	}
	var e *gomail.SendError
	return errors.As(err, &e) && !e.IsTemp() && (e.Reason == gomail.ErrSMTPRcptTo || e.Reason == gomail.ErrSMTPMailFrom)
}

func words(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	return domain.Cut(text, 500)
}

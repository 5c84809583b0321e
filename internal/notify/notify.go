// Package notify hands notices to people, by mail, and to webhooks. A notice is written by the rules in the transaction of the change that
// it is about. This package decides who gets it, groups what is due for the same person into one mail, and limits how many mails a person
// gets. Mails go through the outbox of package mail.
package notify

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/site"
)

const (
	lookEvery = 15 * time.Second
	batch     = 50

	// MailsPerHour is how many notification mails a person gets in an hour. What comes after them waits for the end of that hour, in one mail.
	MailsPerHour = 10
	// DigestHour is the hour of the day, UTC, at which daily mails are written.
	DigestHour = 7

	itemsInMail = 50 // the rest is counted
)

// Tx is what notify needs of a transaction.
type Tx interface {
	UnsortedNotices(ctx context.Context, n int) ([]domain.Notice, error)
	AboutDeletedRun(ctx context.Context, n domain.Notice) (bool, error)
	NoticeSorted(ctx context.Context, id int64, at time.Time) error
	NoticePrefs(ctx context.Context, fedID int64, kind domain.NoticeKind) ([]domain.NoticePref, error)
	NoticePrefsOf(ctx context.Context, personID int64) ([]domain.NoticePref, error)
	PutNoticePref(ctx context.Context, p domain.NoticePref) error

	InsertNoticeItem(ctx context.Context, v domain.NoticeItem) error
	PeopleDueNotices(ctx context.Context, now time.Time, n int) ([]int64, error)
	DueNotices(ctx context.Context, personID int64, now time.Time, n int) ([]domain.NoticeItem, error)
	CountDueNotices(ctx context.Context, personID int64, now time.Time) (int, error)
	DropDueNotices(ctx context.Context, personID int64, now time.Time) error
	PostponeNotices(ctx context.Context, personID int64, now, until time.Time) error
	NoticeMeter(ctx context.Context, personID int64) (domain.NoticeMeter, error)
	PutNoticeMeter(ctx context.Context, m domain.NoticeMeter) error

	InsertNotice(ctx context.Context, n *domain.Notice) error
	Webhooks(ctx context.Context, fedID int64) ([]domain.Webhook, error)
	WebhookByID(ctx context.Context, id int64) (domain.Webhook, error)
	InsertWebhook(ctx context.Context, w *domain.Webhook) error
	UpdateWebhook(ctx context.Context, w domain.Webhook) error
	DeleteWebhook(ctx context.Context, id int64) error
	InsertDelivery(ctx context.Context, d *domain.Delivery) error
	UpdateDelivery(ctx context.Context, d domain.Delivery) error
	WebhooksDue(ctx context.Context, now time.Time) ([]int64, error)
	DueDelivery(ctx context.Context, webhookID int64, now time.Time) (domain.Delivery, error)
	DropDelivery(ctx context.Context, id int64) error
	HoldDeliveries(ctx context.Context, webhookID int64, until time.Time) error
	HurryDeliveries(ctx context.Context, webhookID int64, now time.Time) error
	Deliveries(ctx context.Context, webhookID, before int64, n int) ([]domain.Delivery, error)
	DropNoticesBefore(ctx context.Context, at time.Time) error

	NoticeRules(ctx context.Context, fedID int64) (domain.NoticeRules, error)
	PutNoticeRules(ctx context.Context, fedID int64, r domain.NoticeRules) error
	OpenNotices(ctx context.Context, fedID int64, kind domain.NoticeKind) (map[string]bool, error)
	OpenNotice(ctx context.Context, fedID int64, kind domain.NoticeKind, subjects []string, at time.Time) error
	CloseNotice(ctx context.Context, fedID int64, kind domain.NoticeKind, subject string) error
	OfflineNodes(ctx context.Context, fedID int64) ([]domain.Lasting, error)
	UnconnectedPeople(ctx context.Context, fedID int64) ([]domain.Lasting, error)
	PendingRequests(ctx context.Context, fedID int64) ([]domain.Lasting, error)
	Setting(ctx context.Context, key string) (string, error)
	PutSetting(ctx context.Context, key, value string) error

	Federations(ctx context.Context) ([]domain.Federation, error)
	FederationByID(ctx context.Context, id int64) (domain.Federation, error)
	Places(ctx context.Context, personID int64, all bool) ([]domain.Place, error)
	PersonByID(ctx context.Context, id int64) (domain.Person, error)
	People(ctx context.Context, f domain.PeopleFilter) ([]domain.Person, error)
	RoleGrants(ctx context.Context, fedID int64) ([]domain.RoleGrant, error)
	GrantedRole(ctx context.Context, personID, fedID int64) (domain.Role, error)

	InsertMail(ctx context.Context, m *domain.Mail) error
	InsertAudit(ctx context.Context, e domain.AuditEntry) error
}

// Store runs transactions.
type Store interface {
	InTx(ctx context.Context, fn func(Tx) error) error
	View(ctx context.Context, fn func(Tx) error) error
}

// Texts words mails.
type Texts interface {
	Mail(kind string, values map[string]string) domain.Mail
}

// Options are the parts a [Service] works with.
type Options struct {
	Store     Store
	Clock     domain.Clock
	Log       *slog.Logger
	Texts     Texts                   // nil: the usual ones
	PublicURL func() string           // without a slash at the end
	MailState func() domain.MailState // of a new mail
	MailWake  func()                  // a mail was queued
	Sealer    *Sealer                 // of webhooks' secrets
}

// Service notifies. Its methods are safe for concurrent use.
type Service struct {
	Options
	wake     chan struct{}
	hookWake chan struct{}
	clients  map[bool]*http.Client // by whether private addresses are allowed
	tests    *domain.Limiter       // by webhook
	pace     *domain.Limiter       // deliveries, by webhook
	tidied   time.Time             // when old notices were last removed; of [Service.Run] alone
}

// New returns a Service; [Service.Run] must run for anyone to be notified.
func New(o Options) *Service {
	if o.Texts == nil {
		o.Texts = site.Defaults()
	}
	return &Service{Options: o, wake: make(chan struct{}, 1), hookWake: make(chan struct{}, 1),
		clients: map[bool]*http.Client{false: client(false), true: client(true)},
		tests:   domain.NewLimiter(maxTests, testWindow), pace: domain.NewLimiter(hookRate, hookWindow)}
}

func (s *Service) now() time.Time { return s.Clock().UTC().Truncate(time.Millisecond) }

// Wake makes [Service.Run] and [Service.Deliver] check for what is due at once.
func (s *Service) Wake() {
	select {
	case s.wake <- struct{}{}:
	default: // one wake is pending already
	}
	s.wakeHooks()
}

// Run notifies until ctx ends.
func (s *Service) Run(ctx context.Context) {
	for ctx.Err() == nil {
		more, err := s.step(ctx)
		if err != nil && ctx.Err() == nil {
			s.Log.Error("notifying", "err", err)
		}
		if more && err == nil {
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

// step hands out a batch of notices, and mails what is due. It reports whether there may be more.
func (s *Service) step(ctx context.Context) (more bool, err error) {
	n, err := s.sort(ctx)
	if err != nil {
		return false, err
	}
	if n > 0 {
		s.wakeHooks()
	}
	if now := s.now(); now.Sub(s.tidied) >= tidyInterval {
		if err := s.Store.InTx(ctx, func(tx Tx) error { return tx.DropNoticesBefore(ctx, now.Add(-keepNotices)) }); err != nil {
			return false, err
		}
		s.tidied = now
	}
	mailed, err := s.mailDue(ctx)
	return n == batch || mailed == batch, err
}

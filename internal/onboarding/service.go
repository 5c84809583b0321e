// Package onboarding takes a participant from asking to an enrolled key: request, e-mail code, review, approval with a
// partition, join token, enrolment, revocation; and it gives out the federation's partitions.
//
// Each transition is one transaction with exactly one audit row. The database's own constraints keep a partition with at most
// one holder whatever happens here.
package onboarding

import (
	"context"
	"strconv"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/events"
	"blossomtune/internal/site"
)

// Tx is what onboarding needs of a transaction.
type Tx interface {
	FederationByID(ctx context.Context, id int64) (domain.Federation, error)
	FederationBySlug(ctx context.Context, slug string) (domain.Federation, error)
	Federations(ctx context.Context) ([]domain.Federation, error)
	InsertFederation(ctx context.Context, f *domain.Federation) error
	UpdateFederation(ctx context.Context, f domain.Federation) error

	PersonByID(ctx context.Context, id int64) (domain.Person, error)
	PersonByEmail(ctx context.Context, email string) (domain.Person, error)
	InsertPerson(ctx context.Context, p *domain.Person) error
	IdentitiesOf(ctx context.Context, personID int64) ([]domain.Identity, error)
	MoveIdentities(ctx context.Context, from, to int64) error

	InsertInvitation(ctx context.Context, v *domain.Invitation) error
	UpdateInvitation(ctx context.Context, v domain.Invitation) error
	InvitationByHash(ctx context.Context, hash []byte) (domain.Invitation, error)
	InvitationByID(ctx context.Context, id int64) (domain.Invitation, error)
	Invitations(ctx context.Context, fedID, beforeID int64, n int) ([]domain.Invitation, error)
	InvitedEmails(ctx context.Context, fedID int64, now time.Time) (map[string]bool, error)
	InsertRule(ctx context.Context, v *domain.ApprovalRule) error
	Rules(ctx context.Context, fedID int64) ([]domain.ApprovalRule, error)
	DeleteRule(ctx context.Context, fedID, id int64) error

	InsertAsk(ctx context.Context, a domain.Ask) error
	AskByRef(ctx context.Context, ref string) (domain.Ask, error)
	UpdateAskCode(ctx context.Context, a domain.Ask) error
	OpenAsks(ctx context.Context, n int) ([]domain.Ask, error)
	SettleAsk(ctx context.Context, ref string, requestID int64) error
	DropAsk(ctx context.Context, ref string) error
	DropAsksBefore(ctx context.Context, at time.Time) error
	InsertRequest(ctx context.Context, r *domain.Request) error
	UpdateRequest(ctx context.Context, r domain.Request) error
	RequestByID(ctx context.Context, id int64) (domain.Request, error)
	RequestByRef(ctx context.Context, ref string) (domain.Request, error)
	ActiveRequest(ctx context.Context, fedID, personID int64) (domain.Request, error)
	LatestRequest(ctx context.Context, fedID, personID int64) (domain.Request, error)
	RequestsOf(ctx context.Context, personID int64) ([]domain.Request, error)
	Requests(ctx context.Context, f domain.RequestFilter) ([]domain.Request, error)
	CountRequests(ctx context.Context, fedID int64) (map[domain.RequestState]int, error)
	CountChosen(ctx context.Context, f domain.RequestFilter) (int, error)
	HeldPartitions(ctx context.Context, fedID int64) (map[int]domain.Request, error)
	PartitionsHeld(ctx context.Context, fedID int64) ([]int, error)
	Holder(ctx context.Context, fedID int64, partition int) (domain.Request, error)
	UnverifiedBefore(ctx context.Context, at time.Time) ([]domain.Request, error)

	InsertJoinToken(ctx context.Context, t *domain.JoinToken) error
	JoinTokenByPublic(ctx context.Context, public string) (domain.JoinToken, error)
	UseJoinToken(ctx context.Context, id int64, at time.Time) error
	DropJoinTokens(ctx context.Context, requestID int64) error

	InsertNodeKey(ctx context.Context, k *domain.NodeKey) error
	NodeKeyByFingerprint(ctx context.Context, fp string) (domain.NodeKey, error)
	NodeKeys(ctx context.Context, fedID int64) ([]domain.NodeKey, error)
	SharingKeys(ctx context.Context, fedID int64, from, n int) ([]domain.NodeKey, error)
	UnsyncedKeys(ctx context.Context, fedID int64) ([]domain.NodeKey, error)
	HaltedKeys(ctx context.Context, fedID int64) ([]domain.NodeKey, error)
	NodeTally(ctx context.Context, fedID int64) (domain.NodeTally, error)
	NodePage(ctx context.Context, f domain.NodeFilter) ([]domain.NodeRow, error)
	CountNodePage(ctx context.Context, f domain.NodeFilter) (int, error)
	CountNodes(ctx context.Context, fedID int64) (domain.NodeCount, error)
	NodeKeyOfRequest(ctx context.Context, requestID int64) (domain.NodeKey, error)
	UpdateNodeKey(ctx context.Context, k domain.NodeKey) error

	AppVersionByHash(ctx context.Context, hash string, withFAB bool) (domain.AppVersion, error)
	AppApproval(ctx context.Context, requestID int64, hash string) (domain.AppApproval, error)
	CountApprovals(ctx context.Context, requestID int64) (int, error)
	PutAppApproval(ctx context.Context, a domain.AppApproval) error

	RoleGrants(ctx context.Context, fedID int64) ([]domain.RoleGrant, error)
	People(ctx context.Context, f domain.PeopleFilter) ([]domain.Person, error)

	NoticePrefs(ctx context.Context, fedID int64, kind domain.NoticeKind) ([]domain.NoticePref, error)
	InsertNotice(ctx context.Context, n *domain.Notice) error
	NoticeRules(ctx context.Context, fedID int64) (domain.NoticeRules, error)

	UnconnectedPeople(ctx context.Context, fedID int64) ([]domain.Lasting, error)
	UnremindedPeople(ctx context.Context, fedID int64, after, before time.Time, n int) ([]int64, error)
	RemindedAt(ctx context.Context, personID int64) (time.Time, error)
	NoteReminder(ctx context.Context, requestID int64, at time.Time) error

	Setting(ctx context.Context, key string) (string, error)
	PutSetting(ctx context.Context, key, value string) error
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
	Events    *events.Bus
	Clock     domain.Clock
	PublicURL func() string           // without a slash at the end
	Pin       func() string           // of join tokens: the CA's SHA-256 in hex, or "public"
	Commands  func() string           // that get this server's program and join with it, for each system; nil: none are mailed
	MailState func() domain.MailState // of a new mail: queued, or held where no SMTP server is configured
	MailWake  func()                  // a mail was queued
	Texts     Texts                   // of the mails; nil: the usual ones
	// MailTakes reports whether a domain takes mail: a [domain.Invalid] error if it surely does not. nil: not asked, since no mail goes out.
	MailTakes func(ctx context.Context, host string) error
	// Providers is how many sign-in providers there are. Without one nobody is asked to sign in with an account.
	Providers int
	// NodesChanged is called after a key of the federation was enrolled or revoked, outside of any transaction.
	NodesChanged func(fedID int64)
}

// Service is the life of requests. Its methods are safe for concurrent use.
type Service struct {
	Options
	asks     *domain.Limiter
	asked    chan struct{} // something is open for [Service.Settle]
	settling sync.Mutex
	syncing  sync.Mutex
	gone     map[int64]bool // keys known to be unregistered; guarded by syncing

	devices     devices
	deviceTries *domain.Limiter
}

// New returns a Service.
func New(o Options) *Service {
	if o.Texts == nil {
		o.Texts = site.Defaults()
	}
	if o.Commands == nil {
		o.Commands = func() string { return "" }
	}
	return &Service{Options: o, asks: domain.NewLimiter(30, 10*time.Minute), asked: make(chan struct{}, 1), gone: map[int64]bool{},
		devices: devices{open: map[string]*Device{}}, deviceTries: domain.NewLimiter(20, 10*time.Minute)}
}

func (s *Service) now() time.Time { return s.Clock().UTC().Truncate(time.Millisecond) }

// transition writes a request in its next state with the one audit row of the change.
func (s *Service) transition(ctx context.Context, tx Tx, actor domain.Actor, r *domain.Request, next domain.RequestState, detail map[string]string) error {
	if !r.State.May(next) {
		return domain.Errorf(domain.Conflict, "This request is %s; it cannot become %s.", r.State, next)
	}
	from := r.State
	r.State = next
	if err := tx.UpdateRequest(ctx, *r); err != nil {
		return err
	}
	if detail == nil {
		detail = map[string]string{}
	}
	detail["from"] = string(from)
	return tx.InsertAudit(ctx, s.entry(actor, *r, "request."+string(next), detail))
}

func (s *Service) entry(actor domain.Actor, r domain.Request, action string, detail map[string]string) domain.AuditEntry {
	return domain.AuditEntry{At: s.now(), Actor: actor, Action: action, ObjectKind: "request", ObjectID: r.Ref, FederationID: r.FederationID, Detail: detail}
}

func (s *Service) publish(rs ...domain.Request) {
	for _, r := range rs {
		s.Events.Publish(events.Event{Topic: RequestTopic(r.ID), Kind: "state"})
		s.Events.Publish(events.Event{Topic: RequestsTopic(r.FederationID), Kind: "state"})
	}
}

// RequestTopic is the topic of one request's events: "state", and "node" when its SuperNode came, went or changed.
func RequestTopic(id int64) string { return "request:" + strconv.FormatInt(id, 10) }

// RequestsTopic is the topic of the events of all requests of a federation.
func RequestsTopic(fedID int64) string { return "requests:" + strconv.FormatInt(fedID, 10) }

// FederationTopic is the topic of a federation's own events: its settings, its partitions.
func FederationTopic(fedID int64) string { return "federation:" + strconv.FormatInt(fedID, 10) }

func itoa64(n int64) string { return strconv.FormatInt(n, 10) }

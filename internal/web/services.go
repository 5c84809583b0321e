package web

import (
	"context"
	"io"
	"os"
	"time"

	"blossomtune/internal/account"
	"blossomtune/internal/audit"
	"blossomtune/internal/catalog"
	"blossomtune/internal/domain"
	"blossomtune/internal/logfile"
	"blossomtune/internal/onboarding"
	over "blossomtune/internal/overview"
	"blossomtune/internal/runs"
	"blossomtune/internal/site"
)

// Accounts knows people, their sessions and their roles.
type Accounts interface {
	Authenticate(ctx context.Context, secret string) (domain.Person, domain.Session, error)
	NewSession(ctx context.Context, personID int64, address, agent string) (secret string, s domain.Session, err error)
	EndSession(ctx context.Context, v domain.Session) error
	Role(ctx context.Context, p domain.Person, fedID int64) (domain.Role, error)
	Watches(ctx context.Context, p domain.Person) (bool, error)
	Link(ctx context.Context, secret string) (domain.Link, error)
	UseLink(ctx context.Context, secret string) (domain.Person, error)
	Setup(ctx context.Context, secret, email, name string) (domain.Person, error)
	MailSignInLink(ctx context.Context, email, address string) error

	Identities(ctx context.Context, personID int64) ([]domain.Identity, error)
	Unlink(ctx context.Context, p domain.Person, identityID int64) error
	Sessions(ctx context.Context, personID int64) ([]domain.Session, error)
	EndSessions(ctx context.Context, current domain.Session, id int64) error
	Tokens(ctx context.Context, personID int64) ([]domain.APIToken, error)
	CreateToken(ctx context.Context, actor domain.Actor, personID int64, name string, scope domain.TokenScope, life time.Duration) (string, domain.APIToken, error)
	RevokeToken(ctx context.Context, p domain.Person, id int64) error

	Grants(ctx context.Context, fedID int64) ([]domain.RoleGrant, error)
	Grant(ctx context.Context, actor domain.Actor, fedID int64, email string, role domain.Role) error
	People(ctx context.Context, f domain.PeopleFilter) ([]domain.Person, error)
	Access(ctx context.Context, personID int64) (account.Access, error)
	EndAccess(ctx context.Context, actor domain.Actor, personID int64) (account.Access, error)
	EndSessionOf(ctx context.Context, actor domain.Actor, personID, sessionID int64) error
	RevokeTokenOf(ctx context.Context, actor domain.Actor, personID, tokenID int64) error
	SetAdmin(ctx context.Context, actor domain.Actor, personID int64, admin bool) (domain.Person, error)

	Ways() []account.Way
	BeginSignIn(ctx context.Context, id, address string) (to, state string, err error)
	Refused(way string, err error)
	FinishSignIn(ctx context.Context, id, state, code string, current domain.Person) (domain.Person, error)
}

// Onboarding is the life of requests, partitions and keys.
type Onboarding interface {
	Ask(ctx context.Context, in onboarding.AskInput) (domain.Request, error)
	Verify(ctx context.Context, ref, code string, current domain.Person) (domain.Request, error)
	Resend(ctx context.Context, ref, address string) error
	Approve(ctx context.Context, actor domain.Actor, ids []int64, partition int) ([]domain.Request, error)
	Reject(ctx context.Context, actor domain.Actor, id int64, reason string) (domain.Request, error)
	Revoke(ctx context.Context, actor domain.Actor, id int64, reason string) (domain.Request, error)
	Withdraw(ctx context.Context, actor domain.Actor, id int64) (domain.Request, error)
	Suspend(ctx context.Context, actor domain.Actor, requestID int64, reason string) (domain.NodeKey, error)
	Resume(ctx context.Context, actor domain.Actor, requestID int64) (domain.NodeKey, error)
	CreateFederation(ctx context.Context, actor domain.Actor, f domain.Federation) (domain.Federation, error)
	Resize(ctx context.Context, actor domain.Actor, fedID int64, total int) (domain.Federation, error)
	Configure(ctx context.Context, actor domain.Actor, fedID int64, name, description string, asking domain.Asking) (domain.Federation, error)

	Invite(ctx context.Context, actor domain.Actor, in onboarding.InviteInput) (link string, inv domain.Invitation, err error)
	ImportInvitations(ctx context.Context, actor domain.Actor, fedID int64, text string, days int, auto bool) (onboarding.Imported, error)
	Invitation(ctx context.Context, secret string) (domain.Invitation, domain.Federation, error)
	Invitations(ctx context.Context, fedID, beforeID int64, n int) ([]domain.Invitation, error)
	RevokeInvitation(ctx context.Context, actor domain.Actor, fedID, id int64) error
	Rules(ctx context.Context, fedID int64) ([]domain.ApprovalRule, error)
	AddRule(ctx context.Context, actor domain.Actor, fedID int64, kind domain.RuleKind, value string) (domain.ApprovalRule, error)
	DropRule(ctx context.Context, actor domain.Actor, fedID, id int64) error

	Federations(ctx context.Context) ([]domain.Federation, error)
	FederationBySlug(ctx context.Context, slug string) (domain.Federation, error)
	Request(ctx context.Context, id int64) (domain.Request, error)
	ByRef(ctx context.Context, ref string) (domain.Request, error)
	Latest(ctx context.Context, fedID, personID int64) (domain.Request, error)
	List(ctx context.Context, f domain.RequestFilter) ([]domain.Request, error)
	CountChosen(ctx context.Context, f domain.RequestFilter) (int, error)
	CountNodes(ctx context.Context, fedID int64) (domain.NodeCount, error)
	NodeTally(ctx context.Context, fedID int64) (domain.NodeTally, error)
	Nodes(ctx context.Context, f domain.NodeFilter) ([]domain.NodeRow, error)
	CountChosenNodes(ctx context.Context, f domain.NodeFilter) (int, error)
	Counts(ctx context.Context, fedID int64) (map[domain.RequestState]int, error)
	MyRequests(ctx context.Context, personID int64) ([]domain.Request, error)
	NodeKeys(ctx context.Context, fedID int64) ([]domain.NodeKey, error)
	KeyOf(ctx context.Context, requestID int64) (domain.NodeKey, error)
	NextFree(ctx context.Context, fedID int64, n int) ([]int, error)

	FindDevice(personID int64, code string) (onboarding.Device, error)
	ApproveDevice(ctx context.Context, actor domain.Actor, code string, requestID int64) (domain.Request, error)
	NewJoinToken(ctx context.Context, actor domain.Actor, requestID int64) (token string, expires time.Time, err error)
	Challenge(ctx context.Context, requestID int64) (string, error)
	EnrolUpload(ctx context.Context, actor domain.Actor, requestID int64, publicKey, challenge, signature string) (domain.NodeKey, error)
}

// Catalog knows the apps that can be run.
type Catalog interface {
	List(ctx context.Context) ([]domain.AppVersion, error)
	Get(ctx context.Context, hash string) (domain.AppVersion, error)
	Upload(ctx context.Context, actor domain.Actor, filename string, r io.Reader) (domain.AppVersion, error)
	FromGit(ctx context.Context, actor domain.Actor, in catalog.GitInput) (domain.AppVersion, error)
	Problems() []catalog.Problem
	AcceptUncontained(ctx context.Context, actor domain.Actor, accept bool) error

	Sight(ctx context.Context, p domain.Person) (catalog.Sight, error)
	Versions(ctx context.Context, v catalog.Sight) ([]domain.AppVersion, error)
	Find(ctx context.Context, v catalog.Sight, publisher, name, prefix string) (domain.AppVersion, error)
	Siblings(ctx context.Context, v catalog.Sight, a domain.AppVersion) ([]domain.AppVersion, error)
	Before(ctx context.Context, v catalog.Sight, a domain.AppVersion) (domain.AppVersion, error)
	Uses(ctx context.Context, v catalog.Sight) (map[string]domain.AppUse, error)
	RunsOf(ctx context.Context, v catalog.Sight, hash string, n int) ([]domain.AppUse, error)
	Origins(ctx context.Context, hash string) ([]domain.AppOrigin, error)
	FAB(ctx context.Context, hash string) (domain.AppVersion, error)
	Source(ctx context.Context, hash string) ([]catalog.File, error)
	Text(ctx context.Context, hash, path string) (catalog.Text, error)
	Diff(ctx context.Context, older, newer string) (catalog.Diff, error)

	Presets(ctx context.Context, a domain.AppVersion) ([]domain.Preset, error)
	SavePreset(ctx context.Context, actor domain.Actor, a domain.AppVersion, name string, config map[string]string) (domain.Preset, error)
	DropPreset(ctx context.Context, actor domain.Actor, appID, name string) error
}

// Runs is the life of runs.
type Runs interface {
	Approvals(ctx context.Context, fedID int64, hash string) ([]domain.NodeApproval, error)
	ByName(ctx context.Context, name string) (domain.Run, error)
	List(ctx context.Context, f domain.RunFilter) ([]domain.Run, error)
	Find(ctx context.Context, f domain.RunQuery) (domain.RunPage, error)
	Same(ctx context.Context, f domain.RunQuery, page domain.RunPage) (now domain.RunPage, came int, err error)
	Curves(ctx context.Context, all []domain.Run) ([]runs.Curves, error)
	Share(ctx context.Context, actor domain.Actor, run domain.Run, days int, withLog bool) (secret string, share domain.Share, err error)
	Receipt(ctx context.Context, run domain.Run) ([]byte, error)
	ReceiptSize(ctx context.Context, run domain.Run) (size int64, keyID string, err error)
	KeepRule(ctx context.Context, fedID int64) (domain.KeepRule, error)
	SetKeepRule(ctx context.Context, actor domain.Actor, fedID int64, k domain.KeepRule) error
	SweptOf(ctx context.Context, run domain.Run) (domain.Swept, error)
	Shares(ctx context.Context, run domain.Run) ([]domain.Share, error)
	RevokeShare(ctx context.Context, actor domain.Actor, run domain.Run, id int64) error
	Shared(ctx context.Context, secret string) (domain.Share, domain.Run, domain.Federation, error)
	Describe(ctx context.Context, actor domain.Actor, id int64, note string, tags []string) (domain.Run, error)
	UndoDescribe(ctx context.Context, actor domain.Actor, id int64) (domain.Run, error)
	Choices(ctx context.Context, fedID, personID int64) (domain.RunChoices, error)
	Watching
	Sees(ctx context.Context, run domain.Run, personID int64) (bool, error)
	Participants(ctx context.Context, run domain.Run) ([]domain.RunParticipant, error)
	NodeLabels(ctx context.Context, run domain.Run) (map[string]string, error)
	AskedIn(ctx context.Context, requestID int64, n int) ([]domain.RunPartOf, error)
	Part(ctx context.Context, fedID int64, nodeID uint64) (domain.Part, error)
	AppFailures(ctx context.Context, run domain.Run) ([]runs.AppFailure, error)
	Log(ctx context.Context, run domain.Run, from, limit int) ([]logfile.Line, int, error)
	LogFile(run domain.Run) *logfile.File
	Artifacts(ctx context.Context, run domain.Run) ([]runs.Artifact, error)
	OpenArtifact(ctx context.Context, run domain.Run, path string) (*os.File, error)
	Board(ctx context.Context, fedID int64) (runs.Mark, []runs.Check, error)
	SuggestName(ctx context.Context, fedID int64, appHash string) (string, error)
	Launch(ctx context.Context, actor domain.Actor, in runs.LaunchInput) (domain.Run, error)
	Stop(ctx context.Context, actor domain.Actor, id int64) (domain.Run, error)

	WaitFor(ctx context.Context, run domain.Run, personID int64) (runs.Wait, error)
	Queue(ctx context.Context, fedID int64) ([]domain.Run, error)
	Move(ctx context.Context, actor domain.Actor, id int64, place int) (domain.Run, error)
	Requeue(ctx context.Context, actor domain.Actor, id int64) (domain.Run, error)
	Clone(ctx context.Context, actor domain.Actor, id int64, c runs.Changes) (domain.Run, error)
	NextName(ctx context.Context, run domain.Run) (string, error)
	SetPolicy(ctx context.Context, actor domain.Actor, fedID int64, p runs.Policy) (domain.Federation, error)
}

// Engines is what the pages do with SuperLinks.
type Engines interface {
	Start(ctx context.Context, actor domain.Actor, fedID int64) error
	Stop(ctx context.Context, actor domain.Actor, fedID int64) error
	Status(fedID int64) domain.SuperLink
	Default() domain.Engine
	Log(fedID int64, part string, older int) (*logfile.File, error)
	OlderLogs(fedID int64, part string) int
	NodeLog(fedID, keyID int64, part string, older int) *logfile.File
}

// Overview looks at everything that somebody watches.
type Overview interface {
	Look(ctx context.Context, p domain.Person) (over.Overview, error)
	Find(ctx context.Context, p domain.Person, words []string) (over.Found, error)
}

// Audit reads who did what.
type Audit interface {
	Find(ctx context.Context, f domain.AuditFilter) (audit.Page, error)
	List(ctx context.Context, f domain.AuditFilter) ([]domain.AuditEntry, error)
	Check(ctx context.Context) (audit.Verdict, error)
	Verdict(ctx context.Context) (audit.Verdict, error)
}

// Site is how this server speaks of itself.
type Site interface {
	Name() string
	Value(key string) string
	Welcome() string
	Style() string
	Logo() (p site.Picture, tag string, ok bool)
	Settings() []site.Setting
	Change(ctx context.Context, actor domain.Actor, values map[string]*string) error
}

// Outbox shows mails.
type Outbox interface {
	Mails(ctx context.Context, n int) ([]domain.Mail, error)
	Configured() bool
	Resend(ctx context.Context, actor domain.Actor, id int64) error
}

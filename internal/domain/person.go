package domain

import (
	"fmt"
	"time"
)

// Clock tells the time; it is passed in, so that tests can set it. Everything stored is UTC with millisecond precision.
type Clock func() time.Time

// Person is somebody known by a proven or claimed e-mail address.
type Person struct {
	ID           int64
	Email        string // lower case, see [NormalEmail]; empty for the first admin until they give one
	Name         string
	Organisation string
	Admin        bool // of the whole instance
	CreatedAt    time.Time
	ErasedAt     time.Time // zero for one whose data was not erased
}

// ActionPersonErased is the action of the audit entry of an erasure. Checks of the audit's chain depend on it.
const ActionPersonErased = "person.erased"

// Erasure is what an erasure changed in the audit. The digest is over those entries as it left them.
type Erasure struct {
	Entries int
	Digest  string // in hex
}

// ErasedLabel is the name of an erased person.
func ErasedLabel(id int64) string { return fmt.Sprintf("Erased person %d", id) }

// ErasedPersonRef names an erased person in the audit.
func ErasedPersonRef(id int64) string { return fmt.Sprintf("person-%d", id) }

// HostEmail names the admin that the host's own commands act as; nobody gets mail there.
const HostEmail = "admin@localhost"

// Host reports whether p is no person, but the host itself.
func (p Person) Host() bool { return p.Email == HostEmail }

// Session is a signed-in browser. Its secret is kept only as a hash.
type Session struct {
	ID         int64
	PersonID   int64
	CreatedAt  time.Time
	LastSeenAt time.Time
	ExpiresAt  time.Time // absolute
	Address    string    // of the client, for the person's own list
	Agent      string    // the browser's User-Agent, cut to 200 bytes
}

// LinkPurpose says what a one-time link does.
type LinkPurpose string

// Purposes of one-time links.
const (
	LinkSetup  LinkPurpose = "setup"   // makes the first admin
	LinkSignIn LinkPurpose = "sign_in" // signs a person in
)

// Link is a one-time sign-in link. Its secret is kept only as a hash.
type Link struct {
	ID        int64
	Purpose   LinkPurpose
	PersonID  int64 // 0 for setup
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    time.Time // zero until used
}

// APIToken lets a program act; its secret is kept only as a hash.
type APIToken struct {
	ID         int64
	Name       string
	PersonID   int64 // who it acts as
	Scope      TokenScope
	CreatedAt  time.Time
	ExpiresAt  time.Time
	LastUsedAt time.Time // zero until used
}

// Role is what a person may do in one federation; each role may do what those before it may.
type Role string

// Roles of a federation. An instance admin is a manager of every federation.
const (
	RoleNone        Role = ""
	RoleParticipant Role = "participant"
	RoleViewer      Role = "viewer"
	RoleManager     Role = "manager"
)

// AtLeast reports whether r includes what want may do.
func (r Role) AtLeast(want Role) bool {
	rank := map[Role]int{RoleNone: 0, RoleParticipant: 1, RoleViewer: 2, RoleManager: 3}
	return rank[r] >= rank[want]
}

// Actor is who causes a change; the audit keeps it.
type Actor struct {
	Kind     string // "person", "token", "node", "system"
	PersonID int64  // 0 for system and node
	Name     string // shown in the audit: a name or e-mail, "system", "partition 3"
	Admin    bool   // an instance admin
}

// System is the actor of what the server does by itself.
var System = Actor{Kind: "system", Name: "system"}

// AuditEntry is one row of the audit: who changed what, when. It is written in the same transaction as the change.
type AuditEntry struct {
	ID           int64
	At           time.Time
	Actor        Actor
	Action       string // "request.approved", "run.launched", "superlink.stopped" …: noun and past participle
	ObjectKind   string // "request", "run", "federation", "node_key" …
	ObjectID     string
	FederationID int64 // 0 where none
	Detail       map[string]string
}

// AuditVerdict is what going through the audit's chain came to. Each entry holds the hash of its content and of the entry before it, so
// that none can be changed, put in or taken out without all that follow.
type AuditVerdict struct {
	Entries int       // that fit
	Erased  int       // of them: those from which personal data was erased
	Since   time.Time // since when entries are chained as they are written; older ones were chained later. Zero: none is
	Hash    string    // of the newest entry, in hex: whoever keeps it elsewhere can tell later that nothing before it has changed
	Fault   int64     // the first entry that does not fit; 0: all do
	FaultAt time.Time // when that one says it was written
	Short   bool      // entries are missing at the end, or there are not as many as is recorded
}

// Whole reports whether the chain is whole.
func (v AuditVerdict) Whole() bool { return v.Fault == 0 && !v.Short }

// TokenScope is how much of what its person may do an API token may do.
type TokenScope string

// Scopes of API tokens.
const (
	ScopeRead TokenScope = "read" // look at everything, change nothing
	ScopeAll  TokenScope = "all"
)

// RoleGrant is a role that somebody was given in a federation.
type RoleGrant struct {
	Person Person
	Role   Role
}

// PeopleFilter selects persons.
type PeopleFilter struct {
	Search   string // in name, address and organisation
	Admins   bool   // instance admins only
	BeforeID int64  // those with a lower id only
	Limit    int
}

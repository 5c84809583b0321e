package domain

import (
	"slices"
	"strconv"
	"time"
)

// NoticeKind says what people and webhooks can be notified of.
type NoticeKind string

// Kinds of notices.
const (
	NoticeRunStarted     NoticeKind = "run_started" // its ServerApp gave its first sign of life
	NoticeRunCompleted   NoticeKind = "run_completed"
	NoticeRunFailed      NoticeKind = "run_failed"
	NoticeRunStopped     NoticeKind = "run_stopped"
	NoticeNothingTrained NoticeKind = "nothing_trained" // a run completed in which no participant gave a reply without an error
	NoticeRequests       NoticeKind = "requests_waiting"
	NoticeOverdue        NoticeKind = "requests_overdue"     // requests wait for longer than [NoticeRules].Waiting
	NoticeOffline        NoticeKind = "nodes_offline"        // SuperNodes are offline for longer than [NoticeRules].Offline
	NoticeUnconnected    NoticeKind = "never_connected"      // people were approved longer than [NoticeRules].Unconnected ago
	NoticeDisk           NoticeKind = "disk_low"             // of the data directory
	NoticeCertificate    NoticeKind = "certificate_expiring" // the server's

	NoticeTest NoticeKind = "test" // of a webhook's test button; no one can choose it
)

// FederationNotices and InstanceNotices are the kinds that can be chosen, in the order in which pages list them.
var (
	FederationNotices = []NoticeKind{NoticeRunCompleted, NoticeRunFailed, NoticeNothingTrained, NoticeRunStopped, NoticeRunStarted,
		NoticeRequests, NoticeOverdue, NoticeOffline, NoticeUnconnected}
	InstanceNotices = []NoticeKind{NoticeDisk, NoticeCertificate}
)

// Label is the kind as pages name it.
func (k NoticeKind) Label() string {
	return map[NoticeKind]string{
		NoticeRunStarted: "Run started", NoticeRunCompleted: "Run completed", NoticeRunFailed: "Run failed", NoticeRunStopped: "Run stopped",
		NoticeNothingTrained: "Run completed, nothing was trained", NoticeRequests: "New requests to review", NoticeTest: "Test",
		NoticeOverdue: "Requests waiting too long", NoticeOffline: "SuperNodes offline", NoticeUnconnected: "Approved but never connected",
		NoticeDisk: "Disk almost full", NoticeCertificate: "Certificate expiring",
	}[k]
}

// OfInstance reports whether the kind is about the server, not about a federation.
func (k NoticeKind) OfInstance() bool { return slices.Contains(InstanceNotices, k) }

// OfRun reports whether the kind is about one run.
func (k NoticeKind) OfRun() bool {
	return slices.Contains([]NoticeKind{NoticeRunStarted, NoticeRunCompleted, NoticeRunFailed, NoticeRunStopped, NoticeNothingTrained}, k)
}

// ForManagers reports whether only managers may hear of it: it names people who are no participants yet, or who do not connect.
func (k NoticeKind) ForManagers() bool { return !k.OfRun() && !k.OfInstance() && k != NoticeTest }

// NoticesFor returns the kinds of a federation that a person with a role there, or an admin, may choose, in the order of pages.
func NoticesFor(r Role, admin bool) []NoticeKind {
	if admin || r.AtLeast(RoleManager) {
		return FederationNotices
	}
	return slices.DeleteFunc(slices.Clone(FederationNotices), NoticeKind.ForManagers)
}

// NoticeOf returns the kind of notice for the state of a run; "" where there is none.
func NoticeOf(r Run) NoticeKind {
	switch {
	case r.Outcome() == NothingTrained:
		return NoticeNothingTrained
	case r.State == Completed:
		return NoticeRunCompleted
	case r.State == Failed:
		return NoticeRunFailed
	case r.State == Stopped:
		return NoticeRunStopped
	case r.State == Running:
		return NoticeRunStarted
	}
	return ""
}

// Notice is one thing that people and webhooks are notified of. It is written in the transaction of the change that it is about.
type Notice struct {
	ID           int64
	Kind         NoticeKind
	FederationID int64  // 0: the instance
	About        string // what it is about, such as "run:7"; deliveries about the same thing keep their order
	Facts        NoticeFacts
	At           time.Time
}

// AboutRun is what the notices of a run are about.
func AboutRun(id int64) string { return "run:" + strconv.FormatInt(id, 10) }

// NoticeFacts are what a notice tells, as it was when it was written. They hold no data of participants and no secrets.
type NoticeFacts struct {
	Run    *NoticeRun    `json:"run,omitempty"`
	People int           `json:"people,omitempty"` // how many requests, people or SuperNodes it is about
	Nodes  []NoticeNode  `json:"nodes,omitempty"`  // the first of those SuperNodes or people
	After  time.Duration `json:"after,omitempty"`  // for how long it is the case
	Text   string        `json:"text,omitempty"`   // of tests: who tests what; of the server: what is the case
	Remedy string        `json:"remedy,omitempty"`
}

// NoticeRun is what a notice tells of a run.
type NoticeRun struct {
	ID          int64        `json:"id"`
	Name        string       `json:"name"`
	App         string       `json:"app"`
	AppVersion  string       `json:"app_version"`
	State       RunState     `json:"state"`
	Round       int          `json:"round"`
	Rounds      int          `json:"rounds"`
	Asked       int          `json:"asked"`
	Contributed int          `json:"contributed"`
	Who         []NoticeNode `json:"who,omitempty"` // the first of those who contributed
	StartedAt   time.Time    `json:"started_at,omitzero"`
	EndedAt     time.Time    `json:"ended_at,omitzero"`
	Code        string       `json:"code,omitempty"` // of the cause
	Cause       string       `json:"cause,omitempty"`
	Remedy      string       `json:"remedy,omitempty"`
}

// NoticeNode is a participant in a notice, or someone who wants to be one and has the partition -1. Webhooks get the partition alone.
type NoticeNode struct {
	Partition int    `json:"partition"`
	Name      string `json:"name,omitempty"`
}

// NoticeNamed is how many participants a notice names; the rest is counted.
const NoticeNamed = 10

// NoticeMode is how a person wants to hear of a kind of notice.
type NoticeMode string

// Modes.
const (
	NoticeOff   NoticeMode = "off"
	NoticeNow   NoticeMode = "now"   // by mail at once, within limits
	NoticeDaily NoticeMode = "daily" // in one mail a day
)

// CheckNoticeMode returns an [Invalid] error at field "mode" for anything but a mode.
func CheckNoticeMode(m NoticeMode) error {
	if m != NoticeOff && m != NoticeNow && m != NoticeDaily {
		return Errorf(Invalid, "%q is not a way of notifying.", m).Fix("Use off, now or daily.").At("mode")
	}
	return nil
}

// NoticePref is what a person has chosen for a kind of notice in a federation; 0 is the instance.
type NoticePref struct {
	PersonID     int64
	FederationID int64
	Kind         NoticeKind
	Mode         NoticeMode
}

// NoticeItem is a notice that waits to be mailed to a person.
type NoticeItem struct {
	PersonID int64
	Notice   Notice
	DueAt    time.Time
	Daily    bool
}

// NoticeMeter counts the notification mails to a person in the hour that began at Since.
type NoticeMeter struct {
	PersonID int64
	Since    time.Time
	Mails    int
}

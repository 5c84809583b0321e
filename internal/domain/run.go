package domain

import (
	"regexp"
	"slices"
	"time"
)

// RunState is where a run stands.
type RunState string

// States of a run.
const (
	Queued    RunState = "queued"
	Starting  RunState = "starting" // committed, being handed to the engine
	Running   RunState = "running"  // the ServerApp has sent its first sign of life
	Completed RunState = "completed"
	Failed    RunState = "failed"
	Stopped   RunState = "stopped"
)

var runMoves = map[RunState][]RunState{
	Queued:   {Starting, Stopped, Failed},
	Starting: {Running, Completed, Failed, Stopped},
	Running:  {Completed, Failed, Stopped},
}

// May reports whether a run in state s can become next.
func (s RunState) May(next RunState) bool { return slices.Contains(runMoves[s], next) }

// Ended reports whether s is an end state.
func (s RunState) Ended() bool { return s == Completed || s == Failed || s == Stopped }

// EndedEarly reports whether the run completed after fewer rounds than were planned, as its app decided.
func (r Run) EndedEarly() bool { return r.State == Completed && r.Round > 0 && r.Round < r.Rounds }

// Run is one execution of an app version in a federation.
type Run struct {
	ID              int64
	FederationID    int64
	Name            string // the Run ID that the manager chose, unique over the instance, see [CheckRunName]
	State           RunState
	AppHash         string
	AppID           string // publisher/name
	AppVersion      string
	TotalPartitions int
	Config          map[string]any // what differs from the app's defaults
	Settings        RunSettings
	Note            string
	Tags            []string
	EngineRunID     uint64 // of the SuperLink; 0 until StartRun answered
	Cause           Cause  // for failed and stopped
	Rounds          int    // planned rounds; 0 while unknown
	Round           int    // the newest round begun; 0 before the first
	CreatedBy       string
	StopAsked       bool   // somebody asked to stop it; it ends as stopped
	Place           int64  // in its federation's queue: the lowest is next
	Override        string // why an admin launched it although the board said no-go; "" where it did not
	NotBefore       time.Time
	Asked           int       // of an ended one: SuperNodes that were asked
	Contributed     int       // of an ended one: SuperNodes that gave at least one reply without an error
	ProgressAt      time.Time // when it was last seen to come along; zero before its ServerApp did anything
	CreatedAt       time.Time
	StartingAt      time.Time
	RunningAt       time.Time
	EndedAt         time.Time

	Sandbox Sandbox // of its ServerApp, fixed when the engine takes the run

	DeletedAt time.Time // when it was deleted; zero for one that was not, or was restored
	DeletedBy string
	PurgingAt time.Time // since when its data is removed: it can no longer be restored

	ParticipantsAt time.Time // since when its participants are kept with it; zero for runs from before that was done
}

var runNamePattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$`)

// CheckRunName returns an [Invalid] error at field "run_id" unless s can be a Run ID: 1 to 64 letters, digits, dots, dashes and
// underscores.
func CheckRunName(s string) error {
	if !runNamePattern.MatchString(s) {
		return Errorf(Invalid, "%q cannot be a Run ID.", s).
			Fix("Use 1 to 64 letters, digits, dots, dashes or underscores, beginning and ending with a letter or digit.").At("run_id")
	}
	return nil
}

// Phase is the part of a round that a metric belongs to.
type Phase string

// Phases, from Flower's message types; server is the ServerApp's own (centralized) evaluation.
const (
	PhaseTrain    Phase = "train"
	PhaseEvaluate Phase = "evaluate"
	PhaseServer   Phase = "server"
	PhaseOther    Phase = "other"
)

// Metric is one number of one round. NodeID 0 stands for the whole federation: an aggregate, or the ServerApp's own evaluation.
type Metric struct {
	ID           int64 // increases in the order of arrival
	FederationID int64
	EngineRunID  uint64
	Round        int
	Phase        Phase
	NodeID       uint64
	Name         string
	Value        float64 // may be NaN or infinite
	At           time.Time
	// Record is the name of the reply's record that holds it; "" where its name alone says what it is. Only what is written has it: the
	// store makes the name tell the records of a run apart.
	Record  string
	Setting bool // it comes from a ConfigRecord: left out where it only repeats the run config; only of what is written
}

// Exchange is one message asked of one SuperNode in one round, and what became of it.
type Exchange struct {
	FederationID int64
	EngineRunID  uint64
	Round        int
	Phase        Phase
	NodeID       uint64
	MessageID    string
	AskedAt      time.Time
	RepliedAt    time.Time // zero until the reply is on its way to the ServerApp; with Flower's SuperLink, until the ServerApp has it
	Failed       bool      // the reply is an error
	Error        string
	ReplyObject  string // the reply's root object: the hash of all that was sent in it
}

// Part is what a SuperNode has taken part in, over all runs.
type Part struct {
	Rounds int
	Runs   int
}

// Contribution is what a SuperNode contributed to one round of a run.
type Contribution struct {
	Run             string // its name
	Round           int    // 0 where the app names none
	AskedAt         time.Time
	Replies, Errors int
	Up, Down        int64 // bytes from and to the SuperNode, as the gateway counted them: what Flower's protocol adds is in it
}

// AppExit is how a participant's ClientApp failed, as its agent tells.
type AppExit struct {
	FederationID int64
	EngineRunID  uint64
	NodeID       uint64
	ExitCode     int    // Flower's number where it wrote one; -1 where a signal ended it
	Signal       string // that ended it
	Kind         string // of the exception, without its message: that may hold the participant's data
	Module       string // that could not be imported
	Trouble      string // of the network, as package pyerror names it; "" for none
	Address      string // that was not reached
	File         string // of the app, in which it was raised; "" where that is not known
	FileLine     int
	Func         string // in which that line is
	Code         string // that line
	Output       string // the last lines, where the participant shares them
	At           time.Time
}

// MaxAppExits is how many failures of one SuperNode in one run are kept.
const MaxAppExits = 50

// Mail is one e-mail in the outbox.
type Mail struct {
	ID        int64
	To        string
	Subject   string
	Text      string
	State     MailState
	Tries     int
	NextAt    time.Time
	LastError string
	CreatedAt time.Time
	SentAt    time.Time
}

// MailState is where a mail stands.
type MailState string

// States of a mail. Held ones wait in the outbox because no SMTP server is configured.
const (
	MailQueued MailState = "queued"
	MailHeld   MailState = "held"
	MailSent   MailState = "sent"
	MailDead   MailState = "dead"
)

// Due reports whether a queued run may start at a moment.
func (r Run) Due(now time.Time) bool { return !r.NotBefore.After(now) }

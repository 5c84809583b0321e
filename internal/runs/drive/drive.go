// Package drive is the state machine of runs: it takes a run from the queue through the engine to its end, one driver per federation.
//
// The database is the truth. A run's row is committed before the engine hears of it, every change of its state is one transaction
// with its audit entry, and whatever the engine says is reconciled into it. states.go has the states and all moves between them.
//
// Only what changes the state of a run belongs here. Why a run failed is for package diagnose, which gets the facts from facts.go;
// logs and metrics are for package watch; what surfaces ask for is for package runs.
package drive

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs/report"
	"blossomtune/internal/runs/watch"
)

// Tx is what the package needs of a transaction.
type Tx interface {
	Federations(ctx context.Context) ([]domain.Federation, error)
	FederationByID(ctx context.Context, id int64) (domain.Federation, error)
	UpdateFederation(ctx context.Context, f domain.Federation) error
	AppVersionByHash(ctx context.Context, hash string, withFAB bool) (domain.AppVersion, error)
	NodeKeys(ctx context.Context, fedID int64) ([]domain.NodeKey, error)
	NodeStates(ctx context.Context, feds []int64) (map[int64][]domain.NodeKey, error)

	RunByID(ctx context.Context, id int64) (domain.Run, error)
	RunByEngineID(ctx context.Context, fedID int64, engineRunID uint64) (domain.Run, error)
	UpdateRun(ctx context.Context, r domain.Run) error
	Runs(ctx context.Context, f domain.RunFilter) ([]domain.Run, error)
	QueuedRuns(ctx context.Context, fedID int64) ([]domain.Run, error)
	ActiveRuns(ctx context.Context) ([]domain.Run, error)
	UnendedRuns(ctx context.Context, fedID int64) ([]domain.Run, error)

	SummariseMeans(ctx context.Context, fedID int64, engineRunID uint64) error
	Metrics(ctx context.Context, fedID int64, engineRunID uint64, afterID int64, most int) ([]domain.Metric, error)
	EnrolParticipants(ctx context.Context, run domain.Run, at time.Time) error
	ParticipantsChanged(ctx context.Context, run domain.Run) (bool, error)
	FollowParticipants(ctx context.Context, run domain.Run, at time.Time) error
	SettleParticipants(ctx context.Context, run domain.Run, at time.Time) (asked, gave int, err error)
	AnyExchange(ctx context.Context, fedID int64, engineRunID uint64) (bool, error)
	RoundActivity(ctx context.Context, fedID int64, engineRunID uint64) (domain.RoundActivity, error)
	NewestExchanges(ctx context.Context, fedID int64, engineRunID uint64) ([]domain.Exchange, error)
	FailedExchanges(ctx context.Context, fedID int64, engineRunID uint64) ([]domain.Exchange, error)
	AppExits(ctx context.Context, fedID int64, engineRunID uint64) ([]domain.AppExit, error)

	RunContributors(ctx context.Context, runID int64, n int) ([]domain.NoticeNode, error)
	InsertNotice(ctx context.Context, n *domain.Notice) error
	InsertAudit(ctx context.Context, e domain.AuditEntry) error
}

// Store runs transactions.
type Store interface {
	InTx(ctx context.Context, fn func(Tx) error) error
	View(ctx context.Context, fn func(Tx) error) error
}

// Engine is a federation's SuperLink and launcher, as the runs package uses them. A federation whose SuperLink is not up
// answers every call that needs it with a [domain.Unavailable] error.
type Engine interface {
	// StartRun creates the engine run of a run and returns its id. For the same run it returns the same one.
	StartRun(ctx context.Context, run domain.Run, app domain.AppVersion) (uint64, error)
	// StopRun ends an engine run; ending an ended one is no error.
	StopRun(ctx context.Context, fedID int64, engineRunID uint64) error
	// EngineRuns lists what the SuperLink knows.
	EngineRuns(ctx context.Context, fedID int64) ([]domain.EngineRun, error)
	// Launch lets the launcher start the ServerApp of a run that has its engine run, with its settings and sandbox. It is idempotent.
	Launch(ctx context.Context, run domain.Run) error
	// Kill ends the run's ServerApp with its descendants, if it runs. Its task tells why.
	Kill(ctx context.Context, fedID int64, engineRunID uint64, why domain.KillReason) error
	// Tasks lists the launcher's tasks, ended ones included.
	Tasks(ctx context.Context, fedID int64) ([]domain.Task, error)
	// LogFile and WorkDir are the run's files, which outlive it.
	LogFile(fedID int64, engineRunID uint64) string
	WorkDir(fedID int64, engineRunID uint64) string
	// Sleep stops the SuperLink until [Engine.Rouse]; both may be repeated.
	Sleep(ctx context.Context, fedID int64) error
	Rouse(fedID int64)
	// Status is the SuperLink's state.
	Status(fedID int64) domain.SuperLink
}

// Options are the parts that a [Driver] works with.
type Options struct {
	Store  Store
	Engine Engine
	Stray  func(ctx context.Context, fedID int64, e domain.EngineRun) (bool,
		error) // whether one without a key belongs to no run; nil: all have keys
	Follower *watch.Follower
	Reporter report.Reporter
	Clock    domain.Clock
	Logger   *slog.Logger

	Flwr      string                         // the version of Flower that is installed
	MaxDisk   int64                          // most bytes of disk that a ServerApp's files may take; 0: no limit
	Contained func() domain.Containment      // how ServerApps are contained on this machine; nil: not known
	AppUID    func(fedID int64) (int, error) // the user that a federation's ServerApps run as; 0 or nil: the server's own
	Ended     func()                         // is called after a run has ended; may be nil
	Noticed   func()                         // is called after a change that people are notified of; may be nil
}

// Driver drives the runs of all federations. Its methods are safe for concurrent use.
type Driver struct {
	Options

	began time.Time // before this no process of this server watched

	mu    sync.Mutex
	wakes map[int64]chan struct{}
}

// New returns a Driver; [Driver.Run] must run for anything queued to start.
func New(o Options) *Driver {
	return &Driver{Options: o, began: o.Clock().UTC(), wakes: map[int64]chan struct{}{}}
}

// Wake makes the federation's driver look at once; call it when its engine has changed.
func (s *Driver) Wake(fedID int64) {
	select {
	case s.wake(fedID) <- struct{}{}:
	default: // one wake waits already
	}
}

func (s *Driver) wake(fedID int64) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, ok := s.wakes[fedID]
	if !ok {
		ch = make(chan struct{}, 1)
		s.wakes[fedID] = ch
	}
	return ch
}

// Package runs takes a run from the queue to its end: launch, hand-over to the engine, reconciliation with what the engine
// says, the cause of a failure, and the metrics and log lines on the way.
//
// The database is the truth. A run's row is committed before the engine hears of it, every change of its state is one
// transaction with its audit row, and whatever the engine says is reconciled into it by one driver per federation.
package runs

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/events"
	"blossomtune/internal/logfile"
	"blossomtune/internal/receipt"
)

// Tx is what the runs package needs of a transaction.
type Tx interface {
	Federations(ctx context.Context) ([]domain.Federation, error)
	FederationByID(ctx context.Context, id int64) (domain.Federation, error)
	UpdateFederation(ctx context.Context, f domain.Federation) error
	AppVersionByHash(ctx context.Context, hash string, withFAB bool) (domain.AppVersion, error)
	HeldPartitions(ctx context.Context, fedID int64) (map[int]domain.Request, error)
	NodeKeys(ctx context.Context, fedID int64) ([]domain.NodeKey, error)
	NodeTally(ctx context.Context, fedID int64) (domain.NodeTally, error)
	NodePage(ctx context.Context, f domain.NodeFilter) ([]domain.NodeRow, error)
	GoodKeys(ctx context.Context, feds []int64) (map[int64][]domain.NodeKey, error)

	InsertRun(ctx context.Context, r *domain.Run) error
	RunByID(ctx context.Context, id int64) (domain.Run, error)
	RunByName(ctx context.Context, name string) (domain.Run, error)
	RunByEngineID(ctx context.Context, fedID int64, engineRunID uint64) (domain.Run, error)
	UpdateRun(ctx context.Context, r domain.Run) error
	Runs(ctx context.Context, f domain.RunFilter) ([]domain.Run, error)
	QueuedRuns(ctx context.Context, fedID int64) ([]domain.Run, error)
	ActiveRuns(ctx context.Context) ([]domain.Run, error)

	FindRuns(ctx context.Context, f domain.RunQuery, now time.Time) (domain.RunPage, error)
	SameRuns(ctx context.Context, f domain.RunQuery, page domain.RunPage, now time.Time) (domain.RunPage, error)
	RunChoices(ctx context.Context, fedID, personID int64) (domain.RunChoices, error)
	DescribeRun(ctx context.Context, r domain.Run) error

	RunsWithoutReceipt(ctx context.Context, n int) ([]domain.Run, error)
	EachExchange(ctx context.Context, fedID int64, engineRunID uint64, take func(domain.Exchange) error) error
	InsertReceipt(ctx context.Context, runID int64, envelope []byte, at time.Time) error
	Receipt(ctx context.Context, runID int64) ([]byte, error)
	ReceiptSize(ctx context.Context, runID int64) (int64, error)

	KeepRule(ctx context.Context, fedID int64) (domain.KeepRule, error)
	SetKeepRule(ctx context.Context, fedID int64, k domain.KeepRule) error
	RunsToSweep(ctx context.Context, fedID int64, k domain.KeepRule, now time.Time, n int) ([]domain.Run, error)
	InsertSwept(ctx context.Context, v domain.Swept) error
	SweptOf(ctx context.Context, runID int64) (domain.Swept, error)
	SweptSince(ctx context.Context, at time.Time) ([]domain.Run, error)

	InsertShare(ctx context.Context, v *domain.Share) error
	RevokeShare(ctx context.Context, v domain.Share) error
	ShareByHash(ctx context.Context, hash []byte) (domain.Share, error)
	Shares(ctx context.Context, runID int64) ([]domain.Share, error)

	SummariseMeans(ctx context.Context, fedID int64, engineRunID uint64) error
	MetricSummaries(ctx context.Context, fedID int64, engineRunID uint64) ([]domain.MetricSummary, error)
	WholeMetrics(ctx context.Context, fedID int64, engineRunID uint64) ([]domain.Metric, error)
	EnrolParticipants(ctx context.Context, run domain.Run, at time.Time) error
	ParticipantsChanged(ctx context.Context, run domain.Run) (bool, error)
	FollowParticipants(ctx context.Context, run domain.Run, at time.Time) error
	SettleParticipants(ctx context.Context, run domain.Run, at time.Time) (asked, gave int, err error)
	RunParticipants(ctx context.Context, runID int64) ([]domain.RunParticipant, error)
	SeesRun(ctx context.Context, runID, personID int64) (bool, error)
	RunsAsking(ctx context.Context, requestID int64, n int) ([]domain.RunPartOf, error)
	RepliedNodes(ctx context.Context, fedID int64, engineRunID uint64) ([]uint64, error)
	MeanMetrics(ctx context.Context, fedID int64, engineRunID uint64) ([]domain.Metric, error)
	InsertMetrics(ctx context.Context, ms []domain.Metric) (int, error)
	Part(ctx context.Context, fedID int64, nodeID uint64) (domain.Part, error)
	watchTx

	NewestExchanges(ctx context.Context, fedID int64, engineRunID uint64) ([]domain.Exchange, error)
	FailedExchanges(ctx context.Context, fedID int64, engineRunID uint64) ([]domain.Exchange, error)

	NodeApprovals(ctx context.Context, fedID int64, hash string) ([]domain.NodeApproval, error)
	InsertAppExit(ctx context.Context, e domain.AppExit) (bool, error)
	AppExits(ctx context.Context, fedID int64, engineRunID uint64) ([]domain.AppExit, error)

	InsertAudit(ctx context.Context, e domain.AuditEntry) error
	AuditEntries(ctx context.Context, f domain.AuditFilter) ([]domain.AuditEntry, error)
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

// Options are the parts a [Service] works with.
type Options struct {
	Store  Store
	Engine Engine
	Stray  func(ctx context.Context, fedID int64, e domain.EngineRun) (bool, error) // whether one without a key belongs to no run; nil: all have keys
	// EngineChosen is called after a federation's choice of an engine may have changed; may be nil.
	EngineChosen func(fedID int64)

	Events *events.Bus
	Clock  domain.Clock
	Logger *slog.Logger
	Flwr   string // the version of Flower that runs need

	Receipts     *receipt.Signer // nil: none are made
	Requirements []byte          // the lock of the Python environment
	Version      string          // of the server

	Contained func() domain.Containment                 // how ServerApps are contained on this machine; nil: not known
	AppUID    func(fedID int64) (int, error)            // the user that a federation's ServerApps run as; 0 or nil: the server's own
	MaxDisk   int64                                     // most bytes of disk that a ServerApp's files may take; 0: no limit
	MayLaunch func(context.Context, domain.Actor) error // why an actor may launch no app here; may be nil

	Writable func(context.Context) error // why the server cannot keep what a run writes: a full disk, a locked database; may be nil
	Disk     func() error                // the same of its disk alone, without waiting; may be nil

	MachineIndex string // the package index that this machine is configured with; "" for the usual one
}

// Service is the life of runs. Its methods are safe for concurrent use.
type Service struct {
	Options

	began time.Time // before this nobody here has watched

	ended      chan struct{} // a run has ended: its receipt is due
	receiptsMu sync.Mutex    // one makes receipts at a time

	receiptsFailed map[int64]time.Time // by run: when its receipt is tried again; guarded by receiptsMu

	mu      sync.Mutex
	wakes   map[int64]chan struct{}
	tailers map[int64]*tailer
	logs    map[int64]*logfile.File

	rollers *rollers
	waits   waits
}

// New returns a Service; [Service.Run] must run for anything queued to start.
func New(o Options) *Service {
	return &Service{Options: o, ended: make(chan struct{}, 1), began: o.Clock().UTC(), wakes: map[int64]chan struct{}{},
		tailers: map[int64]*tailer{}, logs: map[int64]*logfile.File{}, rollers: newRollers(), waits: newWaits(),
		receiptsFailed: map[int64]time.Time{}}
}

// Wake makes the federation's driver look at once; call it when its engine has changed.
func (s *Service) Wake(fedID int64) {
	select {
	case s.wake(fedID) <- struct{}{}:
	default: // one wake waits already
	}
}

func (s *Service) wake(fedID int64) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch, ok := s.wakes[fedID]
	if !ok {
		ch = make(chan struct{}, 1)
		s.wakes[fedID] = ch
	}
	return ch
}

// move brings a run into its next state, in one transaction with its audit row. It reports false, and changes nothing,
// when the run's state does not allow it (somebody else was faster).
func (s *Service) move(ctx context.Context, actor domain.Actor, id int64, next domain.RunState, change func(*domain.Run)) (run domain.Run, moved bool, err error) {
	err = s.Store.InTx(ctx, func(tx Tx) error {
		moved = false
		if run, err = tx.RunByID(ctx, id); err != nil {
			return err
		}
		if !run.State.May(next) {
			return nil
		}
		before := run.State
		run.State = next
		now := s.Clock().UTC()
		switch {
		case next == domain.Starting:
			run.StartingAt, run.ParticipantsAt = now, now
		case next == domain.Running:
			run.RunningAt = now
		case next.Ended():
			run.EndedAt = now
		}
		if err := keepParticipants(ctx, tx, &run, now); err != nil {
			return err
		}
		if change != nil {
			change(&run)
		}
		if err := tx.UpdateRun(ctx, run); err != nil {
			return err
		}
		if next.Ended() {
			if err := tx.SummariseMeans(ctx, run.FederationID, run.EngineRunID); err != nil {
				return err
			}
		}
		moved = true
		return tx.InsertAudit(ctx, s.entry(actor, run, "run."+string(next), map[string]string{"from": string(before), "cause": run.Cause.Message}))
	})
	if err == nil && moved {
		s.publish(run, "state")
	}
	return run, moved, err
}

func (s *Service) entry(actor domain.Actor, run domain.Run, action string, detail map[string]string) domain.AuditEntry {
	for k, v := range detail {
		if v == "" {
			delete(detail, k)
		}
	}
	return domain.AuditEntry{At: s.Clock().UTC(), Actor: actor, Action: action, ObjectKind: "run", ObjectID: run.Name, FederationID: run.FederationID, Detail: detail}
}

func (s *Service) publish(run domain.Run, kind string) {
	s.Events.Publish(events.Event{Topic: RunTopic(run.ID), Kind: kind})
	if kind == "state" || kind == "round" {
		s.Events.Publish(events.Event{Topic: FederationTopic(run.FederationID), Kind: kind})
	}
}

// RunTopic is the topic of one run's events. Kinds: "state", "round", "metric", "log", [LinkEnded].
func RunTopic(id int64) string { return "run:" + itoa(id) }

// FederationTopic is the topic of the events of all runs of a federation. Kinds: "state", "round".
func FederationTopic(fedID int64) string { return "runs:" + itoa(fedID) }

// Package runs is what the server and its surfaces do with runs: launch, plan, describe, share and read them.
//
// It puts the packages below it together and is the only one of them that a surface imports. A change that the engine has a part in
// is made by package drive (the state machine); causes and waits are worded in diagnose; logs and metrics are in watch, files in
// artifacts, receipts in receipts. What a person asks for and no engine has a part in belongs here.
package runs

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/events"
	"blossomtune/internal/receipt"
	"blossomtune/internal/runs/artifacts"
	"blossomtune/internal/runs/drive"
	"blossomtune/internal/runs/receipts"
	"blossomtune/internal/runs/report"
	"blossomtune/internal/runs/watch"
	"blossomtune/internal/safely"
)

// Tx is what this package and those below it need of a transaction.
type Tx interface {
	drive.Tx
	watch.Tx
	artifacts.Tx
	receipts.Tx

	HeldPartitions(ctx context.Context, fedID int64) (map[int]domain.Request, error)
	NodeTally(ctx context.Context, fedID int64) (domain.NodeTally, error)
	NodePage(ctx context.Context, f domain.NodeFilter) ([]domain.NodeRow, error)
	NodeApprovals(ctx context.Context, fedID int64, hash string) ([]domain.NodeApproval, error)

	InsertRun(ctx context.Context, r *domain.Run) error
	RunByName(ctx context.Context, name string) (domain.Run, error)
	RunNamed(ctx context.Context, name string) (domain.Run, error)
	RunsToDelete(ctx context.Context, d domain.RunDeletion, now time.Time) ([]domain.Run, error)
	MarkRunDeleted(ctx context.Context, r domain.Run) error
	RunsToPurge(ctx context.Context, before time.Time, after int64, n int) ([]domain.Run, error)
	BeginPurge(ctx context.Context, id int64, at time.Time) error
	PurgeRun(ctx context.Context, r domain.Run) (more bool, err error)
	EndPurge(ctx context.Context, id int64, at time.Time) error
	DescribeRun(ctx context.Context, r domain.Run) error
	FindRuns(ctx context.Context, f domain.RunQuery, now time.Time) (domain.RunPage, error)
	SameRuns(ctx context.Context, f domain.RunQuery, page domain.RunPage, now time.Time) (domain.RunPage, error)
	RunChoices(ctx context.Context, fedID, personID int64) (domain.RunChoices, error)

	InsertShare(ctx context.Context, v *domain.Share) error
	RevokeShare(ctx context.Context, v domain.Share) error
	ShareByHash(ctx context.Context, hash []byte) (domain.Share, error)
	Shares(ctx context.Context, runID int64) ([]domain.Share, error)

	AskedOf(ctx context.Context, parts []domain.RunPart) (map[int64][]domain.Exchange, error)
	CountPeople(ctx context.Context, runID int64) (domain.PeopleCount, error)
	RunPartitions(ctx context.Context, runID int64) ([]domain.RunParticipant, error)
	ParticipantPage(ctx context.Context, runID int64, after *domain.ParticipantPlace, n int) ([]domain.RunParticipant, error)
	SeesRun(ctx context.Context, runID, personID int64) (bool, error)
	RunsAsking(ctx context.Context, requestID int64, n int) ([]domain.RunPartOf, error)
	Part(ctx context.Context, fedID int64, nodeID uint64) (domain.Part, error)
	NewestContributions(ctx context.Context, fedID int64, nodeID uint64, n int) ([]domain.Contribution, error)
	InsertAppExit(ctx context.Context, e domain.AppExit) (bool, error)
	AuditEntries(ctx context.Context, f domain.AuditFilter) ([]domain.AuditEntry, error)
}

// Store runs transactions.
type Store interface {
	InTx(ctx context.Context, fn func(Tx) error) error
	View(ctx context.Context, fn func(Tx) error) error
}

// Options are the parts a [Service] works with.
type Options struct {
	Store  Store
	Engine drive.Engine
	Stray  func(ctx context.Context, fedID int64, e domain.EngineRun) (bool, error) // see [drive.Options]
	// EngineChosen is called after a federation's choice of an engine may have changed; may be nil.
	EngineChosen func(fedID int64)

	Noticed func() // see [drive.Options]

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

// Service is what can be done with runs. Its methods are safe for concurrent use.
type Service struct {
	Options
	*watch.Reader
	*artifacts.Files

	follower *watch.Follower
	driver   *drive.Driver
	receipts *receipts.Maker
	reporter report.Reporter
	waits    waits
}

// New returns a Service; [Service.Run] must run for anything queued to start.
func New(o Options) *Service {
	s := &Service{Options: o, reporter: report.Reporter{Events: o.Events, Clock: o.Clock}, waits: newWaits()}
	s.follower = watch.NewFollower(watch.Options{Store: part[watch.Tx]{o.Store, func(tx Tx) watch.Tx { return tx }},
		Reporter: s.reporter, Clock: o.Clock, Logger: o.Logger, LogFile: o.Engine.LogFile})
	s.Reader = watch.NewReader(s.follower)
	s.Files = artifacts.New(artifacts.Options{Store: part[artifacts.Tx]{o.Store, func(tx Tx) artifacts.Tx { return tx }},
		Reporter: s.reporter, Clock: o.Clock, Logger: o.Logger, WorkDir: o.Engine.WorkDir})
	s.receipts = receipts.New(receipts.Options{Store: part[receipts.Tx]{o.Store, func(tx Tx) receipts.Tx { return tx }},
		Reporter: s.reporter, Clock: o.Clock, Logger: o.Logger, Files: s.Files, Reader: s.Reader, LogFile: o.Engine.LogFile,
		Signer: o.Receipts, Requirements: o.Requirements, Flwr: o.Flwr, Version: o.Version})
	s.driver = drive.New(drive.Options{Store: part[drive.Tx]{o.Store, func(tx Tx) drive.Tx { return tx }},
		Engine: o.Engine, Stray: o.Stray, Follower: s.follower, Reporter: s.reporter, Clock: o.Clock, Logger: o.Logger,
		Flwr: o.Flwr, MaxDisk: o.MaxDisk, Contained: o.Contained, AppUID: o.AppUID, Ended: s.receipts.Due,
		Noticed: o.Noticed})
	return s
}

// part is the store as one of the packages below needs it.
type part[T any] struct {
	store Store
	of    func(Tx) T
}

func (p part[T]) InTx(ctx context.Context, fn func(T) error) error {
	return p.store.InTx(ctx, func(tx Tx) error { return fn(p.of(tx)) })
}

func (p part[T]) View(ctx context.Context, fn func(T) error) error {
	return p.store.View(ctx, func(tx Tx) error { return fn(p.of(tx)) })
}

// Run drives all federations, makes receipts, and removes old files and deleted runs, until ctx ends, whose error it returns.
func (s *Service) Run(ctx context.Context) error {
	var jobs sync.WaitGroup
	jobs.Go(func() { safely.Keep(ctx, s.Logger, "receipts", func() { s.receipts.Keep(ctx) }) })
	jobs.Go(func() { safely.Keep(ctx, s.Logger, "sweeping", func() { s.Files.Keep(ctx) }) })
	jobs.Go(func() { safely.Keep(ctx, s.Logger, "removing deleted runs", func() { s.keepPurging(ctx) }) })
	s.driver.Run(ctx)
	jobs.Wait()
	s.follower.Close()
	return ctx.Err()
}

// Wake makes the federation's driver look at once; call it when its engine has changed.
func (s *Service) Wake(fedID int64) { s.driver.Wake(fedID) }

// Stop is [drive.Driver.Stop].
func (s *Service) Stop(ctx context.Context, actor domain.Actor, id int64) (domain.Run, error) {
	return s.driver.Stop(ctx, actor, id)
}

// Requeue is [drive.Driver.Requeue].
func (s *Service) Requeue(ctx context.Context, actor domain.Actor, id int64) (domain.Run, error) {
	return s.driver.Requeue(ctx, actor, id)
}

// EndRestored is [drive.Driver.EndRestored].
func (s *Service) EndRestored(ctx context.Context, made time.Time) (int, error) {
	return s.driver.EndRestored(ctx, made)
}

// Observed takes note that metrics or exchanges of the federation's runs have reached the database.
func (s *Service) Observed(fedID int64) { s.follower.Observed(fedID) }

// MakeReceipts makes the receipts of all runs that have ended, also of those that ended just now.
func (s *Service) MakeReceipts(ctx context.Context) error { return s.receipts.Make(ctx, s.Clock()) }

// Receipt is [receipts.Maker.Receipt].
func (s *Service) Receipt(ctx context.Context, run domain.Run) ([]byte, error) {
	return s.receipts.Receipt(ctx, run)
}

// ReceiptSize is [receipts.Maker.ReceiptSize].
func (s *Service) ReceiptSize(ctx context.Context, run domain.Run) (size int64, keyID string, err error) {
	return s.receipts.ReceiptSize(ctx, run)
}

// AppFailures sums up how ClientApps failed in a run, by SuperNode and cause.
func (s *Service) AppFailures(ctx context.Context, run domain.Run) ([]AppFailure, error) {
	return s.driver.AppFailures(ctx, run)
}

// RunTopic is the topic of one run's events. Kinds: "state", "round", "metric", "log", "participants", [LinkEnded].
func RunTopic(id int64) string { return report.RunTopic(id) }

// FederationTopic is the topic of the events of all runs of a federation. Kinds: "state", "round".
func FederationTopic(fedID int64) string { return report.FederationTopic(fedID) }

// Package receipts makes the signed receipt of each run that has ended: it collects what is signed, and keeps the result.
//
// What a receipt is, and how it is signed and checked, is in package receipt. This package reads runs and changes none.
package receipts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/receipt"
	"blossomtune/internal/runs/artifacts"
	"blossomtune/internal/runs/report"
	"blossomtune/internal/runs/watch"
	"blossomtune/internal/safely"
)

const (
	receiptsLook = 30 * time.Second // without being told of an end
	mostReplies  = 50_000           // listed in a receipt; the digest is over all
	mostMetrics  = 50_000

	receiptsAtOnce = 20
	receiptSettles = 3 * time.Second // after a run's end, until what was seen of its last messages is stored
	receiptsAgain  = 5 * time.Minute // after a failure
)

// Tx is what the package needs of a transaction.
type Tx interface {
	RunsWithoutReceipt(ctx context.Context, endedBy time.Time, n int) ([]domain.Run, error)
	EachExchange(ctx context.Context, fedID int64, engineRunID uint64, take func(domain.Exchange) error) error
	InsertReceipt(ctx context.Context, runID int64, envelope []byte, at time.Time) error
	Receipt(ctx context.Context, runID int64) ([]byte, error)
	ReceiptSize(ctx context.Context, runID int64) (int64, error)
	FederationByID(ctx context.Context, id int64) (domain.Federation, error)
	AppVersionByHash(ctx context.Context, hash string, withFAB bool) (domain.AppVersion, error)
	RunParticipants(ctx context.Context, runID int64) ([]domain.RunParticipant, error)
	NodeKeys(ctx context.Context, fedID int64) ([]domain.NodeKey, error)
	InsertAudit(ctx context.Context, e domain.AuditEntry) error
}

// Store runs transactions.
type Store interface {
	InTx(ctx context.Context, fn func(Tx) error) error
	View(ctx context.Context, fn func(Tx) error) error
}

// Options are the parts that a [Maker] works with.
type Options struct {
	Store    Store
	Reporter report.Reporter
	Clock    domain.Clock
	Logger   *slog.Logger
	Files    *artifacts.Files
	Reader   *watch.Reader
	LogFile  func(fedID int64, engineRunID uint64) string // of a run's ServerApp

	Signer       *receipt.Signer // nil: none are made
	Requirements []byte          // the lock of the Python environment
	Flwr         string          // the version of Flower that is installed
	Version      string          // of the server
}

// Maker makes receipts. Its methods are safe for concurrent use.
type Maker struct {
	Options

	ended  chan struct{}       // a run has ended: its receipt is due
	mu     sync.Mutex          // one makes receipts at a time
	failed map[int64]time.Time // by run: when its receipt is tried again; guarded by mu
}

// New returns a Maker; [Maker.Keep] must run for receipts to be made.
func New(o Options) *Maker {
	return &Maker{Options: o, ended: make(chan struct{}, 1), failed: map[int64]time.Time{}}
}

// Due says that a run has ended.
func (s *Maker) Due() {
	select {
	case s.ended <- struct{}{}:
	default: // somebody looks already
	}
}

// Keep gives every run that has ended its receipt, also those that ended when the server was killed, until ctx ends.
func (s *Maker) Keep(ctx context.Context) {
	if s.Signer == nil {
		return
	}
	tick := time.NewTicker(receiptsLook)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := s.Make(ctx, s.Clock().Add(-receiptSettles)); err != nil && ctx.Err() == nil {
			s.Logger.Error("making receipts", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-s.ended:
			settle(ctx)
		case <-tick.C:
		}
	}
}

// settle waits until what was seen of the run's last messages is stored, and the agents have reported their ledgers.
func settle(ctx context.Context) {
	timer := time.NewTimer(receiptSettles)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// Make makes the receipts of the runs that have ended by a time.
func (s *Maker) Make(ctx context.Context, endedBy time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if n, err := s.receiptsStep(ctx, endedBy); n == 0 || err != nil {
			return err
		}
	}
}

// receiptsStep makes some of the receipts that are due. One that cannot be made holds up no other: it is tried again later.
func (s *Maker) receiptsStep(ctx context.Context, endedBy time.Time) (made int, err error) {
	var due []domain.Run
	if err := s.Store.View(ctx, func(tx Tx) (err error) {
		due, err = tx.RunsWithoutReceipt(ctx, endedBy, receiptsAtOnce+len(s.failed))
		return err
	}); err != nil {
		return 0, err
	}
	for _, run := range due {
		if s.Clock().Before(s.failed[run.ID]) {
			continue
		}
		err := safely.Do(s.Logger, "making a receipt", func() error { return s.makeReceipt(ctx, run) })
		if ctx.Err() != nil {
			return made, ctx.Err()
		}
		if err != nil {
			s.Logger.Error("making a receipt", "run", run.Name, "err", err, "again_in", receiptsAgain)
			s.failed[run.ID] = s.Clock().Add(receiptsAgain)
			continue
		}
		delete(s.failed, run.ID)
		made++
	}
	return made, nil
}

func (s *Maker) makeReceipt(ctx context.Context, run domain.Run) error {
	st, err := s.statement(ctx, run)
	if err != nil {
		return err
	}
	envelope, err := s.Signer.Sign(st)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(envelope)
	err = s.Store.InTx(ctx, func(tx Tx) error {
		if err := tx.InsertReceipt(ctx, run.ID, envelope, s.Clock().UTC()); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, s.Reporter.Entry(domain.System, run, "run.receipt",
			map[string]string{"key": s.Signer.KeyID(), "sha256": hex.EncodeToString(sum[:])}))
	})
	if err == nil {
		s.Reporter.Publish(run, "state")
	}
	return err
}

// Receipt returns a run's receipt as it is given out. Until it is made it is a [domain.NotFound] error.
func (s *Maker) Receipt(ctx context.Context, run domain.Run) (envelope []byte, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { envelope, err = tx.Receipt(ctx, run.ID); return err })
	if domain.CodeOf(err) == domain.NotFound {
		err = domain.Errorf(domain.NotFound, "%s has no receipt yet.", run.Name).Fix("It is made when the run has ended.").Because(err)
	}
	return envelope, err
}

// ReceiptSize returns how large a run's receipt is in bytes, and the id of the key that signs receipts now; 0 until it is made.
func (s *Maker) ReceiptSize(ctx context.Context, run domain.Run) (size int64, keyID string, err error) {
	if s.Signer == nil || !run.State.Ended() {
		return 0, "", nil
	}
	err = s.Store.View(ctx, func(tx Tx) (err error) { size, err = tx.ReceiptSize(ctx, run.ID); return err })
	if domain.CodeOf(err) == domain.NotFound {
		err = nil
	}
	return size, s.Signer.KeyID(), err
}

func (s *Maker) statement(ctx context.Context, run domain.Run) (receipt.Statement, error) {
	lock := sha256.Sum256(s.Requirements)
	p := receipt.Run{Run: run.Name, State: string(run.State), Outcome: string(run.Outcome()), QueuedAt: run.CreatedAt, EndedAt: run.EndedAt,
		App: receipt.App{ID: run.AppID, Version: run.AppVersion, SHA256: run.AppHash},
		Lock: receipt.Lock{Flwr: s.Flwr, RequirementsSHA256: hex.EncodeToString(lock[:]),
			InstallDependencies: run.Settings.InstallDependencies},
		Settings: run.Settings, Partitions: run.TotalPartitions, LeftOut: map[string]string{}, Server: s.Version, MadeAt: s.Clock().UTC()}
	if run.State == domain.Failed || run.Outcome() == domain.NothingTrained {
		p.Cause = run.Cause.Message
	}
	if run.EngineRunID != 0 {
		p.EngineRunID = strconv.FormatUint(run.EngineRunID, 10)
	}
	if !run.StartingAt.IsZero() {
		p.StartedAt = &run.StartingAt
	}
	st := receipt.Statement{Subject: []receipt.Subject{subject("fab", run.AppHash)}}
	err := s.Store.View(ctx, func(tx Tx) error {
		fed, err := tx.FederationByID(ctx, run.FederationID)
		if err != nil {
			return err
		}
		app, err := tx.AppVersionByHash(ctx, run.AppHash, false)
		if err != nil {
			return err
		}
		p.Federation, p.Config = fed.Slug, domain.JSONConfig(watch.Curves{Run: run, App: app}.Config())
		return s.receiptReplies(ctx, tx, run, &p)
	})
	if err == nil {
		err = s.receiptMetrics(ctx, run, &p)
	}
	if err == nil {
		err = s.receiptFiles(ctx, run, &st, &p)
	}
	st.Predicate = p
	return st, err
}

func subject(name, sum string) receipt.Subject {
	return receipt.Subject{Name: name, Digest: map[string]string{"sha256": sum}}
}

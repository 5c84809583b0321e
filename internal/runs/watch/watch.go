// Package watch follows what runs measure and write: it reads the logs of runs that are in progress, stores the metrics and rounds
// that only a log has, sums metrics up, and answers what a run has measured.
//
// A [Follower] writes, a [Reader] reads. Neither changes the state of a run, which is for package drive, and neither says what a
// figure means for the run, which is for package diagnose.
package watch

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/logfile"
	"blossomtune/internal/runs/applog"
	"blossomtune/internal/runs/diagnose"
	"blossomtune/internal/runs/report"
)

// Tx is what the package needs of a transaction.
type Tx interface {
	RunByID(ctx context.Context, id int64) (domain.Run, error)
	UpdateRun(ctx context.Context, r domain.Run) error
	AppVersionByHash(ctx context.Context, hash string, withFAB bool) (domain.AppVersion, error)

	InsertMetrics(ctx context.Context, ms []domain.Metric) (int, error)
	NoteLogDropped(ctx context.Context, fedID int64, engineRunID uint64, n int) error
	RollUp(ctx context.Context, fedID int64, engineRunID uint64, again bool) (more bool, err error)
	RoundsAsked(ctx context.Context, fedID int64, engineRunID uint64, planned int) (int, error)

	readTx
}

// readTx is what a [Reader] needs.
type readTx interface {
	Metrics(ctx context.Context, fedID int64, engineRunID uint64, afterID int64, most int) ([]domain.Metric, error)
	MetricMeter(ctx context.Context, fedID int64, engineRunID uint64) (domain.MetricMeter, error)
	NodeMetrics(ctx context.Context, fedID int64, engineRunID uint64, node uint64, q domain.BandQuery) ([]domain.Metric, error)
	MetricNames(ctx context.Context, fedID int64, engineRunID uint64) ([]domain.MetricName, error)
	RankedNodes(ctx context.Context, fedID int64, engineRunID uint64, round int, phase domain.Phase, name string, highest bool,
		n int) ([]uint64, error)
	Bands(ctx context.Context, fedID int64, engineRunID uint64, q domain.BandQuery) ([]domain.Band, error)
	BandRounds(ctx context.Context, fedID int64, engineRunID uint64) (first, last int, err error)
	WholeMetrics(ctx context.Context, fedID int64, engineRunID uint64) ([]domain.Metric, error)
	MeanMetrics(ctx context.Context, fedID int64, engineRunID uint64) ([]domain.Metric, error)
	RepliedNodes(ctx context.Context, fedID int64, engineRunID uint64) ([]uint64, error)

	Passages(ctx context.Context, fedID int64, engineRunID uint64, round int) ([]domain.Passage, error)
	LastRound(ctx context.Context, fedID int64, engineRunID uint64) (int, error)
	ListRound(ctx context.Context, fedID int64, engineRunID uint64, of domain.MetricName, upto int) (round int, ok bool, err error)
	ListBands(ctx context.Context, fedID int64, engineRunID uint64, of domain.MetricName, round int) ([]domain.Band, error)
	ListOfNode(ctx context.Context, fedID int64, engineRunID uint64, node uint64, of domain.MetricName, round int) ([]domain.Metric, error)
	RankedLists(ctx context.Context, fedID int64, engineRunID uint64, round int, of domain.MetricName, highest bool, n int) ([]uint64, error)
	WaitingAmong(ctx context.Context, fedID int64, engineRunID uint64, round int, nodes []uint64) ([]uint64, error)
	RoundSpans(ctx context.Context, fedID int64, engineRunID uint64, from int) ([]domain.RoundSpan, error)
	SpansOf(ctx context.Context, parts []domain.RunPart) (map[int64][]domain.RoundSpan, error)
	NamesOf(ctx context.Context, parts []domain.RunPart) (map[int64][]domain.MetricName, error)
	BandsOf(ctx context.Context, parts []domain.RunPart) (map[int64][]domain.Band, error)
	RoundStarts(ctx context.Context, fedID int64, engineRunID uint64, rounds []int) (map[int]time.Time, error)
	Participation(ctx context.Context, fedID int64, engineRunID uint64, nodes []uint64, size, open int) (map[uint64]map[int]domain.Cell, error)
	Presences(ctx context.Context, fedID int64, nodes []uint64) (map[uint64][]domain.Presence, error)
	Traffic(ctx context.Context, fedID int64, engineRunID uint64) ([]domain.Traffic, error)
}

// Store runs transactions.
type Store interface {
	InTx(ctx context.Context, fn func(Tx) error) error
	View(ctx context.Context, fn func(Tx) error) error
}

// Options are the parts that the package works with.
type Options struct {
	Store    Store
	Reporter report.Reporter
	Clock    domain.Clock
	Logger   *slog.Logger
	LogFile  func(fedID int64, engineRunID uint64) string // the ServerApp's log
}

// Follower follows the logs of runs. Its methods are safe for concurrent use.
type Follower struct {
	Options

	mu      sync.Mutex
	tailers map[int64]*tailer
	logs    map[int64]*logfile.File

	rollers *rollers
}

// NewFollower returns a Follower; [Follower.Close] ends what it began.
func NewFollower(o Options) *Follower {
	return &Follower{Options: o, tailers: map[int64]*tailer{}, logs: map[int64]*logfile.File{}, rollers: newRollers()}
}

// Doing returns what a run's log says that it does, and what its app needs; nothing where the run is not followed.
func (s *Follower) Doing(run domain.Run) (applog.Doing, *diagnose.Needs) {
	s.mu.Lock()
	t := s.tailers[run.ID]
	s.mu.Unlock()
	if t == nil {
		return applog.Doing{}, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.doing, t.needs
}

// Log returns the run's log, kept with its index of lines. It may not exist yet.
func (s *Follower) Log(run domain.Run) *logfile.File {
	if run.EngineRunID == 0 {
		return logfile.New("")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.logs[run.ID]
	if !ok {
		if len(s.logs) > 200 {
			clear(s.logs) // the index is cheap to make again
		}
		f = logfile.New(s.LogFile(run.FederationID, run.EngineRunID))
		s.logs[run.ID] = f
	}
	return f
}

// Reader answers what runs have measured. Its methods are safe for concurrent use.
type Reader struct{ f *Follower }

// NewReader returns a Reader. Where metrics are not summed up yet that it is asked for, it has the Follower begin with that.
func NewReader(f *Follower) *Reader { return &Reader{f} }

// MaxLogLines is the most lines one call of [Reader.Log] returns.
const MaxLogLines = 5000

// LogFile returns the run's log, which may not exist yet.
func (s *Reader) LogFile(run domain.Run) *logfile.File { return s.f.Log(run) }

// Log returns up to limit lines of the ServerApp's log from line number from on (1 is the first; a negative one counts
// from the end, -1 being the last), and how many lines there are.
func (s *Reader) Log(_ context.Context, run domain.Run, from, limit int) ([]logfile.Line, int, error) {
	if run.EngineRunID == 0 {
		return nil, 0, nil
	}
	limit = min(max(limit, 1), MaxLogLines)
	file := s.f.Log(run)
	if from < 0 {
		total, err := file.Total()
		if err != nil {
			return nil, 0, err
		}
		from = max(total+1+from, 1)
	}
	return file.Lines(from, limit)
}

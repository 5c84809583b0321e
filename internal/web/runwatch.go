package web

import (
	"context"
	"io"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs"
)

// Watching is what a run's page shows of its metrics, rounds and SuperNodes: always a window of it.
type Watching interface {
	Metrics(ctx context.Context, run domain.Run, afterID int64, most int) ([]domain.Metric, error)
	WriteCSV(ctx context.Context, run domain.Run, labels map[string]string, to io.Writer) error
	WriteJSON(ctx context.Context, run domain.Run, labels map[string]string, to io.Writer) error
	MetricMeter(ctx context.Context, run domain.Run) (domain.MetricMeter, error)
	MetricNames(ctx context.Context, run domain.Run) ([]domain.MetricName, error)
	Bands(ctx context.Context, run domain.Run, q domain.BandQuery) ([]domain.Band, error)
	BandRounds(ctx context.Context, run domain.Run) (first, last int, err error)
	NodeMetrics(ctx context.Context, run domain.Run, node uint64, q domain.BandQuery) ([]domain.Metric, error)
	RankedNodes(ctx context.Context, run domain.Run, round int, phase domain.Phase, name string, highest bool, n int) ([]uint64, error)
	ListBands(ctx context.Context, run domain.Run, of domain.MetricName, upto int) (round int, bands []domain.Band, err error)
	ListOfNode(ctx context.Context, run domain.Run, node uint64, of domain.MetricName, round int) ([]domain.Metric, error)
	RankedLists(ctx context.Context, run domain.Run, round int, of domain.MetricName, highest bool, n int) ([]uint64, error)

	Passages(ctx context.Context, run domain.Run, round int) ([]domain.Passage, error)
	LastRound(ctx context.Context, run domain.Run) (int, error)
	WaitingAmong(ctx context.Context, run domain.Run, nodes []uint64) ([]uint64, error)
	RoundStarts(ctx context.Context, run domain.Run, rounds []int) (map[int]time.Time, error)
	RoundSpans(ctx context.Context, run domain.Run, from int) ([]domain.RoundSpan, error)
	Participation(ctx context.Context, run domain.Run, nodes []uint64, size, open int) (map[uint64]map[int]domain.Cell, error)
	Presences(ctx context.Context, run domain.Run, nodes []uint64) (map[uint64][]domain.Presence, error)
	Traffic(ctx context.Context, run domain.Run) ([]domain.Traffic, error)
	Pace(ctx context.Context, run domain.Run) (runs.Pace, error)
}

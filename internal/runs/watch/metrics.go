package watch

import (
	"context"
	"time"

	"blossomtune/internal/domain"
)

// look reads what there is of a run at the engine; a run that has not come there has nothing.
func look[T any](ctx context.Context, s *Reader, run domain.Run, read func(Tx) (T, error)) (out T, err error) {
	if run.EngineRunID == 0 {
		return out, nil
	}
	err = s.f.Store.View(ctx, func(tx Tx) (err error) { out, err = read(tx); return err })
	return out, err
}

// Metrics returns a run's metrics in the order of their arrival, those after a given id only; at most most of them, or all with 0.
func (s *Reader) Metrics(ctx context.Context, run domain.Run, afterID int64, most int) ([]domain.Metric, error) {
	return look(ctx, s, run, func(tx Tx) ([]domain.Metric, error) {
		return tx.Metrics(ctx, run.FederationID, run.EngineRunID, afterID, most)
	})
}

// MetricMeter tells how many metrics of a run are kept, and how many the limits left out.
func (s *Reader) MetricMeter(ctx context.Context, run domain.Run) (domain.MetricMeter, error) {
	return look(ctx, s, run, func(tx Tx) (domain.MetricMeter, error) {
		return tx.MetricMeter(ctx, run.FederationID, run.EngineRunID)
	})
}

// MetricNames returns which metrics a run has, as far as they are summed up; where more have come, that is begun.
func (s *Reader) MetricNames(ctx context.Context, run domain.Run) ([]domain.MetricName, error) {
	m, err := s.MetricMeter(ctx, run)
	if err != nil {
		return nil, err
	}
	if m.Newest != m.Rolled {
		s.f.rollSoon(run)
	}
	return look(ctx, s, run, func(tx Tx) ([]domain.MetricName, error) {
		return tx.MetricNames(ctx, run.FederationID, run.EngineRunID)
	})
}

// Bands returns what one of a run's metrics comes to over all SuperNodes.
func (s *Reader) Bands(ctx context.Context, run domain.Run, q domain.BandQuery) ([]domain.Band, error) {
	return look(ctx, s, run, func(tx Tx) ([]domain.Band, error) { return tx.Bands(ctx, run.FederationID, run.EngineRunID, q) })
}

// BandRounds returns the first and the last round of a run that has metrics.
func (s *Reader) BandRounds(ctx context.Context, run domain.Run) (first, last int, err error) {
	rounds, err := look(ctx, s, run, func(tx Tx) ([2]int, error) {
		first, last, err := tx.BandRounds(ctx, run.FederationID, run.EngineRunID)
		return [2]int{first, last}, err
	})
	return rounds[0], rounds[1], err
}

// NodeMetrics returns what one SuperNode sent of a metric.
func (s *Reader) NodeMetrics(ctx context.Context, run domain.Run, node uint64, q domain.BandQuery) ([]domain.Metric, error) {
	return look(ctx, s, run, func(tx Tx) ([]domain.Metric, error) {
		return tx.NodeMetrics(ctx, run.FederationID, run.EngineRunID, node, q)
	})
}

// RankedNodes returns the SuperNodes with the lowest or highest values of a metric in a round.
func (s *Reader) RankedNodes(ctx context.Context, run domain.Run, round int, phase domain.Phase, name string, highest bool,
	n int) ([]uint64, error) {
	return look(ctx, s, run, func(tx Tx) ([]uint64, error) {
		return tx.RankedNodes(ctx, run.FederationID, run.EngineRunID, round, phase, name, highest, n)
	})
}

// Passages returns what was asked of which SuperNode in one round of a run, and how it went.
func (s *Reader) Passages(ctx context.Context, run domain.Run, round int) ([]domain.Passage, error) {
	return look(ctx, s, run, func(tx Tx) ([]domain.Passage, error) {
		return tx.Passages(ctx, run.FederationID, run.EngineRunID, round)
	})
}

// LastRound returns the newest round in which somebody was asked; 0 before the first.
func (s *Reader) LastRound(ctx context.Context, run domain.Run) (int, error) {
	return look(ctx, s, run, func(tx Tx) (int, error) { return tx.LastRound(ctx, run.FederationID, run.EngineRunID) })
}

// WaitingAmong returns which of some SuperNodes were asked in a run's newest round and have not replied.
func (s *Reader) WaitingAmong(ctx context.Context, run domain.Run, nodes []uint64) ([]uint64, error) {
	return look(ctx, s, run, func(tx Tx) ([]uint64, error) {
		last, err := tx.LastRound(ctx, run.FederationID, run.EngineRunID)
		if err != nil {
			return nil, err
		}
		return tx.WaitingAmong(ctx, run.FederationID, run.EngineRunID, last, nodes)
	})
}

// Traffic returns what went to and from each SuperNode because of a run.
func (s *Reader) Traffic(ctx context.Context, run domain.Run) ([]domain.Traffic, error) {
	return look(ctx, s, run, func(tx Tx) ([]domain.Traffic, error) { return tx.Traffic(ctx, run.FederationID, run.EngineRunID) })
}

// Participation tells what happened to some SuperNodes in the rounds of a run, in bins of size rounds. Rounds before open are over.
func (s *Reader) Participation(ctx context.Context, run domain.Run, nodes []uint64, size, open int) (map[uint64]map[int]domain.Cell,
	error) {
	return look(ctx, s, run, func(tx Tx) (map[uint64]map[int]domain.Cell, error) {
		return tx.Participation(ctx, run.FederationID, run.EngineRunID, nodes, size, open)
	})
}

// Presences returns when some SuperNodes of a run's federation came and went.
func (s *Reader) Presences(ctx context.Context, run domain.Run, nodes []uint64) (map[uint64][]domain.Presence, error) {
	return look(ctx, s, run, func(tx Tx) (map[uint64][]domain.Presence, error) { return tx.Presences(ctx, run.FederationID, nodes) })
}

// RoundStarts returns when some rounds of a run began; those that have not are missing.
func (s *Reader) RoundStarts(ctx context.Context, run domain.Run, rounds []int) (map[int]time.Time, error) {
	return look(ctx, s, run, func(tx Tx) (map[int]time.Time, error) {
		return tx.RoundStarts(ctx, run.FederationID, run.EngineRunID, rounds)
	})
}

// RoundSpans returns when the rounds of a run from one on began.
func (s *Reader) RoundSpans(ctx context.Context, run domain.Run, from int) ([]domain.RoundSpan, error) {
	return look(ctx, s, run, func(tx Tx) ([]domain.RoundSpan, error) {
		return tx.RoundSpans(ctx, run.FederationID, run.EngineRunID, from)
	})
}

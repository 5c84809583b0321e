package runs

import (
	"context"
	"slices"
	"time"

	"blossomtune/internal/domain"
)

// watchTx is what a transaction tells of a run's metrics and rounds.
type watchTx interface {
	Metrics(ctx context.Context, fedID int64, engineRunID uint64, afterID int64, most int) ([]domain.Metric, error)
	MetricMeter(ctx context.Context, fedID int64, engineRunID uint64) (domain.MetricMeter, error)
	NoteLogDropped(ctx context.Context, fedID int64, engineRunID uint64, n int) error
	NodeMetrics(ctx context.Context, fedID int64, engineRunID uint64, node uint64, q domain.BandQuery) ([]domain.Metric, error)
	MetricNames(ctx context.Context, fedID int64, engineRunID uint64) ([]domain.MetricName, error)
	RankedNodes(ctx context.Context, fedID int64, engineRunID uint64, round int, phase domain.Phase, name string, highest bool, n int) ([]uint64, error)
	RollUp(ctx context.Context, fedID int64, engineRunID uint64, again bool) (more bool, err error)
	Bands(ctx context.Context, fedID int64, engineRunID uint64, q domain.BandQuery) ([]domain.Band, error)
	BandRounds(ctx context.Context, fedID int64, engineRunID uint64) (first, last int, err error)

	AnyExchange(ctx context.Context, fedID int64, engineRunID uint64) (bool, error)
	Passages(ctx context.Context, fedID int64, engineRunID uint64, round int) ([]domain.Passage, error)
	LastRound(ctx context.Context, fedID int64, engineRunID uint64) (int, error)
	RoundsAsked(ctx context.Context, fedID int64, engineRunID uint64, planned int) (int, error)
	ListRound(ctx context.Context, fedID int64, engineRunID uint64, of domain.MetricName, upto int) (round int, ok bool, err error)
	ListBands(ctx context.Context, fedID int64, engineRunID uint64, of domain.MetricName, round int) ([]domain.Band, error)
	ListOfNode(ctx context.Context, fedID int64, engineRunID uint64, node uint64, of domain.MetricName, round int) ([]domain.Metric, error)
	RankedLists(ctx context.Context, fedID int64, engineRunID uint64, round int, of domain.MetricName, highest bool, n int) ([]uint64, error)
	WaitingAmong(ctx context.Context, fedID int64, engineRunID uint64, round int, nodes []uint64) ([]uint64, error)
	RoundSpans(ctx context.Context, fedID int64, engineRunID uint64, from int) ([]domain.RoundSpan, error)
	SpansOf(ctx context.Context, parts []domain.RunPart) (map[int64][]domain.RoundSpan, error)
	NamesOf(ctx context.Context, parts []domain.RunPart) (map[int64][]domain.MetricName, error)
	AskedOf(ctx context.Context, parts []domain.RunPart) (map[int64][]domain.Exchange, error)
	BandsOf(ctx context.Context, parts []domain.RunPart) (map[int64][]domain.Band, error)
	RoundStarts(ctx context.Context, fedID int64, engineRunID uint64, rounds []int) (map[int]time.Time, error)
	Participation(ctx context.Context, fedID int64, engineRunID uint64, nodes []uint64, size, open int) (map[uint64]map[int]domain.Cell, error)
	Presences(ctx context.Context, fedID int64, nodes []uint64) (map[uint64][]domain.Presence, error)
	Traffic(ctx context.Context, fedID int64, engineRunID uint64) ([]domain.Traffic, error)
}

// look reads what there is of a run at the engine; a run that has not come there has nothing.
func look[T any](ctx context.Context, s *Service, run domain.Run, read func(Tx) (T, error)) (out T, err error) {
	if run.EngineRunID == 0 {
		return out, nil
	}
	err = s.Store.View(ctx, func(tx Tx) (err error) { out, err = read(tx); return err })
	return out, err
}

// Metrics returns a run's metrics in the order of their arrival, those after a given id only; at most most of them, or all with 0.
func (s *Service) Metrics(ctx context.Context, run domain.Run, afterID int64, most int) ([]domain.Metric, error) {
	return look(ctx, s, run, func(tx Tx) ([]domain.Metric, error) {
		return tx.Metrics(ctx, run.FederationID, run.EngineRunID, afterID, most)
	})
}

// MetricMeter tells how many metrics of a run are kept, and how many the limits left out.
func (s *Service) MetricMeter(ctx context.Context, run domain.Run) (domain.MetricMeter, error) {
	return look(ctx, s, run, func(tx Tx) (domain.MetricMeter, error) {
		return tx.MetricMeter(ctx, run.FederationID, run.EngineRunID)
	})
}

// MetricNames returns which metrics a run has, as far as they are summed up; where more have come, that is begun.
func (s *Service) MetricNames(ctx context.Context, run domain.Run) ([]domain.MetricName, error) {
	m, err := s.MetricMeter(ctx, run)
	if err != nil {
		return nil, err
	}
	if m.Newest != m.Rolled {
		s.rollSoon(run)
	}
	return look(ctx, s, run, func(tx Tx) ([]domain.MetricName, error) {
		return tx.MetricNames(ctx, run.FederationID, run.EngineRunID)
	})
}

// Bands returns what one of a run's metrics comes to over all SuperNodes.
func (s *Service) Bands(ctx context.Context, run domain.Run, q domain.BandQuery) ([]domain.Band, error) {
	return look(ctx, s, run, func(tx Tx) ([]domain.Band, error) { return tx.Bands(ctx, run.FederationID, run.EngineRunID, q) })
}

// BandRounds returns the first and the last round of a run that has metrics.
func (s *Service) BandRounds(ctx context.Context, run domain.Run) (first, last int, err error) {
	rounds, err := look(ctx, s, run, func(tx Tx) ([2]int, error) {
		first, last, err := tx.BandRounds(ctx, run.FederationID, run.EngineRunID)
		return [2]int{first, last}, err
	})
	return rounds[0], rounds[1], err
}

// NodeMetrics returns what one SuperNode sent of a metric.
func (s *Service) NodeMetrics(ctx context.Context, run domain.Run, node uint64, q domain.BandQuery) ([]domain.Metric, error) {
	return look(ctx, s, run, func(tx Tx) ([]domain.Metric, error) {
		return tx.NodeMetrics(ctx, run.FederationID, run.EngineRunID, node, q)
	})
}

// RankedNodes returns the SuperNodes with the lowest or highest values of a metric in a round.
func (s *Service) RankedNodes(ctx context.Context, run domain.Run, round int, phase domain.Phase, name string, highest bool, n int) ([]uint64, error) {
	return look(ctx, s, run, func(tx Tx) ([]uint64, error) {
		return tx.RankedNodes(ctx, run.FederationID, run.EngineRunID, round, phase, name, highest, n)
	})
}

// Passages returns what was asked of which SuperNode in one round of a run, and how it went.
func (s *Service) Passages(ctx context.Context, run domain.Run, round int) ([]domain.Passage, error) {
	return look(ctx, s, run, func(tx Tx) ([]domain.Passage, error) {
		return tx.Passages(ctx, run.FederationID, run.EngineRunID, round)
	})
}

// LastRound returns the newest round in which somebody was asked; 0 before the first.
func (s *Service) LastRound(ctx context.Context, run domain.Run) (int, error) {
	return look(ctx, s, run, func(tx Tx) (int, error) { return tx.LastRound(ctx, run.FederationID, run.EngineRunID) })
}

// WaitingAmong returns which of some SuperNodes were asked in a run's newest round and have not replied.
func (s *Service) WaitingAmong(ctx context.Context, run domain.Run, nodes []uint64) ([]uint64, error) {
	return look(ctx, s, run, func(tx Tx) ([]uint64, error) {
		last, err := tx.LastRound(ctx, run.FederationID, run.EngineRunID)
		if err != nil {
			return nil, err
		}
		return tx.WaitingAmong(ctx, run.FederationID, run.EngineRunID, last, nodes)
	})
}

// Traffic returns what went to and from each SuperNode because of a run.
func (s *Service) Traffic(ctx context.Context, run domain.Run) ([]domain.Traffic, error) {
	return look(ctx, s, run, func(tx Tx) ([]domain.Traffic, error) { return tx.Traffic(ctx, run.FederationID, run.EngineRunID) })
}

// Participation tells what happened to some SuperNodes in the rounds of a run, in bins of size rounds. Rounds before open are over.
func (s *Service) Participation(ctx context.Context, run domain.Run, nodes []uint64, size, open int) (map[uint64]map[int]domain.Cell, error) {
	return look(ctx, s, run, func(tx Tx) (map[uint64]map[int]domain.Cell, error) {
		return tx.Participation(ctx, run.FederationID, run.EngineRunID, nodes, size, open)
	})
}

// Presences returns when some SuperNodes of a run's federation came and went.
func (s *Service) Presences(ctx context.Context, run domain.Run, nodes []uint64) (map[uint64][]domain.Presence, error) {
	return look(ctx, s, run, func(tx Tx) (map[uint64][]domain.Presence, error) { return tx.Presences(ctx, run.FederationID, nodes) })
}

// RoundStarts returns when some rounds of a run began; those that have not are missing.
func (s *Service) RoundStarts(ctx context.Context, run domain.Run, rounds []int) (map[int]time.Time, error) {
	return look(ctx, s, run, func(tx Tx) (map[int]time.Time, error) {
		return tx.RoundStarts(ctx, run.FederationID, run.EngineRunID, rounds)
	})
}

// RoundSpans returns when the rounds of a run from one on began.
func (s *Service) RoundSpans(ctx context.Context, run domain.Run, from int) ([]domain.RoundSpan, error) {
	return look(ctx, s, run, func(tx Tx) ([]domain.RoundSpan, error) {
		return tx.RoundSpans(ctx, run.FederationID, run.EngineRunID, from)
	})
}

// Pace is how a running run comes along.
type Pace struct {
	Left time.Duration // until it has done all its rounds; 0 while that cannot be told
	Slow bool          // the round takes longer than the ones before let expect
}

const (
	paceRounds = 5 // rounds that a pace is taken from
	slowFactor = 2 // a round that takes this many times the median is slow
)

// Pace estimates from the last rounds how long a run will still take. It can tell from the second round on, where the number of
// rounds is known.
func (s *Service) Pace(ctx context.Context, run domain.Run) (Pace, error) {
	if !paced(run) {
		return Pace{}, nil
	}
	spans, err := s.RoundSpans(ctx, run, paceFrom(run))
	return paceOf(spans, run.Rounds, s.Clock()), err
}

func paced(run domain.Run) bool   { return run.State == domain.Running && run.Round >= 2 }
func paceFrom(run domain.Run) int { return max(run.Round-paceRounds, 1) }

func paceOf(spans []domain.RoundSpan, rounds int, now time.Time) Pace {
	var took []time.Duration
	for i := 1; i < len(spans); i++ {
		if spans[i].Round == spans[i-1].Round+1 {
			took = append(took, spans[i].FirstAsk.Sub(spans[i-1].FirstAsk))
		}
	}
	if len(took) == 0 {
		return Pace{}
	}
	took = took[max(len(took)-paceRounds, 0):]
	slices.Sort(took)
	usual := took[len(took)/2]
	if len(took)%2 == 0 {
		usual = (took[len(took)/2-1] + usual) / 2
	}
	last := spans[len(spans)-1]
	so := now.Sub(last.FirstAsk)
	p := Pace{Slow: so > slowFactor*usual && so > time.Second}
	if left := rounds - last.Round + 1; left > 0 {
		p.Left = max(time.Duration(left)*usual-min(so, usual), time.Second)
	}
	return p
}

package runs

import (
	"context"
	"slices"
	"strings"

	"blossomtune/internal/domain"
)

// Trend is the way of a run's main metric over its last rounds.
type Trend struct {
	domain.MetricName // empty without one
	Points            []TrendPoint
}

// TrendPoint is a round's value for the whole federation: the app's own where it tells one, else our mean, else the median.
type TrendPoint struct {
	Round int
	Value float64
}

// trendRounds is how many rounds a trend goes back.
const trendRounds = 40

// Progress is how a run that goes on comes along.
type Progress struct {
	Wait  Wait
	Pace  Pace
	Trend Trend
}

// Progress says how runs come along, in their order. What several runs need is read once.
func (s *Service) Progress(ctx context.Context, all []domain.Run) ([]Progress, error) {
	out := make([]Progress, len(all))
	err := s.Store.View(ctx, func(tx Tx) error {
		known, err := tx.Federations(ctx)
		if err != nil {
			return err
		}
		feds := make(map[int64]domain.Federation, len(known))
		for _, f := range known {
			feds[f.ID] = f
		}
		var ids []int64
		for _, r := range all {
			ids = append(ids, r.FederationID)
		}
		keys, err := tx.GoodKeys(ctx, ids)
		if err != nil {
			return err
		}
		for i, r := range all {
			if out[i], err = s.progress(ctx, tx, r, feds[r.FederationID], keys[r.FederationID]); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

func (s *Service) progress(ctx context.Context, tx Tx, run domain.Run, fed domain.Federation, keys []domain.NodeKey) (p Progress, err error) {
	if !run.State.Ended() && !run.StopAsked {
		x, err := s.situationIn(ctx, tx, run, fed, slices.Clone(keys))
		if err != nil {
			return p, err
		}
		p.Wait = x.wait()
	}
	if paced(run) {
		spans, err := tx.RoundSpans(ctx, run.FederationID, run.EngineRunID, paceFrom(run))
		if err != nil {
			return p, err
		}
		p.Pace = paceOf(spans, run.Rounds, s.Clock())
	}
	if run.EngineRunID != 0 {
		p.Trend, err = trendOf(ctx, tx, run)
	}
	return p, err
}

// trendOf is how a run's main metric comes along. Which that is: of what the ServerApp itself evaluates, else of the
// participants' evaluation, else of training, an accuracy, else a loss, else the first by name.
func trendOf(ctx context.Context, tx Tx, run domain.Run) (t Trend, err error) {
	names, err := tx.MetricNames(ctx, run.FederationID, run.EngineRunID)
	if err != nil {
		return t, err
	}
	name, known := mainMetric(names)
	if !known {
		return t, nil
	}
	t.MetricName = name
	bands, err := tx.Bands(ctx, run.FederationID, run.EngineRunID, domain.BandQuery{MetricName: name, From: max(run.Round-trendRounds, 0)})
	for _, b := range bands {
		for _, v := range []*float64{b.Whole, b.Weighted, b.Median} {
			if v != nil {
				t.Points = append(t.Points, TrendPoint{b.Round, *v})
				break
			}
		}
	}
	return t, err
}

func mainMetric(names []domain.MetricName) (domain.MetricName, bool) {
	names = slices.DeleteFunc(slices.Clone(names), func(n domain.MetricName) bool { return domain.IsExamples(n.Name) })
	if len(names) == 0 {
		return domain.MetricName{}, false
	}
	slices.SortStableFunc(names, func(a, b domain.MetricName) int { return domain.ComparePhases(a.Phase, b.Phase) })
	phase := names[0].Phase
	for _, like := range []string{"acc", "loss"} {
		for _, n := range names {
			if n.Phase == phase && strings.Contains(strings.ToLower(n.Name), like) {
				return n, true
			}
		}
	}
	return names[0], true
}

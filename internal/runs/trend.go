package runs

import (
	"context"
	"slices"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs/diagnose"
)

// Trend is the way of a run's main metric over its last rounds.
type Trend struct {
	domain.MetricName // empty without one
	Points            []TrendPoint
}

// TrendPoint is a round's value for the whole federation: the app's own where it tells one, else our mean by num-examples, else the plain one.
type TrendPoint struct {
	Round int
	Value float64
}

// trendRounds is how many rounds a trend goes back.
const trendRounds = 40

// Progress is how a run that goes on comes along.
type Progress struct {
	Wait  diagnose.Wait
	Pace  Pace
	Trend Trend
}

// Progress says how runs that are starting or running come along, in their order. What several runs need is read at once.
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
		x, err := comingAlong(ctx, tx, all)
		if err != nil {
			return err
		}
		for i, r := range all {
			if !r.StopAsked {
				out[i].Wait = s.situationOf(r, feds[r.FederationID], keys[r.FederationID], x.asked[r.ID]).Wait()
			}
			out[i].Pace = paceOf(x.spans[r.ID], r.Rounds, s.Clock())
			out[i].Trend = Trend{x.main[r.ID], trendOf(x.bands[r.ID])}
		}
		return nil
	})
	return out, err
}

// coming is what several runs have measured and done of late, by their ids.
type coming struct {
	asked map[int64][]domain.Exchange // in the newest round
	spans map[int64][]domain.RoundSpan
	main  map[int64]domain.MetricName
	bands map[int64][]domain.Band
}

func comingAlong(ctx context.Context, tx Tx, all []domain.Run) (c coming, err error) {
	c.main = map[int64]domain.MetricName{}
	var paces, known, parts []domain.RunPart
	for _, r := range all {
		if paced(r) {
			paces = append(paces, domain.RunPart{Run: r, From: paceFrom(r)})
		}
		if r.EngineRunID != 0 {
			known = append(known, domain.RunPart{Run: r})
		}
	}
	if c.spans, err = tx.SpansOf(ctx, paces); err != nil {
		return c, err
	}
	if c.asked, err = tx.AskedOf(ctx, known); err != nil {
		return c, err
	}
	names, err := tx.NamesOf(ctx, known)
	if err != nil {
		return c, err
	}
	for _, p := range known {
		if name, has := mainMetric(names[p.Run.ID]); has {
			c.main[p.Run.ID] = name
			parts = append(parts, domain.RunPart{Run: p.Run, MetricName: name, From: max(p.Run.Round-trendRounds, 0)})
		}
	}
	c.bands, err = tx.BandsOf(ctx, parts)
	return c, err
}

func trendOf(bands []domain.Band) (out []TrendPoint) {
	for _, b := range bands {
		for _, v := range []*float64{b.Whole, b.Weighted, b.Mean} {
			if v != nil {
				out = append(out, TrendPoint{b.Round, *v})
				break
			}
		}
	}
	return out
}

// mainMetric is the one that tells most of a run: of what the ServerApp itself evaluates, else of the participants' evaluation, else
// of training, an accuracy, else a loss, else the first by name. Lists and numbers of examples are none.
func mainMetric(names []domain.MetricName) (domain.MetricName, bool) {
	names = slices.DeleteFunc(slices.Clone(names), func(n domain.MetricName) bool { return domain.IsExamples(n.Name) || domain.WholeName(n.Name) != n.Name })
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

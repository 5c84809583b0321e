package watch

import (
	"context"

	"blossomtune/internal/domain"
)

// Curves is what a run measured for the whole federation, round by round.
type Curves struct {
	Run     domain.Run
	App     domain.AppVersion
	Metrics []domain.Metric // one a phase, name and round, in the order of arrival
	Means   map[domain.RunColumn]bool
	Nodes   []uint64 // SuperNodes that gave at least one good reply
}

// Curves returns what the runs measured. A metric that the app tells of participants only comes as their mean, as far as that is
// summed up; where more has come, that is begun.
func (s *Reader) Curves(ctx context.Context, runs []domain.Run) ([]Curves, error) {
	for _, r := range runs {
		m, err := s.MetricMeter(ctx, r)
		if err != nil {
			return nil, err
		}
		if m.Newest != m.Rolled {
			s.f.rollSoon(r)
		}
	}
	out := make([]Curves, len(runs))
	err := s.f.Store.View(ctx, func(tx Tx) (err error) {
		for i, r := range runs {
			c := Curves{Run: r, Means: map[domain.RunColumn]bool{}}
			if c.App, err = tx.AppVersionByHash(ctx, r.AppHash, false); err != nil {
				return err
			}
			if r.EngineRunID != 0 {
				if err := s.curves(ctx, tx, &c); err != nil {
					return err
				}
			}
			out[i] = c
		}
		return nil
	})
	return out, err
}

func (s *Reader) curves(ctx context.Context, tx Tx, c *Curves) (err error) {
	r := c.Run
	if c.Metrics, err = tx.WholeMetrics(ctx, r.FederationID, r.EngineRunID); err != nil {
		return err
	}
	means, err := tx.MeanMetrics(ctx, r.FederationID, r.EngineRunID)
	if err != nil {
		return err
	}
	for _, m := range means {
		c.Means[domain.RunColumn{Phase: m.Phase, Name: m.Name}] = true
	}
	c.Metrics = append(c.Metrics, means...)
	c.Nodes, err = tx.RepliedNodes(ctx, r.FederationID, r.EngineRunID)
	return err
}

// Config returns the run's effective config: the app's defaults with what the run changed.
func (c Curves) Config() map[string]any {
	out := map[string]any{}
	for _, k := range c.App.Config {
		out[k.Key] = k.Default
	}
	for k, v := range c.Run.Config {
		out[k] = v
	}
	return out
}

package runs

import (
	"context"

	"blossomtune/internal/domain"
)

// Progress is how a run that is in progress advances, and what it waits for.
type Progress struct {
	Wait  Wait
	Pace  Pace
	Trend Trend
}

// Progress says how runs that are starting or running advance, in their order. What several runs need is read at once.
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
		var parts []domain.RunPart
		kept := make([]bool, len(all))
		for i, r := range all {
			if r.StopAsked { // it waits for nothing else
				kept[i] = true
				continue
			}
			if out[i].Wait, kept[i] = s.waits.get(r); kept[i] {
				continue
			}
			ids = append(ids, r.FederationID)
			if r.EngineRunID != 0 {
				parts = append(parts, domain.RunPart{Run: r})
			}
		}
		keys, err := tx.NodeStates(ctx, ids)
		if err != nil {
			return err
		}
		asked, err := tx.AskedOf(ctx, parts)
		if err != nil {
			return err
		}
		measured, err := s.Reader.Progress(ctx, tx, all)
		for i, r := range all {
			if !kept[i] {
				out[i].Wait = s.waitIn(s.driver.SituationOf(r, feds[r.FederationID], keys[r.FederationID], asked[r.ID]))
			}
			out[i].Pace, out[i].Trend = measured[r.ID].Pace, measured[r.ID].Trend
		}
		return err
	})
	return out, err
}

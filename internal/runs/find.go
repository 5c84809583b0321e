package runs

import (
	"context"

	"blossomtune/internal/domain"
)

// Find returns a part of a federation's table of runs.
func (s *Service) Find(ctx context.Context, f domain.RunQuery) (page domain.RunPage, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { page, err = tx.FindRuns(ctx, f, s.Clock()); return err })
	return page, err
}

// Same returns a page that [Service.Find] gave with its rows in their places and what they show as it is now, and how many runs
// that the query chooses have come since.
func (s *Service) Same(ctx context.Context, f domain.RunQuery, page domain.RunPage) (now domain.RunPage, came int, err error) {
	err = s.Store.View(ctx, func(tx Tx) error {
		if now, err = tx.SameRuns(ctx, f, page, s.Clock()); err != nil {
			return err
		}
		f.Since, f.Group, f.Columns, f.After, f.Limit = page.Newest, "", nil, "", 1
		since, err := tx.FindRuns(ctx, f, s.Clock())
		came = since.Total
		return err
	})
	return now, came, err
}

// Choices returns what a federation's runs can be filtered, grouped and shown by; with a person those runs that this participant may see.
func (s *Service) Choices(ctx context.Context, fedID, personID int64) (out domain.RunChoices, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { out, err = tx.RunChoices(ctx, fedID, personID); return err })
	return out, err
}

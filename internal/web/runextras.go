package web

import (
	"context"

	"blossomtune/internal/domain"
)

// runExtras is what a run's page shows beside the run itself: links to it, its description while it is changed.
type runExtras struct {
	base      string         // the address that its parts are below; "": its own
	shares    []domain.Share // for managers
	newLink   string         // a link that was made just now
	undo      bool           // its note or tags were changed just now
	errs      formErrors     // of its note and tags
	shareErrs formErrors
}

func (s *server) extras(ctx context.Context, v *visit, d *runDetail) (err error) {
	if v.manager() {
		d.shares, err = s.Runs.Shares(ctx, d.run)
	}
	return err
}

// at is the address that the run's parts are below.
func (d runDetail) at() string {
	if d.base != "" {
		return d.base
	}
	return "/f/" + d.fed.Slug + "/runs/" + d.run.Name
}

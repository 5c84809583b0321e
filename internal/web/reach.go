package web

import (
	"context"
	"net/http"
	"strconv"

	"blossomtune/internal/domain"
)

// mineOnly returns the requests of a form, all of which must be of this federation.
func (s *server) mineOnly(ctx context.Context, v *visit, ids []string) ([]domain.Request, error) {
	var out []domain.Request
	for _, text := range ids {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, domain.Errorf(domain.Invalid, "%q is no request.", text)
		}
		req, err := s.Onboarding.Request(ctx, id)
		if err != nil {
			return nil, err
		}
		if req.FederationID != v.fed.ID {
			return nil, domain.Errorf(domain.NotFound, "There is no such request in %s.", v.fed.Name)
		}
		out = append(out, req)
	}
	if len(out) == 0 {
		return nil, domain.Errorf(domain.Invalid, "No request is selected.").Fix("Tick those that you want to approve.")
	}
	return out, nil
}

func (s *server) findRun(ctx context.Context, r *http.Request, v *visit) (domain.Run, error) {
	return s.runOf(ctx, v, r.PathValue("run"))
}

// runOf returns a run of the visit's federation; one that the visitor may not see does not exist for them.
func (s *server) runOf(ctx context.Context, v *visit, name string) (domain.Run, error) {
	run, err := s.Runs.ByName(ctx, name)
	missing := domain.CodeOf(err) == domain.NotFound || err == nil && run.FederationID != v.fed.ID
	if person := v.seenBy(); err == nil && !missing && person != 0 {
		var sees bool
		sees, err = s.Runs.Sees(ctx, run, person)
		missing = err == nil && !sees
	}
	if missing {
		return domain.Run{}, domain.Errorf(domain.NotFound, "%s has no run %q.", v.fed.Name, name).Fix("Look at the list of runs.")
	}
	return run, err
}

func (s *server) federationOf(r *http.Request, id int64) (domain.Federation, error) {
	feds, err := s.Onboarding.Federations(r.Context())
	if err != nil {
		return domain.Federation{}, err
	}
	for _, f := range feds {
		if f.ID == id {
			return f, nil
		}
	}
	return domain.Federation{}, noFederation()
}

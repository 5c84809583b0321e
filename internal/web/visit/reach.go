package visit

import (
	"context"
	"net/http"
	"strconv"

	"blossomtune/internal/domain"
)

// Requests returns the requests of a form, all of which must be of this federation.
func (s *Host) Requests(ctx context.Context, v *Visit, ids []string) ([]domain.Request, error) {
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
		if req.FederationID != v.Fed.ID {
			return nil, domain.Errorf(domain.NotFound, "There is no such request in %s.", v.Fed.Name)
		}
		out = append(out, req)
	}
	if len(out) == 0 {
		return nil, domain.Errorf(domain.Invalid, "No request is selected.").Fix("Tick those that you want to approve.")
	}
	return out, nil
}

// Run returns the run of the address; see [Host.RunNamed].
func (s *Host) Run(ctx context.Context, r *http.Request, v *Visit) (domain.Run, error) {
	return s.RunNamed(ctx, v, r.PathValue("run"))
}

// RunNamed returns a run of the visit's federation; one that the visitor may not see does not exist for them.
func (s *Host) RunNamed(ctx context.Context, v *Visit, name string) (domain.Run, error) {
	run, err := s.Runs.ByName(ctx, name)
	missing := domain.CodeOf(err) == domain.NotFound || err == nil && run.FederationID != v.Fed.ID
	if person := v.SeenBy(); err == nil && !missing && person != 0 {
		var sees bool
		sees, err = s.Runs.Sees(ctx, run, person)
		missing = err == nil && !sees
	}
	if missing {
		return domain.Run{}, domain.Errorf(domain.NotFound, "%s has no run %q.", v.Fed.Name, name).Fix("Look at the list of runs.")
	}
	return run, err
}

// FederationOf returns a federation by its id.
func (s *Host) FederationOf(r *http.Request, id int64) (domain.Federation, error) {
	feds, err := s.Onboarding.Federations(r.Context())
	if err != nil {
		return domain.Federation{}, err
	}
	for _, f := range feds {
		if f.ID == id {
			return f, nil
		}
	}
	return domain.Federation{}, NoFederation()
}

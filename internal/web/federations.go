package web

import (
	"net/http"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs"
)

// fedLine is one federation in a list.
type fedLine struct {
	fed     domain.Federation
	link    domain.SuperLink
	nodes   domain.NodeCount
	pending int
	running domain.Run
	wait    runs.Wait // of what runs
}

// newFederation is the form of a new federation, as it was entered.
type newFederation struct{ name, slug, description, partitions string }

func (s *server) federations(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.showFederations(w, r, v, http.StatusOK, newFederation{partitions: "10"}, nil)
}

func (s *server) showFederations(w http.ResponseWriter, r *http.Request, v *visit, status int, form newFederation, errs formErrors) error {
	ctx := r.Context()
	all, err := s.Onboarding.Federations(ctx)
	if err != nil {
		return err
	}
	if !v.person.Admin {
		if all, err = s.watched(r, v, all); err != nil {
			return err
		}
	}
	lines := make([]fedLine, 0, len(all))
	for _, f := range all {
		line := fedLine{fed: f, link: s.Engines.Status(f.ID)}
		if line.nodes, err = s.Onboarding.CountNodes(ctx, f.ID); err != nil {
			return err
		}
		counts, err := s.Onboarding.Counts(ctx, f.ID)
		if err != nil {
			return err
		}
		line.pending = counts[domain.Pending]
		if line.running, err = s.runningRun(ctx, f.ID, 0); err != nil {
			return err
		}
		if line.running.ID != 0 {
			if line.wait, err = s.Runs.WaitFor(ctx, line.running, 0); err != nil {
				return err
			}
		}
		line.link.Idle = f.EngineIdle && line.link.State == domain.SuperLinkStopped
		lines = append(lines, line)
	}
	s.render(w, r, v, status, page{title: "Federations", nav: "f", mid: true}, federationsPage(lines, v.person.Admin, form, errs))
	return nil
}

func (s *server) createFederation(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := parseForm(r); err != nil {
		return err
	}
	f := r.PostForm
	form := newFederation{name: f.Get("name"), slug: strings.TrimSpace(f.Get("slug")), description: f.Get("description"), partitions: strings.TrimSpace(f.Get("partitions"))}
	fed, err := s.create(r, v, form)
	if err != nil {
		errs, status, err := formError(err, "name", "slug", "description", "partitions")
		if err != nil {
			return err
		}
		return s.showFederations(w, r, v, status, form, errs)
	}
	return s.done(w, r, "/f/"+fed.Slug, fed.Name+" is made. Start its SuperLink, then let people in.")
}

func (s *server) create(r *http.Request, v *visit, form newFederation) (domain.Federation, error) {
	n, err := strconv.Atoi(form.partitions)
	if err != nil {
		return domain.Federation{}, notANumber("The total of partitions", form.partitions, "partitions")
	}
	if form.slug == "" {
		form.slug = slugOf(form.name)
	}
	return s.Onboarding.CreateFederation(r.Context(), v.actor(), domain.Federation{Name: form.name, Slug: form.slug, Description: form.description, TotalPartitions: n})
}

// slugOf makes the part of an address from a name.
func slugOf(name string) string {
	slug := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, name)
	for strings.Contains(slug, "--") {
		slug = strings.ReplaceAll(slug, "--", "-")
	}
	return strings.Trim(slug[:min(len(slug), 40)], "-")
}

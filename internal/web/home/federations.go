package home

import (
	"net/http"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
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

// Federations is the list of the federations that the visitor has a part in.
func (s *Pages) Federations(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	return s.showFederations(w, r, v, http.StatusOK, newFederation{partitions: "10"}, nil)
}

func (s *Pages) showFederations(w http.ResponseWriter, r *http.Request, v *visit.Visit, status int, form newFederation,
	errs ui.FormErrors) error {
	ctx := r.Context()
	all, err := s.Onboarding.Federations(ctx)
	if err != nil {
		return err
	}
	if !v.Person.Admin {
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
		if line.running, err = s.Fed.Running(ctx, f.ID, 0); err != nil {
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
	s.Render(w, r, v, status, ui.Page{Title: "Federations", Nav: "f", Mid: true}, federationsPage(lines, v.Person.Admin, form, errs))
	return nil
}

// CreateFederation makes a federation.
func (s *Pages) CreateFederation(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	f := r.PostForm
	form := newFederation{name: f.Get("name"), slug: strings.TrimSpace(f.Get("slug")), description: f.Get("description"),
		partitions: strings.TrimSpace(f.Get("partitions"))}
	fed, err := s.create(r, v, form)
	if err != nil {
		errs, status, err := visit.FormError(err, "name", "slug", "description", "partitions")
		if err != nil {
			return err
		}
		return s.showFederations(w, r, v, status, form, errs)
	}
	return s.Done(w, r, "/f/"+fed.Slug, fed.Name+" is made. Start its SuperLink, then let people in.")
}

func (s *Pages) create(r *http.Request, v *visit.Visit, form newFederation) (domain.Federation, error) {
	n, err := strconv.Atoi(form.partitions)
	if err != nil {
		return domain.Federation{}, visit.NotANumber("The total of partitions", form.partitions, "partitions")
	}
	if form.slug == "" {
		form.slug = slugOf(form.name)
	}
	return s.Onboarding.CreateFederation(r.Context(), v.Actor(), domain.Federation{Name: form.name, Slug: form.slug,
		Description: form.description, TotalPartitions: n})
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

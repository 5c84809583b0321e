package apps

import (
	"context"
	"net/http"
	"strings"

	"blossomtune/internal/catalog"
	"blossomtune/internal/domain"
	"blossomtune/internal/web/live"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// appGroup is an app with those of its versions that the visitor may see, newest first.
type appGroup struct {
	id       string
	versions []domain.AppVersion
}

// appList is the page of apps.
type appList struct {
	sight    catalog.Sight
	groups   []appGroup
	uses     map[string]domain.AppUse
	problems []catalog.Problem // of watched folders; for managers
	errs     ui.FormErrors
	git      catalog.GitInput // as it was entered
}

func (s *Pages) appList(ctx context.Context, v *visit.Visit) (appList, error) {
	sight, err := s.Catalog.Sight(ctx, v.Person)
	l := appList{sight: sight}
	if err != nil {
		return l, err
	}
	all, err := s.Catalog.Versions(ctx, sight)
	if err != nil {
		return l, err
	}
	at := map[string]int{}
	for _, a := range all {
		i, known := at[a.ID()]
		if !known {
			i = len(l.groups)
			at[a.ID()] = i
			l.groups = append(l.groups, appGroup{id: a.ID()})
		}
		l.groups[i].versions = append(l.groups[i].versions, a)
	}
	if sight.Manages {
		l.problems = s.Catalog.Problems()
	}
	l.uses, err = s.Catalog.Uses(ctx, sight)
	return l, err
}

// List is the list of apps that the visitor may see.
func (s *Pages) List(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	l, err := s.appList(r.Context(), v)
	if err != nil {
		return err
	}
	s.showApps(w, r, v, http.StatusOK, l)
	return nil
}

func (s *Pages) showApps(w http.ResponseWriter, r *http.Request, v *visit.Visit, status int, l appList) {
	s.Render(w, r, v, status, ui.Page{Title: "Apps", Nav: "apps", Events: "/apps/events"}, appsPage(l))
}

// Events keeps the list of apps live.
func (s *Pages) Events(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	return s.Live.Follow(w, r, visit.SignedIn, v, live.View{
		Topics: []string{catalog.Topic},
		Look: func(ctx context.Context, v *visit.Visit) ([]live.Region, []live.Signal, error) {
			l, err := s.appList(ctx, v)
			return []live.Region{{ID: "apps", Body: appsPanel(l)}}, nil, err
		},
	})
}

// addsApps lets through who may add apps.
func (s *Pages) addsApps(ctx context.Context, v *visit.Visit) error {
	sight, err := s.Catalog.Sight(ctx, v.Person)
	if err == nil && !sight.Manages {
		err = domain.Errorf(domain.Forbidden, "Managers add apps.").Fix("Ask a manager of a federation.")
	}
	return err
}

// Add adds an app from a FAB or a zip.
func (s *Pages) Add(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := s.addsApps(r.Context(), v); err != nil {
		return err
	}
	a, err := visit.UploadedApp(r, v, s.Catalog)
	return s.added(w, r, v, a, err, catalog.GitInput{})
}

// AddGit adds an app from a git repository.
func (s *Pages) AddGit(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := s.addsApps(r.Context(), v); err != nil {
		return err
	}
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	in := catalog.GitInput{Repository: strings.TrimSpace(r.PostForm.Get("repository")), Ref: strings.TrimSpace(r.PostForm.Get("ref")),
		Folder: strings.TrimSpace(r.PostForm.Get("folder"))}
	a, err := s.Catalog.FromGit(r.Context(), v.Actor(), in)
	return s.added(w, r, v, a, err, in)
}

func (s *Pages) added(w http.ResponseWriter, r *http.Request, v *visit.Visit, a domain.AppVersion, err error, in catalog.GitInput) error {
	if err == nil {
		return s.Done(w, r, ui.AppURL(a), a.ID()+" "+a.Version+" is added.")
	}
	errs, status, err := visit.FormError(err, "upload", "repository", "ref", "folder", "app")
	if err != nil {
		return err
	}
	if p, ok := errs["app"]; ok { // of the app itself, whichever way it came
		delete(errs, "app")
		field := "upload"
		if in != (catalog.GitInput{}) {
			field = "repository"
		}
		errs[field] = p
	}
	l, err := s.appList(r.Context(), v)
	if err != nil {
		return err
	}
	l.errs, l.git = errs, in
	s.showApps(w, r, v, status, l)
	return nil
}

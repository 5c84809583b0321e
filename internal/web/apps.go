package web

import (
	"context"
	"net/http"
	"strings"

	"blossomtune/internal/catalog"
	"blossomtune/internal/domain"
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
	errs     formErrors
	git      catalog.GitInput // as it was entered
}

func (s *server) appList(ctx context.Context, v *visit) (appList, error) {
	sight, err := s.Catalog.Sight(ctx, v.person)
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

func (s *server) apps(w http.ResponseWriter, r *http.Request, v *visit) error {
	l, err := s.appList(r.Context(), v)
	if err != nil {
		return err
	}
	s.showApps(w, r, v, http.StatusOK, l)
	return nil
}

func (s *server) showApps(w http.ResponseWriter, r *http.Request, v *visit, status int, l appList) {
	s.render(w, r, v, status, page{title: "Apps", nav: "apps", events: "/apps/events"}, appsPage(l))
}

func (s *server) appsEvents(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.follow(w, r, signedIn, v, view{
		topics: []string{catalog.Topic},
		look: func(ctx context.Context, v *visit) ([]region, []signal, error) {
			l, err := s.appList(ctx, v)
			return []region{{"apps", appsPanel(l)}}, nil, err
		},
	})
}

// addsApps lets through who may add apps.
func (s *server) addsApps(ctx context.Context, v *visit) error {
	sight, err := s.Catalog.Sight(ctx, v.person)
	if err == nil && !sight.Manages {
		err = domain.Errorf(domain.Forbidden, "Managers add apps.").Fix("Ask a manager of a federation.")
	}
	return err
}

// addApp adds an app from a FAB or a zip.
func (s *server) addApp(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := s.addsApps(r.Context(), v); err != nil {
		return err
	}
	a, err := receiveApp(r, v, s.Catalog)
	return s.added(w, r, v, a, err, catalog.GitInput{})
}

// addGitApp adds an app from a git repository.
func (s *server) addGitApp(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := s.addsApps(r.Context(), v); err != nil {
		return err
	}
	if err := parseForm(r); err != nil {
		return err
	}
	in := catalog.GitInput{Repository: strings.TrimSpace(r.PostForm.Get("repository")), Ref: strings.TrimSpace(r.PostForm.Get("ref")), Folder: strings.TrimSpace(r.PostForm.Get("folder"))}
	a, err := s.Catalog.FromGit(r.Context(), v.actor(), in)
	return s.added(w, r, v, a, err, in)
}

func (s *server) added(w http.ResponseWriter, r *http.Request, v *visit, a domain.AppVersion, err error, in catalog.GitInput) error {
	if err == nil {
		return s.done(w, r, appURL(a), a.ID()+" "+a.Version+" is added.")
	}
	errs, status, err := formError(err, "upload", "repository", "ref", "folder", "app")
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

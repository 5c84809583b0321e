package launch

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs"
	"blossomtune/internal/web/fedpage"
	"blossomtune/internal/web/live"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// launchForm is the form that launches a run, with what was entered and what is wrong with it.
type launchForm struct {
	fedpage.Head
	apps   []domain.AppVersion
	app    domain.AppVersion // the chosen one; Hash "" where there is none yet
	name   string
	parts  string
	note   string
	engine engineForm
	admin  bool              // the visitor may launch against the board
	config map[string]string // text by key
	conf   configForm
	from   domain.Run // the run that the form is filled from; ID 0: none
	board  board
	errs   ui.FormErrors
}

func (s *Pages) newLaunch(ctx context.Context, v *visit.Visit, hash string) (launchForm, error) {
	head, err := s.Fed.Head(ctx, v, "runs")
	l := launchForm{Head: head, parts: ui.Itoa(v.Fed.TotalPartitions), config: map[string]string{}, engine: newEngineForm(head.Fed.Limits),
		admin: v.Person.Admin}
	if err != nil {
		return l, err
	}
	if l.apps, err = s.Catalog.List(ctx); err != nil {
		return l, err
	}
	for _, a := range l.apps {
		if a.Hash == hash || hash == "" && l.app.Hash == "" {
			l.app = a
		}
	}
	if l.board, err = s.launchBoard(ctx, v, domain.Run{}, l.app.Hash, 0); err != nil {
		return l, err
	}
	if l.app.Hash == "" {
		return l, nil
	}
	for _, k := range l.app.Config {
		l.config[k.Key] = domain.ConfigText(k.Default)
	}
	l.name, err = s.Runs.SuggestName(ctx, v.Fed.ID, l.app.Hash)
	return l, err
}

// Form is the form that launches a run.
func (s *Pages) Form(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	from, err := s.cloned(r.Context(), v, r.URL.Query().Get("from"))
	if err != nil {
		return err
	}
	l, err := s.newLaunch(r.Context(), v, cmp.Or(r.URL.Query().Get("app"), from.AppHash))
	if err == nil && from.ID != 0 {
		if err = s.clone(r.Context(), &l, from); err == nil {
			l.board, err = s.launchBoard(r.Context(), v, from, l.app.Hash, 0)
		}
	}
	if err == nil {
		err = s.tabs(r.Context(), &l, nil)
	}
	if err != nil {
		return err
	}
	l.take(r.URL.Query().Get("preset"))
	s.showLaunch(w, r, v, http.StatusOK, l)
	return nil
}

func (s *Pages) showLaunch(w http.ResponseWriter, r *http.Request, v *visit.Visit, status int, l launchForm) {
	s.Render(w, r, v, status, ui.Page{Title: "Launch a run · " + v.Fed.Name, Nav: "f", Events: l.events()}, launchPage(l))
}

// Events keeps the board beside the form live.
func (s *Pages) Events(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	from, err := s.cloned(r.Context(), v, r.URL.Query().Get("from"))
	if err != nil {
		return err
	}
	wrong, _ := strconv.Atoi(r.URL.Query().Get("wrong")) // 0 for none
	app := r.URL.Query().Get("app")
	return s.Live.Follow(w, r, visit.Manager, v, live.View{
		Topics: live.FederationTopics(v.Fed.ID),
		Share:  fmt.Sprint("launch ", v.Fed.ID, " ", from.ID, " ", wrong, " ", app),
		Gap:    live.SharedGap,
		Look: func(ctx context.Context, v *visit.Visit) ([]live.Region, []live.Signal, error) {
			b, err := s.launchBoard(ctx, v, from, app, min(max(wrong, 0), 1000))
			return []live.Region{{ID: "board", Body: launchBoard(b)}}, nil, err
		},
	})
}

// Launch puts a run into the queue; a form with errors comes back with all that was entered.
func (s *Pages) Launch(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	f := r.PostForm
	in := runs.LaunchInput{FederationID: v.Fed.ID, AppHash: f.Get("app"), Name: strings.TrimSpace(f.Get("run_id")),
		Note: strings.TrimSpace(f.Get("note"))}
	from, err := s.cloned(r.Context(), v, f.Get("from"))
	if err != nil {
		return err
	}
	engine, engineErr := readEngine(f, &in, from.Settings.Environment)
	parts := strings.TrimSpace(f.Get("partitions"))
	n, err := strconv.Atoi(parts)
	if engineErr != nil {
		err = engineErr
	} else if err != nil {
		err = visit.NotANumber("The total of partitions", parts, "partitions")
	} else if in.Config, err = s.configInput(r.Context(), f); err == nil {
		in.Partitions = n
		var run domain.Run
		if run, err = s.Runs.Launch(r.Context(), v.Actor(), in); err == nil {
			return s.Done(w, r, "/f/"+v.Fed.Slug+"/runs/"+run.Name, "")
		}
	}
	errs, status, err := visit.FormError(err, append([]string{"app", "run_id", "partitions", "note", "config.", "toml."}, engineFields...)...)
	if err != nil {
		return err
	}
	l, err := s.newLaunch(r.Context(), v, in.AppHash)
	if err != nil {
		return err
	}
	l.from = from
	if l.board, err = s.launchBoard(r.Context(), v, from, l.app.Hash, fieldsWrong(errs)); err != nil {
		return err
	}
	l.errs, l.name, l.parts, l.note, l.engine = errs, in.Name, parts, in.Note, engine
	for key, text := range in.Config {
		l.config[key] = text
	}
	l.keepUnknown()
	if err := s.tabs(r.Context(), &l, f); err != nil {
		return err
	}
	s.showLaunch(w, r, v, status, l)
	return nil
}

// keepUnknown moves errors of keys that the form does not have to its top, so that none is lost.
func (l *launchForm) keepUnknown() {
	known := map[string]bool{"": true, "app": true, "run_id": true, "partitions": true, "note": true}
	for _, f := range engineFields {
		known[f] = true
	}
	for _, k := range l.app.Config {
		known["config."+k.Key] = true
	}
	for field, p := range l.errs {
		if !known[field] && !strings.HasPrefix(field, "toml.") {
			l.errs[""] = p
		}
	}
}

// UploadApp adds an app from a FAB or a zip and chooses it.
func (s *Pages) UploadApp(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	a, err := visit.UploadedApp(r, v, s.Catalog)
	if err == nil {
		return s.Done(w, r, "/f/"+v.Fed.Slug+"/launch?app="+a.Hash, a.ID()+" "+a.Version+" is added.")
	}
	errs, status, err := visit.FormError(err, "app", "upload")
	if err != nil {
		return err
	}
	if p, ok := errs["app"]; ok {
		errs["upload"] = p
		delete(errs, "app")
	}
	l, err := s.newLaunch(r.Context(), v, "")
	if err != nil {
		return err
	}
	if err := s.tabs(r.Context(), &l, nil); err != nil {
		return err
	}
	l.errs = errs
	s.showLaunch(w, r, v, status, l)
	return nil
}

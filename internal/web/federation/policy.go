package federation

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// policyText is the form of how a federation runs, as it was entered.
type policyText struct {
	parallel, idle string
	limits         map[string]string
	web            bool
	engine         string
}

// SetPolicy changes how a federation runs.
func (s *Pages) SetPolicy(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	text := policyText{parallel: strings.TrimSpace(r.PostForm.Get("parallel")), idle: strings.TrimSpace(r.PostForm.Get("idle_stop")),
		limits: map[string]string{}, web: r.PostForm.Get("web_access") != "",
		engine: cmp.Or(r.PostForm.Get("engine"), v.Fed.Engine.String())}
	limits, err := ui.ReadLimits(r.PostForm, text.limits)
	if err == nil {
		p := runs.Policy{Limits: limits, NoWeb: !text.web}
		if p.Parallel, err = strconv.Atoi(text.parallel); err != nil {
			err = visit.NotANumber("The number of runs", text.parallel, "parallel")
		} else if p.IdleStop, err = strconv.Atoi(text.idle); err != nil && text.idle != "" {
			err = visit.NotANumber("The number of minutes", text.idle, "idle_stop")
		} else if p.Engine, err = domain.ParseEngine(text.engine); err == nil {
			_, err = s.Runs.SetPolicy(r.Context(), v.Actor(), v.Fed.ID, p)
		}
	}
	if err == nil {
		return s.Done(w, r, "/f/"+v.Fed.Slug+"/settings", "Saved.")
	}
	errs, status, err := visit.FormError(err, "engine", "parallel", "idle_stop", "wall_limit", "round_limit", "no_progress_limit",
		"first_heartbeat_limit")
	if err != nil {
		return err
	}
	sv, err := s.settingsView(r.Context(), v)
	if err != nil {
		return err
	}
	sv.policy, sv.policyErrs = text, errs
	s.Render(w, r, v, status, ui.Page{Title: "Settings · " + v.Fed.Name, Nav: "f"}, settingsPage(sv))
	return nil
}

func policyTexts(f domain.Federation) policyText {
	return policyText{parallel: ui.Itoa(f.Parallel), idle: ui.SomeText(f.IdleStop), limits: ui.LimitTexts(f.Limits), web: !f.NoWeb,
		engine: f.Engine.String()}
}

package web

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs"
)

// policyText is the form of how a federation runs, as it was entered.
type policyText struct {
	parallel, idle string
	limits         map[string]string
	web            bool
	engine         string
}

// runPolicy changes how a federation runs.
func (s *server) runPolicy(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := parseForm(r); err != nil {
		return err
	}
	text := policyText{parallel: strings.TrimSpace(r.PostForm.Get("parallel")), idle: strings.TrimSpace(r.PostForm.Get("idle_stop")),
		limits: map[string]string{}, web: r.PostForm.Get("web_access") != "",
		engine: cmp.Or(r.PostForm.Get("engine"), v.fed.Engine.String())}
	limits, err := readLimits(r.PostForm, text.limits)
	if err == nil {
		p := runs.Policy{Limits: limits, NoWeb: !text.web}
		if p.Parallel, err = strconv.Atoi(text.parallel); err != nil {
			err = notANumber("The number of runs", text.parallel, "parallel")
		} else if p.IdleStop, err = strconv.Atoi(text.idle); err != nil && text.idle != "" {
			err = notANumber("The number of minutes", text.idle, "idle_stop")
		} else if p.Engine, err = domain.ParseEngine(text.engine); err == nil {
			_, err = s.Runs.SetPolicy(r.Context(), v.actor(), v.fed.ID, p)
		}
	}
	if err == nil {
		return s.done(w, r, "/f/"+v.fed.Slug+"/settings", "Saved.")
	}
	errs, status, err := formError(err, "engine", "parallel", "idle_stop", "wall_limit", "round_limit", "no_progress_limit",
		"first_heartbeat_limit")
	if err != nil {
		return err
	}
	sv, err := s.settingsView(r.Context(), v)
	if err != nil {
		return err
	}
	sv.policy, sv.policyErrs = text, errs
	s.render(w, r, v, status, page{title: "Settings · " + v.fed.Name, nav: "f"}, settingsPage(sv))
	return nil
}

func policyTexts(f domain.Federation) policyText {
	return policyText{parallel: itoa(f.Parallel), idle: someText(f.IdleStop), limits: limitTexts(f.Limits), web: !f.NoWeb, engine: f.Engine.String()}
}

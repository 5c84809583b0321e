package participant

import (
	"context"
	"net/http"

	"blossomtune/internal/domain"
	"blossomtune/internal/web/live"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// myFederation is one line of the list of what somebody asked to join.
type myFederation struct {
	fed     domain.Federation
	request domain.Request // the newest
	stage   stage
}

// Me lists the federations in which the visitor has a request, and those that can be asked.
func (s *Pages) Me(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	ctx := r.Context()
	feds, err := s.Onboarding.Federations(ctx)
	if err != nil {
		return err
	}
	requests, err := s.Onboarding.MyRequests(ctx, v.Person.ID)
	if err != nil {
		return err
	}
	newest := map[int64]domain.Request{}
	for _, req := range requests {
		if _, seen := newest[req.FederationID]; !seen {
			newest[req.FederationID] = req
		}
	}
	var mine []myFederation
	var others []domain.Federation
	for _, f := range feds {
		req, asked := newest[f.ID]
		if !asked {
			if !f.Asking.InvitationsOnly {
				others = append(others, f)
			}
			continue
		}
		st, err := s.standing(ctx, &visit.Visit{Person: v.Person, Fed: f, Mine: req})
		if err != nil {
			return err
		}
		mine = append(mine, myFederation{f, req, st.stage})
	}
	s.Render(w, r, v, http.StatusOK, ui.Page{Title: "My federations", Nav: "me", Mid: true}, mePage(mine, others))
	return nil
}

// Status is the participant's page of one federation. Whoever has not asked yet may ask.
func (s *Pages) Status(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if v.Mine.ID == 0 {
		http.Redirect(w, r, "/join/"+v.Fed.Slug, http.StatusSeeOther)
		return nil
	}
	return s.showStatus(w, r, v, http.StatusOK, nil)
}

func (s *Pages) showStatus(w http.ResponseWriter, r *http.Request, v *visit.Visit, status int, change func(*standing)) error {
	st, err := s.standing(r.Context(), v)
	if err != nil {
		return err
	}
	if st.approved() {
		if st.challenge, err = s.Onboarding.Challenge(r.Context(), v.Mine.ID); err != nil {
			return err
		}
	}
	s.visiting(r, &st)
	if change != nil {
		change(&st)
	}
	p := ui.Page{Title: st.stage.headline + " · " + v.Fed.Name, Nav: "me", Mid: true, Events: "/me/" + v.Fed.Slug + "/events"}
	s.Render(w, r, v, status, p, statusPage(st))
	return nil
}

// Events keeps the participant's page live.
func (s *Pages) Events(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if v.Mine.ID == 0 {
		return visit.NoFederation()
	}
	return s.Live.Follow(w, r, visit.Participant, v, live.View{
		Topics: []string{live.RequestTopic(v.Mine.ID), live.RunsTopic(v.Fed.ID)},
		Poll:   live.PollActive,
		Look: func(ctx context.Context, v *visit.Visit) ([]live.Region, []live.Signal, error) {
			req, err := s.Onboarding.Request(ctx, v.Mine.ID)
			if err != nil {
				return nil, nil, err
			}
			now := *v
			now.Mine = req
			st, err := s.standing(ctx, &now)
			if err != nil {
				return nil, nil, err
			}
			return []live.Region{
				{ID: "hero", Body: statusHero(st)},
				{ID: "arrival", Body: statusArrival(st)},
				{ID: "machine", Body: statusMachine(st)},
			}, []live.Signal{{Name: "stage", Data: connectKind(st)}}, nil
		},
	})
}

// connectKind changes when the connect card of the page is another one; the page is then loaded anew. A card with a token in it
// is left alone by all smaller changes.
func connectKind(st standing) string {
	return string(st.request.State)
}

// NewToken makes a join command. Its token is in this answer only.
func (s *Pages) NewToken(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if v.Mine.ID == 0 {
		return visit.NoFederation()
	}
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	ask := r.PostForm.Get("approve") == "ask"
	token, expires, err := s.Onboarding.NewJoinToken(r.Context(), v.Actor(), v.Mine.ID)
	if err != nil {
		return err
	}
	return s.showStatus(w, r, v, http.StatusOK, func(st *standing) { st.token, st.expires, st.ask = token, expires, ask })
}

// UploadKey enrols a key that the participant made by hand.
func (s *Pages) UploadKey(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if v.Mine.ID == 0 {
		return visit.NoFederation()
	}
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	f := r.PostForm
	_, err := s.Onboarding.EnrolUpload(r.Context(), v.Actor(), v.Mine.ID, f.Get("public_key"), f.Get("challenge"), f.Get("signature"))
	if err != nil {
		errs, status, err := visit.FormError(err, "public_key", "signature", "challenge")
		if err != nil {
			return err
		}
		return s.showStatus(w, r, v, status, func(st *standing) {
			st.errs, st.publicKey, st.signature = errs, f.Get("public_key"), f.Get("signature")
			if _, old := errs["challenge"]; !old { // the same text stays good, so the signature does
				st.challenge = f.Get("challenge")
			}
		})
	}
	return s.Done(w, r, "/me/"+v.Fed.Slug, "Your key is enrolled. Start your SuperNode now.")
}

// withdrawConfirmation asks before a request to join is withdrawn.
func withdrawConfirmation(fed domain.Federation) visit.Confirmation {
	return visit.Confirmation{Words: "Withdraw your request to join " + fed.Name + "?", Do: "Withdraw request", Back: "/me/" + fed.Slug}
}

// Withdraw takes the visitor's request back.
func (s *Pages) Withdraw(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if v.Mine.ID == 0 {
		return visit.NoFederation()
	}
	if ok, err := s.Confirmed(w, r, v, withdrawConfirmation(v.Fed)); err != nil || !ok {
		return err
	}
	if _, err := s.Onboarding.Withdraw(r.Context(), v.Actor(), v.Mine.ID); err != nil {
		return err
	}
	return s.Done(w, r, "/me/"+v.Fed.Slug, "Your request is withdrawn.")
}

package web

import (
	"context"
	"net/http"

	"blossomtune/internal/domain"
)

// myFederation is one line of the list of what somebody asked to join.
type myFederation struct {
	fed     domain.Federation
	request domain.Request // the newest
	stage   stage
}

// me lists the federations in which the visitor has a request, and those that can be asked.
func (s *server) me(w http.ResponseWriter, r *http.Request, v *visit) error {
	ctx := r.Context()
	feds, err := s.Onboarding.Federations(ctx)
	if err != nil {
		return err
	}
	requests, err := s.Onboarding.MyRequests(ctx, v.person.ID)
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
		st, err := s.standing(ctx, &visit{person: v.person, fed: f, mine: req})
		if err != nil {
			return err
		}
		mine = append(mine, myFederation{f, req, st.stage})
	}
	s.render(w, r, v, http.StatusOK, page{title: "My federations", nav: "me", mid: true}, mePage(mine, others))
	return nil
}

// status is the participant's page of one federation. Whoever has not asked yet may ask.
func (s *server) status(w http.ResponseWriter, r *http.Request, v *visit) error {
	if v.mine.ID == 0 {
		http.Redirect(w, r, "/join/"+v.fed.Slug, http.StatusSeeOther)
		return nil
	}
	return s.showStatus(w, r, v, http.StatusOK, nil)
}

func (s *server) showStatus(w http.ResponseWriter, r *http.Request, v *visit, status int, change func(*standing)) error {
	st, err := s.standing(r.Context(), v)
	if err != nil {
		return err
	}
	if st.approved() {
		if st.challenge, err = s.Onboarding.Challenge(r.Context(), v.mine.ID); err != nil {
			return err
		}
	}
	s.visiting(r, &st)
	if change != nil {
		change(&st)
	}
	p := page{title: st.stage.headline + " · " + v.fed.Name, nav: "me", mid: true, events: "/me/" + v.fed.Slug + "/events"}
	s.render(w, r, v, status, p, statusPage(st))
	return nil
}

func (s *server) statusEvents(w http.ResponseWriter, r *http.Request, v *visit) error {
	if v.mine.ID == 0 {
		return noFederation()
	}
	return s.follow(w, r, participant, v, view{
		topics: []string{requestTopic(v.mine.ID), runsTopic(v.fed.ID)},
		poll:   pollActive,
		look: func(ctx context.Context, v *visit) ([]region, []signal, error) {
			req, err := s.Onboarding.Request(ctx, v.mine.ID)
			if err != nil {
				return nil, nil, err
			}
			now := *v
			now.mine = req
			st, err := s.standing(ctx, &now)
			if err != nil {
				return nil, nil, err
			}
			return []region{{"hero", statusHero(st)}, {"arrival", statusArrival(st)}, {"machine", statusMachine(st)}}, []signal{{"stage", connectKind(st)}}, nil
		},
	})
}

// connectKind changes when the connect card of the page is another one; the page is then loaded anew. A card with a token in it
// is left alone by all smaller changes.
func connectKind(st standing) string {
	return string(st.request.State)
}

// makeToken makes a join command. Its token is in this answer only.
func (s *server) makeToken(w http.ResponseWriter, r *http.Request, v *visit) error {
	if v.mine.ID == 0 {
		return noFederation()
	}
	if err := parseForm(r); err != nil {
		return err
	}
	ask := r.PostForm.Get("approve") == "ask"
	token, expires, err := s.Onboarding.NewJoinToken(r.Context(), v.actor(), v.mine.ID)
	if err != nil {
		return err
	}
	return s.showStatus(w, r, v, http.StatusOK, func(st *standing) { st.token, st.expires, st.ask = token, expires, ask })
}

// uploadKey enrols a key that the participant made by hand.
func (s *server) uploadKey(w http.ResponseWriter, r *http.Request, v *visit) error {
	if v.mine.ID == 0 {
		return noFederation()
	}
	if err := parseForm(r); err != nil {
		return err
	}
	f := r.PostForm
	_, err := s.Onboarding.EnrolUpload(r.Context(), v.actor(), v.mine.ID, f.Get("public_key"), f.Get("challenge"), f.Get("signature"))
	if err != nil {
		errs, status, err := formError(err, "public_key", "signature", "challenge")
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
	return s.done(w, r, "/me/"+v.fed.Slug, "Your key is enrolled. Start your SuperNode now.")
}

// withdrawConfirmation asks before a request to join is withdrawn.
func withdrawConfirmation(fed domain.Federation) confirmation {
	return confirmation{"Withdraw your request to join " + fed.Name + "?", "Withdraw request", "/me/" + fed.Slug}
}

func (s *server) withdraw(w http.ResponseWriter, r *http.Request, v *visit) error {
	if v.mine.ID == 0 {
		return noFederation()
	}
	if ok, err := s.confirmed(w, r, v, withdrawConfirmation(v.fed)); err != nil || !ok {
		return err
	}
	if _, err := s.Onboarding.Withdraw(r.Context(), v.actor(), v.mine.ID); err != nil {
		return err
	}
	return s.done(w, r, "/me/"+v.fed.Slug, "Your request is withdrawn.")
}

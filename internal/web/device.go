package web

import (
	"net/http"
	"strconv"

	"blossomtune/internal/domain"
	"blossomtune/internal/onboarding"
)

// deviceView is the page where a terminal's code is entered.
type deviceView struct {
	code   string            // kept input
	device onboarding.Device // found by the code; its Code is empty before
	mine   []myFederation    // where the visitor is approved
	errs   formErrors
}

// deviceForm asks for the code that a terminal shows, or shows the terminal of a code. Opening it changes nothing.
func (s *server) deviceForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	d := deviceView{code: r.URL.Query().Get("code")}
	status := http.StatusOK
	if d.code != "" {
		device, err := s.Onboarding.FindDevice(v.person.ID, d.code)
		if err != nil {
			if d.errs, status, err = formError(err, "code"); err != nil {
				return err
			}
		}
		d.device = device
	}
	return s.showDevice(w, r, v, status, d)
}

func (s *server) showDevice(w http.ResponseWriter, r *http.Request, v *visit, status int, d deviceView) error {
	requests, err := s.Onboarding.MyRequests(r.Context(), v.person.ID)
	if err != nil {
		return err
	}
	for _, q := range requests {
		if q.State == domain.Approved {
			fed, err := s.federationOf(r, q.FederationID)
			if err != nil {
				return err
			}
			d.mine = append(d.mine, myFederation{fed: fed, request: q})
		}
	}
	s.render(w, r, v, status, page{title: "Connect a terminal", nav: "me", mid: true}, devicePage(d))
	return nil
}

func (s *server) approveDevice(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := parseForm(r); err != nil {
		return err
	}
	code := r.PostForm.Get("code")
	id, err := strconv.ParseInt(r.PostForm.Get("request"), 10, 64)
	if err != nil {
		return domain.Errorf(domain.Invalid, "No federation is chosen.").Fix("Go back and choose one.")
	}
	req, err := s.Onboarding.ApproveDevice(r.Context(), v.actor(), code, id)
	if err != nil {
		errs, status, err := formError(err, "code")
		if err != nil {
			return err
		}
		return s.showDevice(w, r, v, status, deviceView{code: code, errs: errs})
	}
	fed, err := s.federationOf(r, req.FederationID)
	if err != nil {
		return err
	}
	return s.done(w, r, "/me/"+fed.Slug, "Your terminal continues automatically.")
}

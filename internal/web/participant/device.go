package participant

import (
	"net/http"
	"strconv"

	"blossomtune/internal/domain"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// deviceView is the page where a terminal's code is entered.
type deviceView struct {
	code   string            // kept input
	device onboarding.Device // found by the code; its Code is empty before
	mine   []myFederation    // where the visitor is approved
	errs   ui.FormErrors
}

// DeviceForm asks for the code that a terminal shows, or shows the terminal of a code. Opening it changes nothing.
func (s *Pages) DeviceForm(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	d := deviceView{code: r.URL.Query().Get("code")}
	status := http.StatusOK
	if d.code != "" {
		device, err := s.Onboarding.FindDevice(v.Person.ID, d.code)
		if err != nil {
			if d.errs, status, err = visit.FormError(err, "code"); err != nil {
				return err
			}
		}
		d.device = device
	}
	return s.showDevice(w, r, v, status, d)
}

func (s *Pages) showDevice(w http.ResponseWriter, r *http.Request, v *visit.Visit, status int, d deviceView) error {
	requests, err := s.Onboarding.MyRequests(r.Context(), v.Person.ID)
	if err != nil {
		return err
	}
	for _, q := range requests {
		if q.State == domain.Approved {
			fed, err := s.FederationOf(r, q.FederationID)
			if err != nil {
				return err
			}
			d.mine = append(d.mine, myFederation{fed: fed, request: q})
		}
	}
	s.Render(w, r, v, status, ui.Page{Title: "Connect a terminal", Nav: "me", Mid: true}, devicePage(d))
	return nil
}

// ApproveDevice connects the machine whose terminal shows a code.
func (s *Pages) ApproveDevice(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	code := r.PostForm.Get("code")
	id, err := strconv.ParseInt(r.PostForm.Get("request"), 10, 64)
	if err != nil {
		return domain.Errorf(domain.Invalid, "No federation is chosen.").Fix("Go back and choose one.")
	}
	req, err := s.Onboarding.ApproveDevice(r.Context(), v.Actor(), code, id)
	if err != nil {
		errs, status, err := visit.FormError(err, "code")
		if err != nil {
			return err
		}
		return s.showDevice(w, r, v, status, deviceView{code: code, errs: errs})
	}
	fed, err := s.FederationOf(r, req.FederationID)
	if err != nil {
		return err
	}
	return s.Done(w, r, "/me/"+fed.Slug, "Your terminal continues automatically.")
}

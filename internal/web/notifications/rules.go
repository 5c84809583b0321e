package notifications

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// rulesForm is what the form of a federation's notification rules holds, as it was entered.
type rulesForm struct {
	offline, unconnected, waiting string // minutes, hours, hours
	remind                        bool
	errs                          ui.FormErrors
}

func rulesFormOf(r domain.NoticeRules) rulesForm {
	return rulesForm{offline: ui.Itoa(int(r.Offline / time.Minute)), unconnected: ui.Itoa(int(r.Unconnected / time.Hour)),
		waiting: ui.Itoa(int(r.Waiting / time.Hour)), remind: r.Remind}
}

// read returns the rules that were entered.
func (f rulesForm) read() (r domain.NoticeRules, err error) {
	var errs domain.Errors
	number := func(field, text string, unit time.Duration) time.Duration {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 0 || n > 200_000 {
			errs = append(errs, domain.Errorf(domain.Invalid, "This is not a number.").Fix("Enter a whole number, or 0 to turn it off.").At(field))
		}
		return time.Duration(n) * unit
	}
	r = domain.NoticeRules{Offline: number("offline", f.offline, time.Minute), Unconnected: number("unconnected", f.unconnected, time.Hour),
		Waiting: number("waiting", f.waiting, time.Hour), Remind: f.remind}
	return r, errs.OrNil()
}

// SetRules changes the delays before the managers of a federation are notified.
func (s *Pages) SetRules(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	p := r.PostForm
	form := rulesForm{offline: p.Get("offline"), unconnected: p.Get("unconnected"), waiting: p.Get("waiting"), remind: p.Get("remind") != ""}
	rules, err := form.read()
	if err == nil {
		_, err = s.Notify.SetRules(r.Context(), v.Actor(), v.Fed.ID, func(to *domain.NoticeRules) { *to = rules })
	}
	if err == nil {
		return s.Done(w, r, hooksBase(v), "Saved.")
	}
	errs, status, err := visit.FormError(err, "offline", "unconnected", "waiting")
	if err != nil {
		return err
	}
	form.errs = errs
	return s.showWebhooks(w, r, v, status, func(hv *webhooksView) { hv.rules = form })
}

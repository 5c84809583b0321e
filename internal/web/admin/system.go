package admin

import (
	"context"
	"fmt"
	"net/http"

	"blossomtune/internal/domain"
	"blossomtune/internal/keeper/contain"
	"blossomtune/internal/web/live"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// SystemPage is what the server says of itself and the machine.
func (s *Pages) SystemPage(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	y, err := s.System(r.Context())
	if err != nil {
		return err
	}
	b, err := s.Backups.State(r.Context())
	if err != nil {
		return err
	}
	s.Render(w, r, v, http.StatusOK, ui.Page{Title: "System", Nav: "admin", Events: "/admin/system/events"},
		systemPage(y, s.Outbox.Configured(), b))
	return nil
}

// SystemEvents keeps the page of the system live.
func (s *Pages) SystemEvents(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	return s.Live.Follow(w, r, visit.Admin, v, live.View{
		Share: "system",
		Look: func(ctx context.Context, _ *visit.Visit) ([]live.Region, []live.Signal, error) {
			y, err := s.System(ctx)
			if err != nil {
				return nil, nil, err
			}
			b, err := s.Backups.State(ctx)
			return []live.Region{{ID: "system", Body: systemPanels(y, s.Outbox.Configured())}, {ID: "backups", Body: backupsPanel(b)},
				{ID: "keepers", Body: systemKeepers(y)}}, nil, err
		},
	})
}

// AcceptUncontained lets managers add and launch apps on a server that cannot contain them, or ends that.
func (s *Pages) AcceptUncontained(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	accept, done := r.PostForm.Get("accept") == "yes", "Only instance admins can add and launch apps now."
	if accept {
		done = "Managers can add and launch apps now."
		if ok, err := s.Confirmed(w, r, v, uncontainedConfirmation()); err != nil || !ok {
			return err
		}
	}
	if err := s.Catalog.AcceptUncontained(r.Context(), v.Actor(), accept); err != nil {
		return err
	}
	return s.Done(w, r, "/admin/system", done)
}

// sizeOr is a number of bytes, "–" where it is not known.
func sizeOr(n int64) string {
	if n == 0 {
		return "–"
	}
	return ui.Size(n)
}

// reportWords tells an admin how ServerApps run on this machine.
func reportWords(r contain.Report) string {
	c := domain.Containment(r.Level())
	words := c.Words()
	if r.Landlock > 0 {
		words += fmt.Sprintf("; Landlock ABI %d", r.Landlock)
	}
	if c != domain.ContainedFully && r.Reason != "" {
		words += ". " + r.Reason
	}
	return words
}

func uncontainedConfirmation() visit.Confirmation {
	return visit.Confirmation{Words: "Let managers add and launch apps that this server cannot contain? Every ServerApp can then read and " +
		"change what the server can.", Do: "Accept uncontained apps", Back: "/admin/system"}
}

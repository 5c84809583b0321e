package web

import (
	"context"
	"fmt"
	"net/http"

	"blossomtune/internal/domain"
	"blossomtune/internal/keeper/contain"
)

func (s *server) systemPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	y, err := s.System(r.Context())
	if err != nil {
		return err
	}
	s.render(w, r, v, http.StatusOK, page{title: "System", nav: "admin", events: "/admin/system/events"}, systemPage(y, s.Outbox.Configured()))
	return nil
}

func (s *server) systemEvents(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.follow(w, r, anAdmin, v, view{
		share: "system",
		look: func(ctx context.Context, _ *visit) ([]region, []signal, error) {
			y, err := s.System(ctx)
			return []region{{"system", systemPanels(y, s.Outbox.Configured())}, {"keepers", systemKeepers(y)}}, nil, err
		},
	})
}

// acceptUncontained lets managers add and launch apps on a server that cannot contain them, or ends that.
func (s *server) acceptUncontained(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := parseForm(r); err != nil {
		return err
	}
	accept, done := r.PostForm.Get("accept") == "yes", "Only instance admins can add and launch apps now."
	if accept {
		done = "Managers can add and launch apps now."
		if ok, err := s.confirmed(w, r, v, uncontainedConfirmation()); err != nil || !ok {
			return err
		}
	}
	if err := s.Catalog.AcceptUncontained(r.Context(), v.actor(), accept); err != nil {
		return err
	}
	return s.done(w, r, "/admin/system", done)
}

// sizeOr is a number of bytes, "–" where it is not known.
func sizeOr(n int64) string {
	if n == 0 {
		return "–"
	}
	return size(n)
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

func uncontainedConfirmation() confirmation {
	return confirmation{"Let managers add and launch apps that this server cannot contain? Every ServerApp can then read and change what the server can.", "Accept uncontained apps", "/admin/system"}
}

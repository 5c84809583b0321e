package web

import (
	"context"
	"net/http"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/keeper/contain"
)

// System is what the server says of itself and the machine. What is not known is zero.
type System struct {
	Version, Go, Machine string
	Cores                int
	Containment          contain.Report // what keeps ServerApps from everything else
	Contained            domain.Containment
	AppUsers             string // which users ServerApps run as
	Uncontained          bool   // admins accept apps that cannot be contained
	Started              time.Time
	PID                  int
	Memory               int64 // of the server itself, bytes

	Database     string // kind and version
	DatabaseSize int64
	Schema       int64 // the newest migration

	Data                string // the data directory
	DiskFree, DiskTotal int64

	Python, Flwr string // versions; Python's is empty until its environment is made
	Keepers      []SystemKeeper
	Mails        map[string]int // by state
}

// SystemKeeper is what keeps a federation's SuperLink.
type SystemKeeper struct {
	Fed       domain.Federation
	Link      domain.SuperLink
	PID       int   // 0: none runs
	Memory    int64 // with all that it started
	Processes int
}

// lowDisk is the part of a disk below which what is free is a warning.
const lowDisk = 20

func (y System) diskLow() bool { return y.DiskTotal > 0 && y.DiskFree*lowDisk < y.DiskTotal }

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

// Package notifications is where people choose what they are mailed, and where managers and admins set up webhooks. Who is notified of what
// is not here, but in the rules (internal/notify).
package notifications

import (
	"blossomtune/internal/notify"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/web/fedpage"
	"blossomtune/internal/web/visit"
)

// Pages answers the requests of this area.
type Pages struct {
	*visit.Host
	Fed        *fedpage.Reader
	Onboarding *onboarding.Service
	Notify     *notify.Service
}

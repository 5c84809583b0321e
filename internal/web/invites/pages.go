// Package invites is a federation's page of invitations and of the rules that approve requests.
package invites

import (
	"blossomtune/internal/onboarding"
	"blossomtune/internal/web/fedpage"
	"blossomtune/internal/web/visit"
)

// Pages answers the requests of this area.
type Pages struct {
	*visit.Host
	Fed        *fedpage.Reader
	Onboarding *onboarding.Service
}

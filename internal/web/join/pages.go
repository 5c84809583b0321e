// Package join is the way into a federation: ask, by an invitation or without, and confirm the e-mail address. What follows is in
// participant.
package join

import (
	"blossomtune/internal/account"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/web/visit"
)

// Pages answers the requests of this area.
type Pages struct {
	*visit.Host
	Accounts   *account.Service
	Onboarding *onboarding.Service
}

// Package signin is the ways to sign in and out, and the setup by the first admin.
package signin

import (
	"blossomtune/internal/account"
	"blossomtune/internal/web/visit"
)

// Pages answers the requests of this area.
type Pages struct {
	*visit.Host
	Accounts *account.Service
}

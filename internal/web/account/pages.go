// Package account is the page of one's own account: identities, sessions, API tokens. How people sign in is not here, but in signin.
package account

import (
	"blossomtune/internal/account"
	"blossomtune/internal/web/visit"
)

// Pages answers the requests of this area.
type Pages struct {
	*visit.Host
	Accounts *account.Service
}

package visit

import (
	"blossomtune/internal/domain"
	"blossomtune/internal/web/ui"
)

// RevokeTokenConfirmation asks before an API token is revoked.
func RevokeTokenConfirmation(t domain.APIToken, back string) Confirmation {
	return Confirmation{"Revoke the API token " + t.Name + "? Programs that use it are refused from now on.", "Revoke token", back}
}

// EndSessionConfirmation asks before a session is ended.
func EndSessionConfirmation(v domain.Session, back string) Confirmation {
	return Confirmation{"End the session of " + ui.OrDash(v.Agent) + "? Signing in again is possible.", "End session", back}
}

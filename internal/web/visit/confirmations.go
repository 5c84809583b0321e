package visit

import (
	"blossomtune/internal/domain"
	"blossomtune/internal/web/ui"
)

func RevokeTokenConfirmation(t domain.APIToken, back string) Confirmation {
	return Confirmation{"Revoke the API token " + t.Name + "? Programs that use it are refused from now on.", "Revoke token", back}
}

func EndSessionConfirmation(v domain.Session, back string) Confirmation {
	return Confirmation{"End the session of " + ui.OrDash(v.Agent) + "? Signing in again is possible.", "End session", back}
}

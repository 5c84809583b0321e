package web

import (
	"blossomtune/internal/domain"
)

func revokeTokenConfirmation(t domain.APIToken, back string) confirmation {
	return confirmation{"Revoke the API token " + t.Name + "? Programs that use it are refused from now on.", "Revoke token", back}
}

func endSessionConfirmation(v domain.Session, back string) confirmation {
	return confirmation{"End the session of " + orDash(v.Agent) + "? Signing in again is possible.", "End session", back}
}

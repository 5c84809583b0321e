package web

import (
	"fmt"
	"slices"

	"blossomtune/internal/domain"

	"github.com/a-h/templ"
)

// attributes make a form ask in a dialog where there is a script; the server asks on a page where there is none.
func (c confirmation) attributes() templ.Attributes {
	return templ.Attributes{"data-confirm": c.words, "data-confirm-do": c.do}
}

const accountPath = "/me/account"

func revokeTokenConfirmation(t domain.APIToken, back string) confirmation {
	return confirmation{"Revoke the API token " + t.Name + "? Programs that use it are refused from now on.", "Revoke token", back}
}

func endSessionConfirmation(v domain.Session, back string) confirmation {
	return confirmation{"End the session of " + orDash(v.Agent) + "? Signing in again is possible.", "End session", back}
}

func endSessionsConfirmation() confirmation {
	return confirmation{"End all your other sessions? You stay signed in here.", "Sign out everywhere else", accountPath}
}

func unlinkConfirmation(label string) confirmation {
	return confirmation{"Unlink your account at " + label + "? You can no longer sign in with it.", "Unlink account", accountPath}
}

func revokeInviteConfirmation(fed domain.Federation, i domain.Invitation) confirmation {
	return confirmation{"Take back the invitation of " + inviteWords(i) + "? Its link stops working. People who have used it stay.",
		"Take back invitation", "/f/" + fed.Slug + "/invites"}
}

func dropRuleConfirmation(fed domain.Federation, r domain.ApprovalRule) confirmation {
	return confirmation{"Remove the rule for " + r.Value + "? New requests wait for a manager. People whom it approved stay.", "Remove rule",
		"/f/" + fed.Slug + "/invites"}
}

func revokeShareConfirmation(fed domain.Federation, run domain.Run, v domain.Share) confirmation {
	return confirmation{"Revoke the link to " + run.Name + " of " + exact(v.CreatedAt) + "? Everyone who has it is refused from now on.",
		"Revoke link", "/f/" + fed.Slug + "/runs/" + run.Name + "#share"}
}

func takeRoleConfirmation(fed domain.Federation, email string) confirmation {
	return confirmation{"Take away the role of " + email + " in " + fed.Name + "?", "Take away role", "/f/" + fed.Slug + "/settings"}
}

func suspendConfirmation(req domain.Request, back string) confirmation {
	return confirmation{fmt.Sprintf("Suspend the SuperNode of %s, partition %d? It takes no part in runs until you resume it. The reason is mailed.", req.Name, req.Partition), "Suspend SuperNode", back}
}

func rejectConfirmation(fed domain.Federation, req domain.Request) confirmation {
	return confirmation{"Reject the request of " + req.Name + "? The reason is mailed. They can ask again.", "Reject request", "/f/" +
		fed.Slug + "/requests?request=" + req.Ref}
}

func revokeConfirmation(fed domain.Federation, req domain.Request) confirmation {
	return confirmation{fmt.Sprintf("Revoke the access of %s? Their SuperNode stops, its key is refused for ever, and partition %d is free again.", req.Name, req.Partition), "Revoke access",
		"/f/" + fed.Slug + "/requests?request=" + req.Ref}
}

func uncontainedConfirmation() confirmation {
	return confirmation{"Let managers add and launch apps that this server cannot contain? Every ServerApp can then read and change what the server can.", "Accept uncontained apps", "/admin/system"}
}

// withID finds what a form is about; what is not there any more is a [domain.NotFound] error about what.
func withID[T any](all []T, what string, is func(T) bool) (T, error) {
	i := slices.IndexFunc(all, is)
	if i < 0 {
		var none T
		return none, domain.Errorf(domain.NotFound, "There is no such %s.", what)
	}
	return all[i], nil
}

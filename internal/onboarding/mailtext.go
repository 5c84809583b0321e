package onboarding

import (
	"fmt"
	"net/url"
	"strings"

	"blossomtune/internal/domain"
)

func codeMail(fed domain.Federation, r domain.Request, code, base string) domain.Mail {
	link := fmt.Sprintf("%s/verify?ref=%s&code=%s", base, url.QueryEscape(r.Ref), url.QueryEscape(code))
	return domain.Mail{Subject: fmt.Sprintf("%s is your code for %s", code, fed.Name), Text: fmt.Sprintf(`Your code for %s is

    %s

It is valid for 30 minutes. Enter it on the page where you asked (request %s), or open

    %s

and press the button there. If you did not ask for this, do nothing.
`, fed.Name, code, r.Ref, link)}
}

func invitationMail(fed domain.Federation, inv domain.Invitation, by, link string) domain.Mail {
	next := "You ask to join, a manager reviews, you run one command on the machine that holds your data."
	if inv.Auto {
		next = "You confirm your e-mail address and run one command on the machine that holds your data."
	}
	about := ""
	if fed.Description != "" {
		about = fed.Description + "\n\n"
	}
	return domain.Mail{Subject: "You are invited to " + fed.Name, Text: fmt.Sprintf(`%s invites you to take part in %s.

%s%s Your data stays there.

    %s

The link is for this address alone, once, until %s. If you do not want to take part, do nothing.
`, by, fed.Name, about, next, link, inv.ExpiresAt.UTC().Format("2 January 2006"))}
}

func approvedMail(fed domain.Federation, r domain.Request, base string) domain.Mail {
	return domain.Mail{Subject: "You are in: " + fed.Name, Text: fmt.Sprintf(`Your request %s to join %s is approved.
Partition %d of %d is yours.

What is left is one command on the machine that holds the data. You find it here:

    %s/me/%s
`, r.Ref, fed.Name, r.Partition, fed.TotalPartitions, base, fed.Slug)}
}

func rejectedMail(fed domain.Federation, r domain.Request, base string) domain.Mail {
	return domain.Mail{Subject: "Your request to join " + fed.Name, Text: fmt.Sprintf(`Your request %s to join %s was not accepted this time.

Reason: %s

You can ask again: %s/join/%s
`, r.Ref, fed.Name, r.Reason, base, fed.Slug)}
}

func revokedMail(fed domain.Federation, r domain.Request) domain.Mail {
	return domain.Mail{Subject: "Your access to " + fed.Name + " has ended", Text: fmt.Sprintf(`Your access to %s (partition %d, request %s) has ended.

Reason: %s

Your SuperNode is stopped and its key is refused from now on. To come back you ask again and make a new key.
`, fed.Name, r.Partition, r.Ref, r.Reason)}
}

func suspendedMail(fed domain.Federation, r domain.Request, reason string) domain.Mail {
	return domain.Mail{Subject: "Your SuperNode in " + fed.Name + " is suspended", Text: fmt.Sprintf(`A manager of %s has suspended your SuperNode (partition %d).

Reason: %s

It waits and goes on by itself as soon as it is resumed; your partition is kept. You need not do anything.
`, fed.Name, r.Partition, reason)}
}

func waitingMail(fed domain.Federation, waiting []domain.Request, base string) domain.Mail {
	subject := fmt.Sprintf("%s asks to join %s", waiting[0].Name, fed.Name)
	if n := len(waiting); n > 1 {
		subject = fmt.Sprintf("%d requests wait in %s", n, fed.Name)
	}
	var names strings.Builder
	for i, r := range waiting {
		if i == 10 {
			fmt.Fprintf(&names, "- and %d more\n", len(waiting)-i)
			break
		}
		fmt.Fprintf(&names, "- %s", r.Name)
		if r.Organisation != "" {
			fmt.Fprintf(&names, ", %s", r.Organisation)
		}
		names.WriteByte('\n')
	}
	return domain.Mail{Subject: subject, Text: fmt.Sprintf(`These people wait for an answer in %s:

%s
Review them here:

    %s/f/%s/requests

You get at most one such mail in 15 minutes.
`, fed.Name, names.String(), base, fed.Slug)}
}

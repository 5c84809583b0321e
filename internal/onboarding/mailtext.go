package onboarding

import (
	"fmt"
	"net/url"

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

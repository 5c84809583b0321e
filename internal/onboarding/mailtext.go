package onboarding

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/site"
)

// What is mailed is worded by the site; here is what each kind of mail is filled with.

func (s *Service) codeMail(fed domain.Federation, ref, code string) domain.Mail {
	link := fmt.Sprintf("%s/verify?ref=%s&code=%s", s.PublicURL(), url.QueryEscape(ref), url.QueryEscape(code))
	return s.Texts.Mail(site.MailCode, map[string]string{"code": code, "link": link, "request": ref, "federation": fed.Name})
}

func (s *Service) invitationMail(fed domain.Federation, inv domain.Invitation, by, link string) domain.Mail {
	return s.Texts.Mail(site.MailInvited,
		map[string]string{"by": by, "federation": fed.Name, "about": fed.Description, "next": site.StepsOf(inv.Auto), "link": link,
			"until": inv.ExpiresAt.UTC().Format("2 January 2006")})
}

func (s *Service) approvedMail(fed domain.Federation, r domain.Request) domain.Mail {
	return s.Texts.Mail(site.MailApproved,
		map[string]string{"request": r.Ref, "federation": fed.Name, "partition": strconv.Itoa(r.Partition),
			"total": strconv.Itoa(fed.TotalPartitions),
			"link":  s.PublicURL() + "/me/" + fed.Slug, "commands": s.Commands()})
}

func (s *Service) rejectedMail(fed domain.Federation, r domain.Request) domain.Mail {
	return s.Texts.Mail(site.MailRejected,
		map[string]string{"request": r.Ref, "federation": fed.Name, "reason": r.Reason, "link": s.PublicURL() + "/join/" + fed.Slug})
}

func (s *Service) revokedMail(fed domain.Federation, r domain.Request) domain.Mail {
	return s.Texts.Mail(site.MailRevoked,
		map[string]string{"request": r.Ref, "federation": fed.Name, "reason": r.Reason, "partition": strconv.Itoa(r.Partition)})
}

func (s *Service) suspendedMail(fed domain.Federation, r domain.Request, reason string) domain.Mail {
	return s.Texts.Mail(site.MailSuspended,
		map[string]string{"federation": fed.Name, "reason": reason, "partition": strconv.Itoa(r.Partition)})
}

func (s *Service) waitingMail(fed domain.Federation, waiting []domain.Request) domain.Mail {
	summary := fmt.Sprintf("%s asks to join %s", waiting[0].Name, fed.Name)
	if n := len(waiting); n > 1 {
		summary = fmt.Sprintf("%d requests wait in %s", n, fed.Name)
	}
	var names []string
	for i, r := range waiting {
		if i == 10 {
			names = append(names, fmt.Sprintf("- and %d more", len(waiting)-i))
			break
		}
		line := "- " + r.Name
		if r.Organisation != "" {
			line += ", " + r.Organisation
		}
		names = append(names, line)
	}
	return s.Texts.Mail(site.MailWaiting,
		map[string]string{"summary": summary, "names": strings.Join(names, "\n"), "federation": fed.Name,
			"link": s.PublicURL() + "/f/" + fed.Slug + "/requests"})
}

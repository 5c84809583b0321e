package web

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/onboarding"
)

// invitesView is the page of a federation's invitations and approval rules.
type invitesView struct {
	fedHead
	list  []domain.Invitation
	next  int64
	rules []domain.ApprovalRule
	link  string      // a new invitation's, shown this once
	form  invitesForm // kept input
	which string      // the form that errs belongs to: "link", "import" or "rule"
	errs  formErrors
}

type invitesForm struct {
	note, domain, uses, days, emails, kind, value string
	auto                                          bool
}

const invitesPageSize = 50

// problems are the errors of one of the page's forms.
func (iv invitesView) problems(which string) formErrors {
	if iv.which == which {
		return iv.errs
	}
	return nil
}

func (s *server) invitesView(ctx context.Context, v *visit, before int64) (invitesView, error) {
	head, err := s.head(ctx, v, "invites")
	iv := invitesView{fedHead: head, form: invitesForm{uses: "1", days: "14"}}
	if err != nil {
		return iv, err
	}
	if iv.list, err = s.Onboarding.Invitations(ctx, v.fed.ID, before, invitesPageSize+1); err != nil {
		return iv, err
	}
	if len(iv.list) > invitesPageSize {
		iv.list = iv.list[:invitesPageSize]
		iv.next = iv.list[invitesPageSize-1].ID
	}
	iv.rules, err = s.Onboarding.Rules(ctx, v.fed.ID)
	return iv, err
}

func (s *server) showInvites(w http.ResponseWriter, r *http.Request, v *visit, status int, change func(*invitesView)) error {
	before, _ := strconv.ParseInt(r.URL.Query().Get("before"), 10, 64) // nonsense is the first page
	iv, err := s.invitesView(r.Context(), v, max(before, 0))
	if err != nil {
		return err
	}
	if change != nil {
		change(&iv)
	}
	s.render(w, r, v, status, page{title: "Invitations · " + v.fed.Name, nav: "f"}, invitesPage(iv))
	return nil
}

func (s *server) invites(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.showInvites(w, r, v, http.StatusOK, nil)
}

// badInvite shows the page again with what was entered and what is wrong with it.
func (s *server) badInvite(w http.ResponseWriter, r *http.Request, v *visit, which string, form invitesForm, err error, fields ...string) error {
	errs, status, err := formError(err, fields...)
	if err != nil {
		return err
	}
	return s.showInvites(w, r, v, status, func(iv *invitesView) { iv.which, iv.form, iv.errs = which, form, errs })
}

// invite makes a link; it is in this answer only.
func (s *server) invite(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := parseForm(r); err != nil {
		return err
	}
	f := r.PostForm
	form := invitesForm{note: f.Get("note"), domain: f.Get("domain"), uses: f.Get("uses"), days: f.Get("days"), auto: f.Get("auto") != ""}
	var errs domain.Errors
	uses, err := strconv.Atoi(strings.TrimSpace(form.uses))
	if err != nil {
		errs = errs.With(notANumber("How many people", form.uses, "uses"))
	}
	days, err := strconv.Atoi(strings.TrimSpace(form.days))
	if err != nil {
		errs = errs.With(notANumber("The days", form.days, "days"))
	}
	link := ""
	if err = errs.OrNil(); err == nil {
		link, _, err = s.Onboarding.Invite(r.Context(), v.actor(), onboarding.InviteInput{FederationID: v.fed.ID, Note: form.note, Domain: strings.TrimSpace(form.domain), Uses: uses, Days: days, Auto: form.auto})
	}
	if err != nil {
		return s.badInvite(w, r, v, "link", form, err, "note", "domain", "uses", "days")
	}
	return s.showInvites(w, r, v, http.StatusOK, func(iv *invitesView) { iv.link = link })
}

func (s *server) importInvites(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := parseForm(r); err != nil {
		return err
	}
	f := r.PostForm
	form := invitesForm{emails: f.Get("emails"), days: f.Get("days"), uses: "1", auto: f.Get("auto") != ""}
	var done onboarding.Imported
	days, err := strconv.Atoi(strings.TrimSpace(form.days))
	if err != nil {
		err = notANumber("The days", form.days, "days")
	} else {
		done, err = s.Onboarding.ImportInvitations(r.Context(), v.actor(), v.fed.ID, form.emails, days, form.auto)
	}
	if err != nil {
		return s.badInvite(w, r, v, "import", form, err, "emails", "days")
	}
	words := plural(len(done.Invited), "address is", "addresses are") + " invited by mail."
	if n := len(done.Known); n > 0 {
		words += fmt.Sprintf(" %s left out: invited already, or with a request here.", plural(n, "was", "were"))
	}
	return s.done(w, r, "/f/"+v.fed.Slug+"/invites", words)
}

func (s *server) revokeInvite(w http.ResponseWriter, r *http.Request, v *visit) error {
	id, err := formID(r)
	if err != nil {
		return err
	}
	page, err := s.Onboarding.Invitations(r.Context(), v.fed.ID, id+1, 1)
	if err != nil {
		return err
	}
	one, err := withID(page, "invitation", func(i domain.Invitation) bool { return i.ID == id })
	if err != nil {
		return err
	}
	if ok, err := s.confirmed(w, r, v, revokeInviteConfirmation(v.fed, one)); err != nil || !ok {
		return err
	}
	if err := s.Onboarding.RevokeInvitation(r.Context(), v.actor(), v.fed.ID, id); err != nil {
		return err
	}
	return s.done(w, r, "/f/"+v.fed.Slug+"/invites", "The invitation does not work any more. Who came by it stays.")
}

func (s *server) addRule(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := parseForm(r); err != nil {
		return err
	}
	form := invitesForm{kind: r.PostForm.Get("kind"), value: r.PostForm.Get("value"), uses: "1", days: "14"}
	rule, err := s.Onboarding.AddRule(r.Context(), v.actor(), v.fed.ID, domain.RuleKind(form.kind), form.value)
	if err != nil {
		return s.badInvite(w, r, v, "rule", form, err, "kind", "value")
	}
	return s.done(w, r, "/f/"+v.fed.Slug+"/invites", "Requests from "+rule.Value+" are approved by themselves from now on.")
}

func (s *server) dropRule(w http.ResponseWriter, r *http.Request, v *visit) error {
	id, err := formID(r)
	if err != nil {
		return err
	}
	all, err := s.Onboarding.Rules(r.Context(), v.fed.ID)
	if err != nil {
		return err
	}
	one, err := withID(all, "rule", func(o domain.ApprovalRule) bool { return o.ID == id })
	if err != nil {
		return err
	}
	if ok, err := s.confirmed(w, r, v, dropRuleConfirmation(v.fed, one)); err != nil || !ok {
		return err
	}
	if err := s.Onboarding.DropRule(r.Context(), v.actor(), v.fed.ID, id); err != nil {
		return err
	}
	return s.done(w, r, "/f/"+v.fed.Slug+"/invites", "The rule is gone. Who was approved by it stays.")
}

// inviteTone says whether an invitation still works.
func inviteTone(ctx context.Context, i domain.Invitation) tone {
	switch why := i.Ended(nowOf(ctx)); {
	case why == "used up":
		return tone{class: "is-off", icon: "ok", word: why}
	case why != "":
		return tone{class: "is-off", icon: "off", word: why}
	}
	return tone{class: "is-ok", icon: "ok", word: "works", reason: "until " + i.ExpiresAt.UTC().Format("2 Jan")}
}

// inviteWords tells for whom an invitation is.
func inviteWords(i domain.Invitation) string {
	switch {
	case i.Email != "":
		return i.Email
	case i.Note != "":
		return i.Note
	case i.Domain != "":
		return "Anybody at " + i.Domain
	}
	return "Anybody with the link"
}

func inviteUse(i domain.Invitation) string {
	words := fmt.Sprintf("%d of %s came", i.Used, plural(i.Uses, "person", "people"))
	if i.Domain != "" {
		words += ", only @" + i.Domain
	}
	if i.Auto {
		return words + ", approved without a review"
	}
	return words + ", each reviewed"
}

func revokeInviteConfirmation(fed domain.Federation, i domain.Invitation) confirmation {
	return confirmation{"Take back the invitation of " + inviteWords(i) + "? Its link stops working. People who have used it stay.",
		"Take back invitation", "/f/" + fed.Slug + "/invites"}
}

func dropRuleConfirmation(fed domain.Federation, r domain.ApprovalRule) confirmation {
	return confirmation{"Remove the rule for " + r.Value + "? New requests wait for a manager. People whom it approved stay.", "Remove rule",
		"/f/" + fed.Slug + "/invites"}
}

package invites

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/web/fedpage"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// invitesView is the page of a federation's invitations and approval rules.
type invitesView struct {
	fedpage.Head
	list  []domain.Invitation
	next  int64
	rules []domain.ApprovalRule
	link  string      // a new invitation's, shown this once
	form  invitesForm // kept input
	which string      // the form that errs belongs to: "link", "import" or "rule"
	errs  ui.FormErrors
}

type invitesForm struct {
	note, domain, uses, days, emails, kind, value string
	auto                                          bool
}

const invitesPageSize = 50

// problems are the errors of one of the page's forms.
func (iv invitesView) problems(which string) ui.FormErrors {
	if iv.which == which {
		return iv.errs
	}
	return nil
}

func (s *Pages) invitesView(ctx context.Context, v *visit.Visit, before int64) (invitesView, error) {
	head, err := s.Fed.Head(ctx, v, "invites")
	iv := invitesView{Head: head, form: invitesForm{uses: "1", days: "14"}}
	if err != nil {
		return iv, err
	}
	if iv.list, err = s.Onboarding.Invitations(ctx, v.Fed.ID, before, invitesPageSize+1); err != nil {
		return iv, err
	}
	if len(iv.list) > invitesPageSize {
		iv.list = iv.list[:invitesPageSize]
		iv.next = iv.list[invitesPageSize-1].ID
	}
	iv.rules, err = s.Onboarding.Rules(ctx, v.Fed.ID)
	return iv, err
}

func (s *Pages) showInvites(w http.ResponseWriter, r *http.Request, v *visit.Visit, status int, change func(*invitesView)) error {
	before, _ := strconv.ParseInt(r.URL.Query().Get("before"), 10, 64) // nonsense is the first page
	iv, err := s.invitesView(r.Context(), v, max(before, 0))
	if err != nil {
		return err
	}
	if change != nil {
		change(&iv)
	}
	s.Render(w, r, v, status, ui.Page{Title: "Invitations · " + v.Fed.Name, Nav: "f"}, invitesPage(iv))
	return nil
}

// Page is the page of invitations and rules.
func (s *Pages) Page(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	return s.showInvites(w, r, v, http.StatusOK, nil)
}

// badInvite shows the page again with what was entered and what is wrong with it.
func (s *Pages) badInvite(w http.ResponseWriter, r *http.Request, v *visit.Visit, which string, form invitesForm, err error,
	fields ...string) error {
	errs, status, err := visit.FormError(err, fields...)
	if err != nil {
		return err
	}
	return s.showInvites(w, r, v, status, func(iv *invitesView) { iv.which, iv.form, iv.errs = which, form, errs })
}

// Invite makes a link; it is in this answer only.
func (s *Pages) Invite(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	f := r.PostForm
	form := invitesForm{note: f.Get("note"), domain: f.Get("domain"), uses: f.Get("uses"), days: f.Get("days"), auto: f.Get("auto") != ""}
	var errs domain.Errors
	uses, err := strconv.Atoi(strings.TrimSpace(form.uses))
	if err != nil {
		errs = errs.With(visit.NotANumber("How many people", form.uses, "uses"))
	}
	days, err := strconv.Atoi(strings.TrimSpace(form.days))
	if err != nil {
		errs = errs.With(visit.NotANumber("The days", form.days, "days"))
	}
	link := ""
	if err = errs.OrNil(); err == nil {
		link, _, err = s.Onboarding.Invite(r.Context(), v.Actor(), onboarding.InviteInput{FederationID: v.Fed.ID, Note: form.note,
			Domain: strings.TrimSpace(form.domain), Uses: uses, Days: days, Auto: form.auto})
	}
	if err != nil {
		return s.badInvite(w, r, v, "link", form, err, "note", "domain", "uses", "days")
	}
	return s.showInvites(w, r, v, http.StatusOK, func(iv *invitesView) { iv.link = link })
}

// Import makes an invitation for each line of a list.
func (s *Pages) Import(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	f := r.PostForm
	form := invitesForm{emails: f.Get("emails"), days: f.Get("days"), uses: "1", auto: f.Get("auto") != ""}
	var done onboarding.Imported
	days, err := strconv.Atoi(strings.TrimSpace(form.days))
	if err != nil {
		err = visit.NotANumber("The days", form.days, "days")
	} else {
		done, err = s.Onboarding.ImportInvitations(r.Context(), v.Actor(), v.Fed.ID, form.emails, days, form.auto)
	}
	if err != nil {
		return s.badInvite(w, r, v, "import", form, err, "emails", "days")
	}
	words := ui.Plural(len(done.Invited), "address is", "addresses are") + " invited by mail."
	if n := len(done.Known); n > 0 {
		words += fmt.Sprintf(" %s left out: invited already, or with a request here.", ui.Plural(n, "was", "were"))
	}
	return s.Done(w, r, "/f/"+v.Fed.Slug+"/invites", words)
}

// Revoke takes an invitation back.
func (s *Pages) Revoke(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	id, err := visit.FormID(r)
	if err != nil {
		return err
	}
	page, err := s.Onboarding.Invitations(r.Context(), v.Fed.ID, id+1, 1)
	if err != nil {
		return err
	}
	one, err := visit.WithID(page, "invitation", func(i domain.Invitation) bool { return i.ID == id })
	if err != nil {
		return err
	}
	if ok, err := s.Confirmed(w, r, v, revokeInviteConfirmation(v.Fed, one)); err != nil || !ok {
		return err
	}
	if err := s.Onboarding.RevokeInvitation(r.Context(), v.Actor(), v.Fed.ID, id); err != nil {
		return err
	}
	return s.Done(w, r, "/f/"+v.Fed.Slug+"/invites", "The invitation does not work any more. Who came by it stays.")
}

// AddRule adds a rule that approves requests.
func (s *Pages) AddRule(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	form := invitesForm{kind: r.PostForm.Get("kind"), value: r.PostForm.Get("value"), uses: "1", days: "14"}
	rule, err := s.Onboarding.AddRule(r.Context(), v.Actor(), v.Fed.ID, domain.RuleKind(form.kind), form.value)
	if err != nil {
		return s.badInvite(w, r, v, "rule", form, err, "kind", "value")
	}
	return s.Done(w, r, "/f/"+v.Fed.Slug+"/invites", "Requests from "+rule.Value+" are approved by themselves from now on.")
}

// DropRule removes a rule that approves requests.
func (s *Pages) DropRule(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	id, err := visit.FormID(r)
	if err != nil {
		return err
	}
	all, err := s.Onboarding.Rules(r.Context(), v.Fed.ID)
	if err != nil {
		return err
	}
	one, err := visit.WithID(all, "rule", func(o domain.ApprovalRule) bool { return o.ID == id })
	if err != nil {
		return err
	}
	if ok, err := s.Confirmed(w, r, v, dropRuleConfirmation(v.Fed, one)); err != nil || !ok {
		return err
	}
	if err := s.Onboarding.DropRule(r.Context(), v.Actor(), v.Fed.ID, id); err != nil {
		return err
	}
	return s.Done(w, r, "/f/"+v.Fed.Slug+"/invites", "The rule is gone. Who was approved by it stays.")
}

// inviteTone says whether an invitation still works.
func inviteTone(ctx context.Context, i domain.Invitation) ui.Tone {
	switch why := i.Ended(ui.NowOf(ctx)); {
	case why == "used up":
		return ui.Tone{Class: "is-off", Icon: "ok", Word: why}
	case why != "":
		return ui.Tone{Class: "is-off", Icon: "off", Word: why}
	}
	return ui.Tone{Class: "is-ok", Icon: "ok", Word: "works", Reason: "until " + i.ExpiresAt.UTC().Format("2 Jan")}
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
	words := fmt.Sprintf("%d of %s came", i.Used, ui.Plural(i.Uses, "person", "people"))
	if i.Domain != "" {
		words += ", only @" + i.Domain
	}
	if i.Auto {
		return words + ", approved without a review"
	}
	return words + ", each reviewed"
}

func revokeInviteConfirmation(fed domain.Federation, i domain.Invitation) visit.Confirmation {
	return visit.Confirmation{Words: "Take back the invitation of " + inviteWords(i) +
		"? Its link stops working. People who have used it stay.",
		Do: "Take back invitation", Back: "/f/" + fed.Slug + "/invites"}
}

func dropRuleConfirmation(fed domain.Federation, r domain.ApprovalRule) visit.Confirmation {
	return visit.Confirmation{Words: "Remove the rule for " + r.Value + "? New requests wait for a manager. People whom it approved stay.",
		Do:   "Remove rule",
		Back: "/f/" + fed.Slug + "/invites"}
}

package site

import (
	"regexp"
	"slices"
	"strings"

	"blossomtune/internal/domain"
)

// Placeholder is what a mail's template is filled with.
type Placeholder struct {
	Name   string
	Says   string
	Needed bool   // the text makes no sense without it
	Sample string // for the preview
}

// Mail is one kind of mail.
type Mail struct {
	Kind         string
	When         string // it is sent
	Subject      string // the defaults
	Text         string
	Placeholders []Placeholder
}

// Kinds of mails.
const (
	MailCode      = "code"
	MailInvited   = "invited"
	MailApproved  = "approved"
	MailRejected  = "rejected"
	MailRevoked   = "revoked"
	MailSuspended = "suspended"
	MailWaiting   = "waiting"
	MailAppWaits  = "app_waits"
	MailConnect   = "connect"
	MailNotice    = "notice"
	MailSignIn    = "signin"
)

var (
	forSite       = Placeholder{Name: "site", Says: "the name of this site", Sample: DefaultName}
	forFederation = Placeholder{Name: "federation", Says: "its name", Sample: "Cardio"}
	forRequest    = Placeholder{Name: "request", Says: "the request's id", Sample: "7KQ2-M4XA"}
	forPartition  = Placeholder{Name: "partition", Says: "the partition's number", Sample: "3"}
	forReason     = Placeholder{Name: "reason", Says: "what the manager wrote", Needed: true, Sample: "no MRI data"}
)

func link(says, sample string) Placeholder {
	return Placeholder{Name: "link", Says: says, Needed: true, Sample: "https://fl.example.org" + sample}
}

var mails = []Mail{
	{Kind: MailCode, When: "Somebody asks to join", Subject: "{code} is your code for {federation}", Text: codeText, Placeholders: []Placeholder{
		{Name: "code", Says: "the code", Needed: true, Sample: "H7TM-2VQX"}, link("opens the page with the code filled in", "/verify?ref=7KQ2-M4XA&code=H7TM-2VQX"), forRequest, forFederation, forSite}},
	{Kind: MailInvited, When: "A manager invites an address", Subject: "You are invited to {federation}", Text: invitedText, Placeholders: []Placeholder{
		link("opens the invitation", "/i/…"), {Name: "by", Says: "who invites", Sample: "Ada"}, {Name: "about", Says: "the federation's description", Sample: "Echo reports of five clinics."},
		{Name: "next", Says: "what they will have to do", Sample: stepsReviewed}, {Name: "until", Says: "the link's last day", Sample: "2 January 2027"}, forFederation, forSite}},
	{Kind: MailApproved, When: "A request is approved", Subject: "You are in: {federation}", Text: approvedText, Placeholders: []Placeholder{
		link("opens their own page", "/me/cardio"), forPartition, {Name: "total", Says: "of how many", Sample: "10"},
		{Name: "commands", Says: "what to paste on Linux, macOS and Windows", Sample: "Linux:\n…\n\nmacOS:\n…\n\nWindows (PowerShell):\n…"},
		forRequest, forFederation, forSite}},
	{Kind: MailRejected, When: "A request is turned down", Subject: "Your request to join {federation}", Text: rejectedText, Placeholders: []Placeholder{
		forReason, {Name: "link", Says: "where they can ask again", Sample: "https://fl.example.org/join/cardio"}, forRequest, forFederation, forSite}},
	{Kind: MailRevoked, When: "Access is ended", Subject: "Your access to {federation} has ended", Text: revokedText, Placeholders: []Placeholder{forReason, forPartition, forRequest, forFederation, forSite}},
	{Kind: MailSuspended, When: "A SuperNode is suspended", Subject: "Your SuperNode in {federation} is suspended", Text: suspendedText, Placeholders: []Placeholder{forReason, forPartition, forFederation, forSite}},
	{Kind: MailWaiting, When: "Requests wait for a manager", Subject: "{summary}", Text: waitingText, Placeholders: []Placeholder{
		link("opens the requests", "/f/cardio/requests"), {Name: "summary", Says: "who asks, or how many wait", Sample: "2 requests wait in Cardio"}, {Name: "names", Says: "who waits, a line each", Sample: "- Site North, Hospital\n- Site West"}, forFederation, forSite}},
	{Kind: MailAppWaits, When: "An app version waits for a participant", Subject: "{app} waits for your approval in {federation}", Text: appWaitsText, Placeholders: []Placeholder{
		{Name: "hash", Says: "the version's SHA-256", Needed: true, Sample: "a91c03f75d2e4b60a91c03f75d2e4b60a91c03f75d2e4b60a91c03f75d2e4b60"}, {Name: "app", Says: "the app and its version", Sample: "blossomtune/quickstart-digits 1.2.0"},
		link("opens their status page", "/me/cardio"), forFederation, forSite}},
	{Kind: MailConnect, When: "Someone was approved and has not connected: a manager, or the federation's rule, reminds them",
		Subject: "Your machine is not connected to {federation} yet", Text: connectText, Placeholders: []Placeholder{
			link("opens their own page", "/me/cardio"), {Name: "since", Says: "when they were approved", Sample: "2 January 2027"},
			forPartition, forRequest, forFederation, forSite}},
	{Kind: MailNotice, When: "Something happened that a person is notified of, see their notifications", Subject: "{summary}",
		Text: noticeText,
		Placeholders: []Placeholder{{Name: "text", Says: "what happened, with links", Needed: true, Sample: noticeSample},
			{Name: "summary", Says: "what happened, in a line", Sample: "digits-14 failed in Cardio"},
			{Name: "preferences", Says: "the page where they choose what is mailed", Sample: "https://fl.example.org/me/account/notifications"},
			forSite}},
	{Kind: MailSignIn, When: "Somebody signs in by e-mail", Subject: "Sign in to {site}", Text: signInText, Placeholders: []Placeholder{link("signs in, once", "/signin/…"), forSite}},
}

// What invited people will have to do.
const (
	stepsReviewed = "You ask to join, a manager reviews, you run one command on the machine that holds your data."
	stepsAuto     = "You confirm your e-mail address and run one command on the machine that holds your data."
)

// StepsOf says what an invited person will have to do.
func StepsOf(auto bool) string {
	if auto {
		return stepsAuto
	}
	return stepsReviewed
}

// Mails are all kinds of mails.
func Mails() []Mail { return mails }

func mailOf(kind string) Mail {
	i := slices.IndexFunc(mails, func(m Mail) bool { return m.Kind == kind })
	return mails[i] // kinds are constants of this package
}

func mailFields() (out []Field) {
	for _, m := range mails {
		group := "mail." + m.Kind
		out = append(out,
			Field{Key: group + ".subject", Group: group, Label: "Subject", Kind: Subject, Default: m.Subject, Most: 200, Mail: m.Kind},
			Field{Key: group + ".text", Group: group, Label: "Text", Kind: Body, Default: m.Text, Most: 8000, Mail: m.Kind})
	}
	return out
}

// braces finds everything that looks like a placeholder, so that a misspelt one is refused and not mailed.
var braces = regexp.MustCompile(`\{([^{}\n]*)\}`)

// checkTemplate reports placeholders that the mail does not have, or lacks.
func checkTemplate(f Field, text string) error {
	m := mailOf(f.Mail)
	used := map[string]bool{}
	for _, found := range braces.FindAllStringSubmatch(text, -1) {
		used[found[1]] = true
		if !slices.ContainsFunc(m.Placeholders, func(p Placeholder) bool { return p.Name == found[1] }) {
			return domain.Errorf(domain.Invalid, "This mail has no %s.", found[0]).Fix("It can be filled with %s.", namesOf(m.Placeholders)).At(f.Key)
		}
	}
	for _, p := range m.Placeholders {
		if f.Kind == Body && p.Needed && !used[p.Name] {
			return domain.Errorf(domain.Invalid, "{%s} is missing: %s.", p.Name, p.Says).Fix("Without it the mail is of no use. Put it where it belongs, on a line of its own with four spaces before it to make it stand out.").At(f.Key)
		}
	}
	return nil
}

func namesOf(ps []Placeholder) string {
	names := make([]string, len(ps))
	for i, p := range ps {
		names[i] = "{" + p.Name + "}"
	}
	return strings.Join(names, ", ")
}

var manyLines = regexp.MustCompile(`\n[ \t]*(\n[ \t]*)+\n`)

// fill puts values in the place of a template's placeholders, in one pass: what a value holds is never taken for a placeholder.
// A placeholder without a value leaves no hole.
func fill(template string, values map[string]string) string {
	text := braces.ReplaceAllStringFunc(template, func(found string) string { return values[found[1:len(found)-1]] })
	return manyLines.ReplaceAllString(text, "\n\n")
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

package web_test

import (
	"blossomtune/internal/servertest"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/notify"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/store"
	"blossomtune/internal/web"
)

// destructive is a form that asks before anything changes.
type destructive struct {
	kind, path string
	fields     []string
	asks, back string
	action     string // in the audit; "" where none is kept
}

// notAsking is why the other forms do not ask.
var notAsking = map[string]string{
	"POST /signin": "gives", "POST /signin/{secret}": "gives", "POST /setup/{secret}": "gives", "POST /signout": "own session",
	"POST /join/{fed}": "gives", "POST /i/{secret}": "gives",
	"POST /verify": "gives", "POST /verify/resend": "gives", "POST /device": "gives", "POST /me/account/tokens": "gives",
	"POST /me/{fed}/token": "gives", "POST /me/{fed}/key": "gives", "POST /f": "gives",
	"POST /f/{fed}/partitions": "refused where it would take anything", "POST /f/{fed}/requests/approve": "gives",
	"POST /f/{fed}/invites": "gives", "POST /f/{fed}/invites/import": "gives", "POST /f/{fed}/invites/rules": "gives",
	"POST /f/{fed}/nodes/resume": "gives", "POST /f/{fed}/launch": "against the board it needs a reason",
	"POST /f/{fed}/launch/config.json": "changes nothing", "POST /f/{fed}/launch/presets.json": "gives",
	"POST /f/{fed}/launch/presets/drop.json": "only a script sends it",
	"POST /f/{fed}/apps":                     "gives", "POST /f/{fed}/settings/artifacts": "a setting",
	"POST /f/{fed}/runs/{run}/share":    "gives",
	"POST /f/{fed}/runs/{run}/describe": "has an undo", "POST /f/{fed}/runs/{run}/again": "gives",
	"POST /f/{fed}/runs/{run}/move":    "can be moved back",
	"POST /f/{fed}/restore-runs":       "gives",
	"POST /f/{fed}/runs/{run}/requeue": "gives", "POST /f/{fed}/settings": "a setting", "POST /f/{fed}/settings/runs": "a setting",
	"POST /apps": "gives", "POST /apps/git": "gives", "POST /admin/settings": "a setting", "POST /admin/audit/check": "changes nothing",
	"POST /admin/mail/{id}": "gives", "POST /me/account/notifications": "a setting", "POST /f/{fed}/webhooks": "gives",
	"POST /admin/webhooks": "gives", "POST /admin/system/backup": "gives", "POST /f/{fed}/nodes/remind": "limited to one mail a day",
	"POST /f/{fed}/settings/notices": "a setting",
}

// destructiveForms makes what there is to destroy, and returns the form of each that does.
func (s *site) destructiveForms() map[string]destructive {
	s.T.Helper()
	ctx := s.T.Context()
	must := func(err error) {
		s.T.Helper()
		if err != nil {
			s.T.Fatal(err)
		}
	}
	s.addRun(s.Fed.ID, "r-2", s.goesOn(43))
	s.Took("r-3", 44, nil)
	must(s.Server.Engines.Start(ctx, domain.System, s.Fed.ID))
	identity := domain.Identity{PersonID: s.Persons["viewer"].ID, Provider: "oidc", Subject: "1", CreatedAt: time.Now()}
	key := domain.NodeKey{FederationID: s.Fed.ID, RequestID: s.Kept.ID, PublicPEM: []byte("pem"), Fingerprint: "f", Via: "upload",
		CreatedAt: time.Now()}
	s.Put(func(tx *store.Tx) error {
		if err := tx.InsertIdentity(ctx, &identity); err != nil {
			return err
		}
		return tx.InsertNodeKey(ctx, &key)
	})
	elsewhere := func(kind string) string {
		_, session, err := s.Server.Accounts.NewSession(ctx, s.Persons[kind].ID, "198.51.100.7", "Another Browser")
		must(err)
		return fmt.Sprint(session.ID)
	}
	token := func(kind string) string {
		_, made, err := s.Server.Accounts.CreateToken(ctx, domain.System, s.Persons[kind].ID, "nightly", domain.ScopeRead, time.Hour*24)
		must(err)
		return fmt.Sprint(made.ID)
	}
	_, invitation, err := s.Server.Onboarding.Invite(ctx, domain.System, onboarding.InviteInput{FederationID: s.Fed.ID, Note: "Site South",
		Uses: 1, Days: 7})
	must(err)
	rule, err := s.Server.Onboarding.AddRule(ctx, domain.System, s.Fed.ID, domain.RuleDomain, "example.net")
	must(err)
	_, share, err := s.Server.Runs.Share(ctx, domain.System, s.Run, 7, false)
	must(err)
	lost := domain.Person{Email: "lost@example.org", Name: "Lost"}
	s.Put(func(tx *store.Tx) error { return tx.InsertPerson(ctx, &lost) })
	second := s.Request("second", s.Fed, domain.Pending)
	hook := func(fedID int64) string {
		made, _, err := s.Server.Notify.AddWebhook(ctx, domain.System, fedID, notify.WebhookInput{Name: "ops", URL: "https://hooks.example.org/x",
			Shape: domain.WebhookJSON, Kinds: []domain.NoticeKind{domain.NoticeRunFailed}})
		must(err)
		return fmt.Sprint(made.ID)
	}
	manager := "/admin/people/" + strconv.FormatInt(s.Persons["manager"].ID, 10)
	viewer := "/admin/people/" + strconv.FormatInt(s.Persons["viewer"].ID, 10)
	return map[string]destructive{
		"POST /me/account/sessions": {"viewer", "/me/account/sessions", []string{"id", elsewhere("viewer")},
			"End the session of Another Browser?", "/me/account", ""},
		"POST /me/account/identities": {"viewer", "/me/account/identities", []string{"id", fmt.Sprint(identity.ID)},
			"Unlink your account at oidc?", "/me/account", ""},
		"POST /me/account/tokens/revoke": {"viewer", "/me/account/tokens/revoke", []string{"id", token("viewer")},
			"Revoke the API token nightly?", "/me/account", "api_token.revoked"},
		"POST /me/{fed}/withdraw": {"asker", "/me/fed/withdraw", nil, "Withdraw your request to join Fed?", "/me/fed",
			"request.withdrawn"},
		"POST /f/{fed}/runs/{run}/stop": {"manager", "/f/fed/runs/r-2/stop", nil, "A stopped run cannot be resumed.", "/f/fed/runs/r-2",
			"run.stop_asked"},
		"POST /f/{fed}/delete-runs": {"manager", "/f/fed/delete-runs", []string{"run", "r-3"}, "Delete r-3?", "/f/fed/runs", "run.deleted"},
		"POST /f/{fed}/superlink/{action}": {"manager", "/f/fed/superlink/stop", nil,
			"Stop the SuperLink of Fed? 1 run in progress ends as stopped.", "/f/fed", "superlink.stopped"},
		"POST /f/{fed}/invites/revoke": {"manager", "/f/fed/invites/revoke", []string{"id", fmt.Sprint(invitation.ID)},
			"Take back the invitation of Site South?", "/f/fed/invites", "invitation.revoked"},
		"POST /f/{fed}/invites/rules/drop": {"manager", "/f/fed/invites/rules/drop", []string{"id", fmt.Sprint(rule.ID)},
			"Remove the rule for example.net?", "/f/fed/invites", "rule.dropped"},
		"POST /f/{fed}/runs/{run}/share/revoke": {"manager", "/f/fed/runs/r-1/share/revoke", []string{"id", fmt.Sprint(share.ID)},
			"Revoke the link to r-1", "/f/fed/runs/r-1#share", "run.share_revoked"},
		"POST /f/{fed}/settings/roles": {"manager", "/f/fed/settings/roles", []string{"email", "viewer@example.org", "role", ""},
			"Take away the role of viewer@example.org in Fed?", "/f/fed/settings", "role"},
		"POST /f/{fed}/nodes/suspend": {"manager", "/f/fed/nodes/suspend",
			[]string{"id", fmt.Sprint(s.Kept.ID), "reason", "moving", "back", "sort=name"}, "Suspend the SuperNode of participant, partition 0?",
			"/f/fed/nodes?sort=name", "node_key.suspended"},
		"POST /f/{fed}/requests/reject": {"manager", "/f/fed/requests/reject",
			[]string{"id", fmt.Sprint(second.ID), "reason", "no data"}, "Reject the request of second?", "/f/fed/requests?request=SECOND",
			"request.rejected"},
		"POST /f/{fed}/requests/revoke": {"manager", "/f/fed/requests/revoke", []string{"id", fmt.Sprint(s.Kept.ID), "reason", "left"},
			"Revoke the access of participant?", "/f/fed/requests?request=PARTICIPANT", "request.revoked"},
		"POST /f/{fed}/webhooks/{id}/{action}": {"manager", "/f/fed/webhooks/" + hook(s.Fed.ID) + "/delete", nil, "Delete the webhook ops?",
			"/f/fed/webhooks", "webhook.removed"},
		"POST /admin/webhooks/{id}/{action}": {"admin", "/admin/webhooks/" + hook(0) + "/delete", nil, "Delete the webhook ops?",
			"/admin/webhooks", "webhook.removed"},
		"POST /admin/people/{id}/sessions": {"admin", viewer + "/sessions", []string{"id", elsewhere("viewer")},
			"End the session of Another Browser?", viewer, "session"},
		"POST /admin/people/{id}/tokens": {"admin", viewer + "/tokens", []string{"id", token("viewer")}, "Revoke the API token nightly?",
			viewer, "api_token.revoked"},
		"POST /admin/people/{id}/erase": {"admin", "/admin/people/" + fmt.Sprint(lost.ID) + "/erase", nil,
			"This cannot be undone.", "/admin/people/" + fmt.Sprint(lost.ID), "person.erased"},
		"POST /admin/people/{id}/signout": {"admin", manager + "/signout", nil, "out everywhere and revoke all their API tokens?",
			manager, "person.access_ended"},
		"POST /admin/people/{id}": {"admin", viewer, []string{"admin", "true"}, "an admin?", "/admin/people", "person"},
		"POST /admin/system/uncontained": {"admin", "/admin/system/uncontained", []string{"accept", "yes"},
			"Let managers add and launch apps that this server cannot contain?", "/admin/system", "uncontained"},
	}
}

// Every form either asks, on a page where there is no script, or is listed with the reason why it does not. Nothing changes until the
// form of that page is sent.
func TestDestructiveFormsAskWithoutAScript(t *testing.T) {
	s := newSite(t)
	forms := s.destructiveForms()
	var asking []string
	for _, pattern := range web.Patterns() {
		if _, asks := forms[pattern]; asks {
			asking = append(asking, pattern)
		} else if strings.HasPrefix(pattern, "POST ") && notAsking[pattern] == "" {
			t.Errorf("%s is neither among the forms that ask nor among those that do not", pattern)
		}
	}
	before := strings.Count(s.auditText(), "\n")
	for _, pattern := range asking {
		s.asksFirst(forms[pattern])
	}
	if n := strings.Count(s.auditText(), "\n"); n != before {
		t.Errorf("something acts before the answer: %s", s.auditText())
	}
	slices.SortFunc(asking, func(a, b string) int { // the admin's last: they end sessions
		if x, y := strings.HasPrefix(a, "POST /admin"), strings.HasPrefix(b, "POST /admin"); x != y {
			return map[bool]int{true: 1, false: -1}[x]
		}
		return strings.Compare(a, b)
	})
	for _, pattern := range asking {
		c := forms[pattern]
		before := strings.Count(s.auditText(), c.action)
		if a := s.Post(c.kind, c.path, append(c.fields, "confirmed", "yes")...); a.Status != http.StatusSeeOther {
			t.Errorf("%s, confirmed: %d %s", c.path, a.Status, a.Body)
		}
		if c.action != "" && strings.Count(s.auditText(), c.action) == before {
			t.Errorf("%s, confirmed, changes nothing: %s", c.path, s.auditText())
		}
	}
}

// asksFirst sends a form, which must be answered with a page that sends the same form again.
func (s *site) asksFirst(c destructive) {
	s.T.Helper()
	asked := s.Post(c.kind, c.path, c.fields...)
	if asked.Status != http.StatusOK || !strings.Contains(asked.Body, c.asks) || !strings.Contains(asked.Body, `href="`+c.back+`"`) {
		s.T.Errorf("%s does not ask: %d %s", c.path, asked.Status, asked.Body)
		return
	}
	var names []string
	for _, f := range servertest.FormsOf(s.T, asked.Body, c.path) {
		if f.Action == c.path {
			names = append(names, slices.Sorted(maps.Keys(f.Values))...)
		}
	}
	want := []string{"confirmed"}
	for i := 0; i < len(c.fields); i += 2 {
		want = append(want, c.fields[i])
	}
	if slices.Sort(want); !slices.Equal(names, want) {
		s.T.Errorf("the page of %s sends %v, want %v", c.path, names, want)
	}
}

var (
	aForm     = regexp.MustCompile(`(?s)<form [^>]*method="post".*?</form>`)
	formWords = regexp.MustCompile(`data-confirm="[^"]+" data-confirm-do="[^"]+"`)
)

// Where there is a script, every button in the colour of what destroys asks in a dialog.
func TestDestructiveButtonsAskInADialog(t *testing.T) {
	s := newSite(t)
	s.destructiveForms()
	viewer := "/admin/people/" + strconv.FormatInt(s.Persons["viewer"].ID, 10)
	found := 0
	for path, kind := range map[string]string{"/me/account": "viewer", "/me/fed": "asker", "/f/fed": "manager", "/f/fed/requests": "manager",
		"/f/fed/requests?request=PARTICIPANT": "manager", "/f/fed/invites": "manager", "/f/fed/nodes": "manager",
		"/f/fed/runs/r-1": "manager", "/f/fed/runs/r-2": "manager", "/f/fed/settings": "manager", "/admin/people": "admin", viewer: "admin",
		"/admin/system": "admin"} {
		for _, text := range aForm.FindAllString(s.Get(kind, path).Body, -1) {
			if !strings.Contains(text, "is-stop") {
				continue
			}
			if found++; !formWords.MatchString(text) {
				t.Errorf("%s has a form that does not ask: %s", path, text)
			}
		}
	}
	if found < 14 {
		t.Errorf("only %d such forms were found", found)
	}
}

package api_test

import (
	"blossomtune/internal/servertest"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"blossomtune/internal/web"
)

// who may use a route, beginning with the least of them; an empty list is nobody.
var (
	everybody = servertest.Kinds
	known     = servertest.Kinds[1:]
	members   = []string{"participant", "viewer", "manager", "admin"}
	managers  = []string{"manager", "admin"}
	admins    = []string{"admin"}
	askers    = []string{"asker", "revoked", "participant"} // they have a request; its state decides the rest
	watchers  = []string{"viewer", "manager", "admin"}
	theOne    = []string{"participant"} // the request is theirs
	nobody    = []string{}              // needs something else than a session
)

var pageAccess = map[string][]string{
	"GET /{$}": everybody, "GET /help": everybody, "GET /docs": everybody, "GET /docs/{name}": everybody, "GET /api": everybody,
	"GET /download/{name}": everybody, "GET /site.css": everybody, "GET /site/logo": everybody, "GET /signin": everybody,
	"POST /signin": everybody, "GET /signin/{secret}": everybody, "POST /signin/{secret}": everybody,
	"GET /signin/with/{provider}": everybody, "GET /signin/callback/{provider}": everybody, "GET /setup/{secret}": everybody, "POST /setup/{secret}": everybody, "POST /signout": everybody, "GET /join/{fed}": everybody, "POST /join/{fed}": everybody,
	"GET /i/{secret}": everybody, "POST /i/{secret}": everybody,
	"GET /verify": everybody, "POST /verify": everybody, "POST /verify/resend": everybody,
	"GET /device": known, "POST /device": known,
	"GET /me": known, "GET /me/{fed}": known, "GET /me/{fed}/events": askers, "POST /me/{fed}/token": askers, "GET /me/{fed}/bundle.zip": askers, "GET /me/{fed}/it": askers, "POST /me/{fed}/key": askers, "POST /me/{fed}/withdraw": askers,
	"GET /me/account": known, "GET /me/account/notifications": known, "POST /me/account/notifications": admins,
	"POST /me/account/sessions": known, "POST /me/account/identities": known, "POST /me/account/tokens": known,
	"POST /me/account/tokens/revoke": known,
	"GET /f/{fed}/webhooks":          managers, "POST /f/{fed}/webhooks": managers, "POST /f/{fed}/webhooks/{id}/{action}": managers,
	"GET /admin/webhooks": admins, "POST /admin/webhooks": admins, "POST /admin/webhooks/{id}/{action}": admins,
	"POST /f/{fed}/nodes/remind": managers, "POST /f/{fed}/settings/notices": managers,
	"GET /f/{fed}/settings": managers, "POST /f/{fed}/settings/roles": managers, "POST /f/{fed}/settings/runs": managers, "GET /admin/people": admins, "GET /admin/people/{id}": admins, "POST /admin/people/{id}": admins, "POST /admin/people/{id}/signout": admins, "POST /admin/people/{id}/sessions": admins, "POST /admin/people/{id}/tokens": admins,
	"GET /overview/events": watchers, "GET /find.json": known, "GET /f": known, "POST /f": admins,
	"GET /f/{fed}": members, "GET /f/{fed}/events": members, "POST /f/{fed}/superlink/{action}": managers, "POST /f/{fed}/partitions": managers,
	"GET /f/{fed}/requests": managers, "GET /f/{fed}/requests/events": managers, "POST /f/{fed}/requests/approve": managers, "POST /f/{fed}/requests/reject": managers, "POST /f/{fed}/requests/revoke": managers,
	"GET /f/{fed}/requests.csv": managers, "GET /f/{fed}/invites": managers, "POST /f/{fed}/invites": managers, "POST /f/{fed}/invites/import": managers, "POST /f/{fed}/invites/revoke": managers, "POST /f/{fed}/invites/rules": managers, "POST /f/{fed}/invites/rules/drop": managers, "POST /f/{fed}/settings": managers,
	"GET /f/{fed}/nodes": managers, "GET /f/{fed}/nodes/events": managers, "POST /f/{fed}/nodes/suspend": managers, "POST /f/{fed}/nodes/resume": managers, "GET /f/{fed}/launch": managers, "GET /f/{fed}/launch/events": managers, "POST /f/{fed}/launch": managers, "POST /f/{fed}/apps": managers,
	"GET /f/{fed}/runs": members, "GET /f/{fed}/runs/events": members, "GET /f/{fed}/runs.csv": members, "GET /f/{fed}/runs/{run}": members, "GET /f/{fed}/runs/{run}/events": members, "POST /f/{fed}/runs/{run}/stop": managers, "POST /f/{fed}/runs/{run}/again": managers, "POST /f/{fed}/runs/{run}/move": managers, "POST /f/{fed}/runs/{run}/requeue": managers,
	"GET /f/{fed}/runs/{run}/metrics.json": members, "GET /f/{fed}/runs/{run}/metrics.csv": members, "GET /f/{fed}/runs/{run}/charts.json": members, "GET /f/{fed}/runs/{run}/log/{kind}": members, "GET /f/{fed}/runs/{run}/artifacts/{path...}": members,
	"GET /share/{secret}": everybody, "GET /share/{secret}/events": everybody, "GET /share/{secret}/charts.json": everybody, "GET /share/{secret}/metrics.csv": everybody, "GET /share/{secret}/metrics.json": everybody, "GET /share/{secret}/rounds": everybody, "GET /share/{secret}/log/{kind}": everybody,
	"GET /f/{fed}/runs/{run}/preview/{path...}": members, "GET /f/{fed}/runs/{run}/artifacts.zip": members, "POST /f/{fed}/settings/artifacts": managers, "GET /f/{fed}/runs/{run}/receipt.json": members, "POST /f/{fed}/runs/{run}/share": managers, "POST /f/{fed}/runs/{run}/share/revoke": managers, "POST /f/{fed}/runs/{run}/describe": managers,
	"POST /admin/people/{id}/erase": admins,
	"GET /f/{fed}/deleted-runs":     managers, "POST /f/{fed}/delete-runs": managers, "POST /f/{fed}/restore-runs": managers,
	"GET /f/{fed}/compare": members, "GET /f/{fed}/compare/events": members, "GET /f/{fed}/compare.json": members,
	"GET /f/{fed}/runs/{run}/rounds": members,
	"GET /me/{fed}/logs":             askers, "GET /me/{fed}/logs/{part}/{kind}": askers,
	"GET /f/{fed}/logs": managers, "GET /f/{fed}/logs/{part}/{kind}": managers,
	"GET /admin/settings": admins, "POST /admin/settings": admins, "GET /admin/system": admins, "GET /admin/system/events": admins, "POST /admin/system/uncontained": admins, "POST /admin/system/backup": admins, "GET /admin/audit": admins, "GET /admin/audit.csv": admins, "POST /admin/audit/check": admins, "GET /admin/mail": admins, "POST /admin/mail/{id}": admins, "GET /admin/mail/events": admins,
	"POST /f/{fed}/launch/config.json": managers, "POST /f/{fed}/launch/presets.json": managers, "POST /f/{fed}/launch/presets/drop.json": managers,
	"GET /apps": known, "GET /apps/events": known, "POST /apps": managers, "POST /apps/git": managers, "GET /apps/{publisher}/{name}/{hash}": members, "GET /apps/{publisher}/{name}/{hash}/diff": members, "GET /apps/{publisher}/{name}/{hash}/fab": members,
}

// Every page and every form answers those who may, and nobody else.
func TestEveryPageIsForThoseWhoMay(t *testing.T) {
	s := newSite(t)
	fill := strings.NewReplacer("{$}", "", "{fed}", "fed", "{run}", "r-1", "{secret}", "nonsense", "{provider}", "nobody", "{id}", "999", "{action}", "stop", "{part}", "keeper", "{kind}", "page", "{path...}", "model.npz", "{publisher}", "p", "{name}", "n", "{hash}", "aaaaaaaa")
	unused := maps.Clone(pageAccess)
	for _, pattern := range web.Patterns() {
		delete(unused, pattern)
		may, listed := pageAccess[pattern]
		if !listed {
			t.Errorf("%s is new: say in this test who may use it", pattern)
			continue
		}
		method, path, _ := strings.Cut(fill.Replace(pattern), " ")
		for _, kind := range servertest.Kinds {
			if pattern == "POST /signout" && kind != "stranger" {
				continue // it would end the session that the next ones need
			}
			a := s.Send(kind, method, path, nil, nil)
			if want := slices.Contains(may, kind); a.Refused() == want || a.Status >= 500 {
				t.Errorf("%s as %s: %d %s, may: %v", pattern, kind, a.Status, a.Header.Get("Location"), want)
			}
		}
	}
	if len(unused) > 0 {
		t.Errorf("no route has %q", slices.Sorted(maps.Keys(unused)))
	}
}

var apiAccess = map[string][]string{
	"enrol": everybody, "agent-config": nobody, "agent-report": nobody, "agent-exit": nobody, "agent-apps": nobody, "agent-log": nobody,
	"agent-about": everybody, "list-programs": everybody, "agent-leave": nobody, "rotate-key": nobody, "ask-device": everybody,
	"poll-device": everybody, "ask": everybody, "verify": everybody, "resend": everybody,
	"list-webhooks": managers, "add-webhook": managers, "change-webhook": managers, "delete-webhook": managers, "test-webhook": managers,
	"renew-webhook-secret": managers, "list-deliveries": managers,
	"get-notification-rules": managers, "set-notification-rules": managers, "remind": managers,
	"get-notifications": known, "choose-notifications": admins,
	"me": known, "my-requests": known, "make-join-command": theOne, "make-challenge": theOne, "upload-key": theOne, "withdraw": theOne,
	"list-federations": known, "create-federation": admins, "get-federation": members, "resize-federation": managers, "set-superlink": managers, "list-nodes": watchers,
	"list-invitations": managers, "invite": managers, "import-invitations": managers, "revoke-invitation": managers, "list-rules": managers, "add-rule": managers, "drop-rule": managers, "configure-federation": managers,
	"list-requests": managers, "approve": managers, "reject": managers, "revoke": managers, "suspend": managers, "resume": managers, "list-mails": admins, "list-apps": known, "upload-app": managers, "add-git-app": managers, "get-app": members, "download-app": members, "list-app-files": members, "get-app-file": members, "diff-app": members,
	"list-presets": managers, "save-preset": managers, "delete-preset": managers,
	"list-audit": admins, "resend-mail": admins, "set-person-admin": admins, "list-roles": managers, "set-role": managers,
	"list-tokens": known, "create-token": known, "revoke-token": known,
	"list-backups": admins, "start-backup": admins,
	"check-audit": admins, "get-settings": admins, "change-settings": admins, "get-containment": admins, "set-containment": admins,
	"list-people": admins, "get-person-access": admins, "end-person-access": admins, "erase-person": admins, "end-person-session": admins, "revoke-person-token": admins,
	"run-round": members, "run-traffic": members,
	"run-receipt": members, "list-artifacts": members, "download-artifact": members, "find-runs": members, "describe-run": managers, "share-run": managers, "list-shares": managers, "revoke-share": managers,
	"delete-runs": managers, "list-deleted-runs": managers, "restore-runs": managers,
	"launch-run": managers, "list-runs": members, "get-run": members, "stop-run": managers, "clone-run": managers, "move-run": managers, "requeue-run": managers, "list-queue": members, "get-run-policy": watchers, "set-run-policy": managers, "run-participants": members, "run-metrics": members, "run-metrics-csv": members, "run-log": members,
}

// bodies are valid as far as the framework is concerned, and asked of by the rules to change nothing.
var bodies = map[string]string{
	"set-notification-rules": `{"offline_minutes":1}`, "remind": `{"refs":["x"]}`,
	"choose-notifications": `{"modes":{}}`, "add-webhook": `{"name":"x","url":"x","format":"json","kinds":["x"]}`,
	"change-webhook": `{"name":"x","kinds":["x"]}`,
	"set-role":       `{"email":"x","role":"viewer"}`, "set-person-admin": `{"admin":false}`,
	"create-token": `{"name":"x","scope":"all","days":400}`,
	"delete-runs":  `{"states":["failed"],"tag":"none"}`, "restore-runs": `{"runs":["r-1"]}`,
	"describe-run": `{}`, "share-run": `{"days":1}`,
	"set-containment": `{"accept_uncontained":false}`,
	"change-settings": `{"values":{"nothing":"x"}}`,
	"enrol":           `{"token":"a.b.c","public_key":"x","proof":"x"}`, "ask": `{"email":"nobody","name":""}`, "verify": `{"code":"22222222"}`, "upload-key": `{"public_key":"x","challenge":"x","signature":"x"}`,
	"create-federation": `{"slug":"-","name":"x","partitions":1}`, "resize-federation": `{"partitions":0}`, "set-superlink": `{"state":"stopped"}`, "approve": `{"refs":["NOT-THERE"]}`, "reject": `{"reason":" "}`,
	"ask-device": `{"host":"x"}`, "poll-device": `{"secret":"x"}`, "invite": `{"uses":1,"days":1,"domain":"x"}`, "import-invitations": `{"emails":"","days":1}`, "add-rule": `{"kind":"organisation","value":"x"}`, "configure-federation": `{"name":"","proof":"both"}`,
	"revoke": `{"reason":" "}`, "suspend": `{"reason":" "}`, "launch-run": `{"app":"nothing"}`, "clone-run": `{"config":{"nothing":"1"}}`, "move-run": `{"place":1}`, "set-run-policy": `{"parallel":0}`, "upload-app": "no app", "add-git-app": `{"repository":"x"}`, "save-preset": `{"config":{"x":"y"}}`,
}

// Every operation of the API answers those who may, and nobody else.
func TestEveryOperationIsForThoseWhoMay(t *testing.T) {
	s := newSite(t)
	var spec struct {
		Paths map[string]map[string]struct{ OperationID string }
	}
	if err := json.Unmarshal([]byte(s.Get("stranger", "/api/openapi.json").Body), &spec); err != nil {
		t.Fatal(err)
	}
	if len(spec.Paths) < 20 {
		t.Fatalf("only %d paths are described", len(spec.Paths))
	}
	fill := strings.NewReplacer("{federation}", "fed", "{run}", "r-1", "{round}", "1", "{ref}", s.Kept.Ref, "{id}", "999", "{part}", "999",
		"{hash}", s.Run.AppHash, "{name}", "n")
	unused, unsent := maps.Clone(apiAccess), maps.Clone(bodies)
	for path, methods := range spec.Paths {
		for method, op := range methods {
			delete(unused, op.OperationID)
			delete(unsent, op.OperationID)
			may, listed := apiAccess[op.OperationID]
			if !listed {
				t.Errorf("the operation %s is new: say in this test who may use it", op.OperationID)
				continue
			}
			for _, kind := range servertest.Kinds {
				a := s.Send(kind, strings.ToUpper(method), fill.Replace(path), nil, func(r *http.Request) {
					if body := bodies[op.OperationID]; body != "" {
						r.Body, r.ContentLength = servertest.Body(body), int64(len(body))
					}
					r.Header.Set("Content-Type", "application/json")
				})
				if want := slices.Contains(may, kind); a.Refused() == want || a.Status >= 500 {
					t.Errorf("%s as %s: %d %s, may: %v", op.OperationID, kind, a.Status, a.Body, want)
				}
			}
		}
	}
	if len(unused) > 0 || len(unsent) > 0 {
		t.Errorf("no operation is %q, none has the body of %q", slices.Sorted(maps.Keys(unused)), slices.Sorted(maps.Keys(unsent)))
	}
}

// What of Flower is not the Fleet API does not exist here, whoever asks.
func TestNothingElseOfFlowerIsServed(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{"/v1/control/start-run", "/v1/control/list-runs", "/v1/runtime/acquire-task", "/v1/runtime/pull-task-input", "/v1/", "/v1/fleets/x", "/v2/fleet/pull-messages", "/health"} {
		for _, kind := range servertest.Kinds {
			for _, method := range []string{http.MethodPost, http.MethodGet} {
				if a := s.Send(kind, method, path, nil, nil); a.Status != http.StatusNotFound {
					t.Errorf("%s %s as %s: %d", method, path, kind, a.Status)
				}
			}
		}
	}
}

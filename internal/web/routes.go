package web

import (
	"net/http"

	"blossomtune/internal/domain"
	"blossomtune/internal/web/visit"
)

// Who may use a route; see [visit.Access].
const (
	anyone       = visit.Anyone
	signedIn     = visit.SignedIn
	aParticipant = visit.Participant
	aMember      = visit.Member
	aManager     = visit.Manager
	anAdmin      = visit.Admin
)

// What a form may send.
const (
	noBody   = 0
	form     = 256 << 10
	settings = 512 << 10 // all mails of the site and a picture are in it
	upload   = domain.MaxFAB + 1<<20
)

type route struct {
	pattern string
	who     visit.Access
	body    int64 // how many bytes a form may send
	do      visit.Handler
}

// table is every route there is.
func (s *server) table() []route {
	return []route{
		{"GET /{$}", anyone, noBody, s.home.Front},
		{"GET /help", anyone, noBody, s.site.Help},
		{"GET /docs", anyone, noBody, s.site.Manual},
		{"GET /docs/{name}", anyone, noBody, s.site.ManualPage},
		{"GET /api", anyone, noBody, s.site.API},
		{"GET /site.css", anyone, noBody, s.site.CSS},
		{"GET /site/logo", anyone, noBody, s.site.Logo},
		{"GET /download/{name}", anyone, noBody, s.site.Program},
		{"GET /signin", anyone, noBody, s.signin.Form},
		{"POST /signin", anyone, form, s.signin.MailLink},
		{"GET /signin/{secret}", anyone, noBody, s.signin.LinkForm},
		{"POST /signin/{secret}", anyone, form, s.signin.UseLink},
		{"GET /signin/with/{provider}", anyone, noBody, s.signin.With},
		{"GET /signin/callback/{provider}", anyone, noBody, s.signin.Back},
		{"GET /setup/{secret}", anyone, noBody, s.signin.SetupForm},
		{"POST /setup/{secret}", anyone, form, s.signin.Setup},
		{"POST /signout", anyone, form, s.signin.SignOut},
		{"GET /join/{fed}", anyone, noBody, s.join.Form},
		{"POST /join/{fed}", anyone, form, s.join.Ask},
		{"GET /i/{secret}", anyone, noBody, s.join.Invitation},
		{"POST /i/{secret}", anyone, form, s.join.AskInvited},
		{"GET /verify", anyone, noBody, s.join.VerifyForm},
		{"POST /verify", anyone, form, s.join.Verify},
		{"POST /verify/resend", anyone, form, s.join.Resend},

		{"GET /device", signedIn, noBody, s.participant.DeviceForm},
		{"POST /device", signedIn, form, s.participant.ApproveDevice},
		{"GET /me", signedIn, noBody, s.participant.Me},
		{"GET /me/account", signedIn, noBody, s.account.Page},
		{"GET /me/account/notifications", signedIn, noBody, s.notifications.Preferences},
		{"POST /me/account/notifications", signedIn, form, s.notifications.Choose},
		{"POST /me/account/sessions", signedIn, form, s.account.EndSessions},
		{"POST /me/account/identities", signedIn, form, s.account.Unlink},
		{"POST /me/account/tokens", signedIn, form, s.account.NewToken},
		{"POST /me/account/tokens/revoke", signedIn, form, s.account.RevokeToken},
		{"GET /me/{fed}", aParticipant, noBody, s.participant.Status},
		{"GET /me/{fed}/events", aParticipant, noBody, s.participant.Events},
		{"GET /me/{fed}/logs", aParticipant, noBody, s.participant.LogsPage},
		{"GET /me/{fed}/logs/{part}/{kind}", aParticipant, noBody, s.participant.LogPart},
		{"GET /me/{fed}/bundle.zip", aParticipant, noBody, s.participant.Bundle},
		{"GET /me/{fed}/it", aParticipant, noBody, s.participant.ITPage},
		{"POST /me/{fed}/token", aParticipant, form, s.participant.NewToken},
		{"POST /me/{fed}/key", aParticipant, form, s.participant.UploadKey},
		{"POST /me/{fed}/withdraw", aParticipant, form, s.participant.Withdraw},

		{"GET /overview/events", signedIn, noBody, s.home.Events},
		{"GET /find.json", signedIn, noBody, s.home.Find},
		{"GET /f", signedIn, noBody, s.home.Federations},
		{"POST /f", anAdmin, form, s.home.CreateFederation},
		{"GET /f/{fed}", aMember, noBody, s.federation.Overview},
		{"GET /f/{fed}/events", aMember, noBody, s.federation.Events},
		{"POST /f/{fed}/superlink/{action}", aManager, form, s.federation.SuperLink},
		{"POST /f/{fed}/partitions", aManager, form, s.resize},
		{"GET /f/{fed}/requests", aManager, noBody, s.requests.Page},
		{"GET /f/{fed}/requests.csv", aManager, noBody, s.requests.CSV},
		{"GET /f/{fed}/requests/events", aManager, noBody, s.requests.Events},
		{"POST /f/{fed}/requests/approve", aManager, form, s.requests.Approve},
		{"POST /f/{fed}/requests/reject", aManager, form, s.requests.Reject},
		{"POST /f/{fed}/requests/revoke", aManager, form, s.requests.Revoke},
		{"GET /f/{fed}/invites", aManager, noBody, s.invites.Page},
		{"POST /f/{fed}/invites", aManager, form, s.invites.Invite},
		{"POST /f/{fed}/invites/import", aManager, form, s.invites.Import},
		{"POST /f/{fed}/invites/revoke", aManager, form, s.invites.Revoke},
		{"POST /f/{fed}/invites/rules", aManager, form, s.invites.AddRule},
		{"POST /f/{fed}/invites/rules/drop", aManager, form, s.invites.DropRule},
		{"GET /f/{fed}/nodes", aManager, noBody, s.nodes.Page},
		{"GET /f/{fed}/nodes/events", aManager, noBody, s.nodes.Events},
		{"POST /f/{fed}/nodes/suspend", aManager, form, s.nodes.Suspend},
		{"POST /f/{fed}/nodes/resume", aManager, form, s.nodes.Resume},
		{"POST /f/{fed}/nodes/remind", aManager, form, s.nodes.Remind},
		{"GET /f/{fed}/launch", aManager, noBody, s.launch.Form},
		{"GET /f/{fed}/launch/events", aManager, noBody, s.launch.Events},
		{"POST /f/{fed}/launch", aManager, form, s.launch.Launch},
		{"POST /f/{fed}/launch/config.json", aManager, form, s.launch.StepConfig},
		{"POST /f/{fed}/launch/presets.json", aManager, form, s.launch.SavePreset},
		{"POST /f/{fed}/launch/presets/drop.json", aManager, form, s.launch.DropPreset},
		{"POST /f/{fed}/apps", aManager, upload, s.launch.UploadApp},
		{"GET /f/{fed}/runs", aMember, noBody, s.runs.List},
		{"GET /f/{fed}/runs/events", aMember, noBody, s.runs.Events},
		{"GET /f/{fed}/deleted-runs", aManager, noBody, s.runs.Deleted},
		{"POST /f/{fed}/delete-runs", aManager, form, s.runs.Delete},
		{"POST /f/{fed}/restore-runs", aManager, form, s.runs.Restore},
		{"GET /f/{fed}/runs.csv", aMember, noBody, s.runs.CSV},
		{"GET /share/{secret}", anyone, noBody, s.run.Admit(s.run.SharePage)},
		{"GET /share/{secret}/events", anyone, noBody, s.run.Admit(s.run.ShareEvents)},
		{"GET /share/{secret}/charts.json", anyone, noBody, s.run.Admit(s.charts.Feed)},
		{"GET /share/{secret}/metrics.csv", anyone, noBody, s.run.Admit(s.charts.CSV)},
		{"GET /share/{secret}/metrics.json", anyone, noBody, s.run.Admit(s.charts.JSON)},
		{"GET /share/{secret}/rounds", anyone, noBody, s.run.Admit(s.rounds.Round)},
		{"GET /share/{secret}/log/{kind}", anyone, noBody, s.run.Admit(s.run.WithLog(s.run.LogPart))},
		{"GET /f/{fed}/runs/{run}/preview/{path...}", aMember, noBody, s.artifacts.Preview},
		{"GET /f/{fed}/runs/{run}/artifacts.zip", aMember, noBody, s.artifacts.Zip},
		{"POST /f/{fed}/settings/artifacts", aManager, form, s.federation.KeepArtifacts},
		{"GET /f/{fed}/runs/{run}/receipt.json", aMember, noBody, s.run.Receipt},
		{"POST /f/{fed}/runs/{run}/share", aManager, form, s.run.Share},
		{"POST /f/{fed}/runs/{run}/share/revoke", aManager, form, s.run.RevokeShare},
		{"POST /f/{fed}/runs/{run}/describe", aManager, form, s.run.Describe},
		{"GET /f/{fed}/compare", aMember, noBody, s.runs.Compare},
		{"GET /f/{fed}/compare/events", aMember, noBody, s.runs.CompareEvents},
		{"GET /f/{fed}/compare.json", aMember, noBody, s.runs.CompareCurves},
		{"GET /f/{fed}/runs/{run}", aMember, noBody, s.run.Page},
		{"GET /f/{fed}/runs/{run}/events", aMember, noBody, s.run.Events},
		{"POST /f/{fed}/runs/{run}/stop", aManager, form, s.run.Stop},
		{"POST /f/{fed}/runs/{run}/again", aManager, form, s.run.Again},
		{"POST /f/{fed}/runs/{run}/move", aManager, form, s.run.Move},
		{"POST /f/{fed}/runs/{run}/requeue", aManager, form, s.run.Requeue},
		{"GET /f/{fed}/runs/{run}/charts.json", aMember, noBody, s.charts.Feed},
		{"GET /f/{fed}/runs/{run}/metrics.json", aMember, noBody, s.charts.JSON},
		{"GET /f/{fed}/runs/{run}/rounds", aMember, noBody, s.rounds.Round},
		{"GET /f/{fed}/runs/{run}/metrics.csv", aMember, noBody, s.charts.CSV},
		{"GET /f/{fed}/runs/{run}/log/{kind}", aMember, noBody, s.run.LogPart},
		{"GET /f/{fed}/runs/{run}/artifacts/{path...}", aMember, noBody, s.artifacts.File},
		{"GET /f/{fed}/settings", aManager, noBody, s.federation.Settings},
		{"POST /f/{fed}/settings", aManager, form, s.federation.Configure},
		{"POST /f/{fed}/settings/runs", aManager, form, s.federation.SetPolicy},
		{"POST /f/{fed}/settings/roles", aManager, form, s.federation.Grant},
		{"GET /f/{fed}/webhooks", aManager, noBody, s.notifications.Webhooks},
		{"POST /f/{fed}/webhooks", aManager, form, s.notifications.AddWebhook},
		{"POST /f/{fed}/webhooks/{id}/{action}", aManager, form, s.notifications.ActOnWebhook},
		{"POST /f/{fed}/settings/notices", aManager, form, s.notifications.SetRules},
		{"GET /f/{fed}/logs", aManager, noBody, s.federation.LogsPage},
		{"GET /f/{fed}/logs/{part}/{kind}", aManager, noBody, s.federation.LogPart},

		{"GET /apps", signedIn, noBody, s.apps.List},
		{"GET /apps/events", signedIn, noBody, s.apps.Events},
		{"POST /apps", signedIn, upload, s.apps.Add},
		{"POST /apps/git", signedIn, form, s.apps.AddGit},
		{"GET /apps/{publisher}/{name}/{hash}", signedIn, noBody, s.apps.Source},
		{"GET /apps/{publisher}/{name}/{hash}/diff", signedIn, noBody, s.apps.Diff},
		{"GET /apps/{publisher}/{name}/{hash}/fab", signedIn, noBody, s.apps.FAB},

		{"GET /admin/people", anAdmin, noBody, s.admin.People},
		{"GET /admin/people/{id}", anAdmin, noBody, s.admin.Person},
		{"POST /admin/people/{id}", anAdmin, form, s.admin.SetAdmin},
		{"POST /admin/people/{id}/signout", anAdmin, form, s.admin.EndAccess},
		{"POST /admin/people/{id}/erase", anAdmin, form, s.admin.Erase},
		{"POST /admin/people/{id}/sessions", anAdmin, form, s.admin.EndSession},
		{"POST /admin/people/{id}/tokens", anAdmin, form, s.admin.RevokeToken},
		{"GET /admin/settings", anAdmin, noBody, s.admin.Settings},
		{"POST /admin/settings", anAdmin, settings, s.admin.ChangeSettings},
		{"GET /admin/audit", anAdmin, noBody, s.admin.AuditPage},
		{"GET /admin/audit.csv", anAdmin, noBody, s.admin.AuditCSV},
		{"POST /admin/audit/check", anAdmin, form, s.admin.CheckAudit},
		{"GET /admin/system", anAdmin, noBody, s.admin.SystemPage},
		{"GET /admin/system/events", anAdmin, noBody, s.admin.SystemEvents},
		{"POST /admin/system/uncontained", anAdmin, form, s.admin.AcceptUncontained},
		{"POST /admin/system/backup", anAdmin, form, s.admin.StartBackup},
		{"GET /admin/webhooks", anAdmin, noBody, s.notifications.Webhooks},
		{"POST /admin/webhooks", anAdmin, form, s.notifications.AddWebhook},
		{"POST /admin/webhooks/{id}/{action}", anAdmin, form, s.notifications.ActOnWebhook},
		{"GET /admin/mail", anAdmin, noBody, s.admin.Mail},
		{"POST /admin/mail/{id}", anAdmin, form, s.admin.ResendMail},
		{"GET /admin/mail/events", anAdmin, noBody, s.admin.MailEvents},
	}
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, rt := range s.table() {
		mux.HandleFunc(rt.pattern, s.host.Serve(rt.who, rt.body, rt.do))
	}
	mux.HandleFunc("GET /assets/{file}", s.host.Assets.Serve)
	mux.HandleFunc("/", s.host.Serve(anyone, form, s.host.Nothing))
	return mux
}

// resize changes the total of partitions. Two pages have the form; the one that sent it shows what is wrong with it.
func (s *server) resize(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	if r.PostForm.Get("back") == "requests" {
		return s.requests.Resize(w, r, v)
	}
	return s.federation.Resize(w, r, v)
}

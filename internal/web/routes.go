package web

import (
	"net/http"

	"blossomtune/internal/domain"
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
	who     access
	body    int64 // how many bytes a form may send
	do      handle
}

// table is every route there is.
func (s *server) table() []route {
	return []route{
		{"GET /{$}", anyone, noBody, s.front},
		{"GET /help", anyone, noBody, s.help},
		{"GET /docs", anyone, noBody, s.manualIndex},
		{"GET /docs/{name}", anyone, noBody, s.manualPage},
		{"GET /api", anyone, noBody, s.apiPage},
		{"GET /site.css", anyone, noBody, s.siteCSS},
		{"GET /site/logo", anyone, noBody, s.logo},
		{"GET /download/{name}", anyone, noBody, s.program},
		{"GET /signin", anyone, noBody, s.signInForm},
		{"POST /signin", anyone, form, s.signInMail},
		{"GET /signin/{secret}", anyone, noBody, s.linkForm},
		{"POST /signin/{secret}", anyone, form, s.linkUse},
		{"GET /signin/with/{provider}", anyone, noBody, s.signInWith},
		{"GET /signin/callback/{provider}", anyone, noBody, s.signInBack},
		{"GET /setup/{secret}", anyone, noBody, s.setupForm},
		{"POST /setup/{secret}", anyone, form, s.setup},
		{"POST /signout", anyone, form, s.signOut},
		{"GET /join/{fed}", anyone, noBody, s.joinForm},
		{"POST /join/{fed}", anyone, form, s.join},
		{"GET /i/{secret}", anyone, noBody, s.invitation},
		{"POST /i/{secret}", anyone, form, s.joinInvited},
		{"GET /verify", anyone, noBody, s.verifyForm},
		{"POST /verify", anyone, form, s.verify},
		{"POST /verify/resend", anyone, form, s.resend},

		{"GET /device", signedIn, noBody, s.deviceForm},
		{"POST /device", signedIn, form, s.approveDevice},
		{"GET /me", signedIn, noBody, s.me},
		{"GET /me/account", signedIn, noBody, s.account},
		{"POST /me/account/sessions", signedIn, form, s.endSessions},
		{"POST /me/account/identities", signedIn, form, s.unlink},
		{"POST /me/account/tokens", signedIn, form, s.newToken},
		{"POST /me/account/tokens/revoke", signedIn, form, s.revokeToken},
		{"GET /me/{fed}", participant, noBody, s.status},
		{"GET /me/{fed}/events", participant, noBody, s.statusEvents},
		{"GET /me/{fed}/logs", participant, noBody, s.myLogs},
		{"GET /me/{fed}/logs/{part}/{kind}", participant, noBody, s.myLog},
		{"GET /me/{fed}/bundle.zip", participant, noBody, s.bundle},
		{"GET /me/{fed}/it", participant, noBody, s.itPage},
		{"POST /me/{fed}/token", participant, form, s.makeToken},
		{"POST /me/{fed}/key", participant, form, s.uploadKey},
		{"POST /me/{fed}/withdraw", participant, form, s.withdraw},

		{"GET /overview/events", signedIn, noBody, s.homeEvents},
		{"GET /find.json", signedIn, noBody, s.find},
		{"GET /f", signedIn, noBody, s.federations},
		{"POST /f", anAdmin, form, s.createFederation},
		{"GET /f/{fed}", aMember, noBody, s.federation},
		{"GET /f/{fed}/events", aMember, noBody, s.federationEvents},
		{"POST /f/{fed}/superlink/{action}", aManager, form, s.superLink},
		{"POST /f/{fed}/partitions", aManager, form, s.resize},
		{"GET /f/{fed}/requests", aManager, noBody, s.requests},
		{"GET /f/{fed}/requests.csv", aManager, noBody, s.requestsCSV},
		{"GET /f/{fed}/requests/events", aManager, noBody, s.requestsEvents},
		{"POST /f/{fed}/requests/approve", aManager, form, s.approve},
		{"POST /f/{fed}/requests/reject", aManager, form, s.reject},
		{"POST /f/{fed}/requests/revoke", aManager, form, s.revoke},
		{"GET /f/{fed}/invites", aManager, noBody, s.invites},
		{"POST /f/{fed}/invites", aManager, form, s.invite},
		{"POST /f/{fed}/invites/import", aManager, form, s.importInvites},
		{"POST /f/{fed}/invites/revoke", aManager, form, s.revokeInvite},
		{"POST /f/{fed}/invites/rules", aManager, form, s.addRule},
		{"POST /f/{fed}/invites/rules/drop", aManager, form, s.dropRule},
		{"GET /f/{fed}/nodes", aManager, noBody, s.nodes},
		{"GET /f/{fed}/nodes/events", aManager, noBody, s.nodesEvents},
		{"POST /f/{fed}/nodes/suspend", aManager, form, s.suspend},
		{"POST /f/{fed}/nodes/resume", aManager, form, s.resume},
		{"GET /f/{fed}/launch", aManager, noBody, s.launchForm},
		{"GET /f/{fed}/launch/events", aManager, noBody, s.launchEvents},
		{"POST /f/{fed}/launch", aManager, form, s.launch},
		{"POST /f/{fed}/launch/config.json", aManager, form, s.stepConfig},
		{"POST /f/{fed}/launch/presets.json", aManager, form, s.savePreset},
		{"POST /f/{fed}/launch/presets/drop.json", aManager, form, s.dropPreset},
		{"POST /f/{fed}/apps", aManager, upload, s.uploadApp},
		{"GET /f/{fed}/runs", aMember, noBody, s.runs},
		{"GET /f/{fed}/runs/events", aMember, noBody, s.runsEvents},
		{"GET /f/{fed}/runs.csv", aMember, noBody, s.runsCSV},
		{"GET /share/{secret}", anyone, noBody, s.shared(s.sharePage)},
		{"GET /share/{secret}/events", anyone, noBody, s.shared(s.shareEvents)},
		{"GET /share/{secret}/charts.json", anyone, noBody, s.shared(s.runChartFeed)},
		{"GET /share/{secret}/metrics.csv", anyone, noBody, s.shared(s.metricsCSV)},
		{"GET /share/{secret}/metrics.json", anyone, noBody, s.shared(s.metricsJSON)},
		{"GET /share/{secret}/rounds", anyone, noBody, s.shared(s.runRound)},
		{"GET /share/{secret}/log/{kind}", anyone, noBody, s.shared(s.sharedLog(s.runLog))},
		{"GET /f/{fed}/runs/{run}/preview/{path...}", aMember, noBody, s.previewArtifact},
		{"GET /f/{fed}/runs/{run}/artifacts.zip", aMember, noBody, s.artifactsZip},
		{"POST /f/{fed}/settings/artifacts", aManager, form, s.keepArtifacts},
		{"GET /f/{fed}/runs/{run}/receipt.json", aMember, noBody, s.runReceipt},
		{"POST /f/{fed}/runs/{run}/share", aManager, form, s.shareRun},
		{"POST /f/{fed}/runs/{run}/share/revoke", aManager, form, s.revokeShare},
		{"POST /f/{fed}/runs/{run}/describe", aManager, form, s.describeRun},
		{"GET /f/{fed}/compare", aMember, noBody, s.compare},
		{"GET /f/{fed}/compare/events", aMember, noBody, s.compareEvents},
		{"GET /f/{fed}/compare.json", aMember, noBody, s.compareCurves},
		{"GET /f/{fed}/runs/{run}", aMember, noBody, s.run},
		{"GET /f/{fed}/runs/{run}/events", aMember, noBody, s.runEvents},
		{"POST /f/{fed}/runs/{run}/stop", aManager, form, s.stopRun},
		{"POST /f/{fed}/runs/{run}/again", aManager, form, s.runAgain},
		{"POST /f/{fed}/runs/{run}/move", aManager, form, s.moveRun},
		{"POST /f/{fed}/runs/{run}/requeue", aManager, form, s.requeueRun},
		{"GET /f/{fed}/runs/{run}/charts.json", aMember, noBody, s.runChartFeed},
		{"GET /f/{fed}/runs/{run}/metrics.json", aMember, noBody, s.metricsJSON},
		{"GET /f/{fed}/runs/{run}/rounds", aMember, noBody, s.runRound},
		{"GET /f/{fed}/runs/{run}/metrics.csv", aMember, noBody, s.metricsCSV},
		{"GET /f/{fed}/runs/{run}/log/{kind}", aMember, noBody, s.runLog},
		{"GET /f/{fed}/runs/{run}/artifacts/{path...}", aMember, noBody, s.artifact},
		{"GET /f/{fed}/settings", aManager, noBody, s.settings},
		{"POST /f/{fed}/settings", aManager, form, s.configure},
		{"POST /f/{fed}/settings/runs", aManager, form, s.runPolicy},
		{"POST /f/{fed}/settings/roles", aManager, form, s.grant},
		{"GET /f/{fed}/logs", aManager, noBody, s.logs},
		{"GET /f/{fed}/logs/{part}/{kind}", aManager, noBody, s.partLog},

		{"GET /apps", signedIn, noBody, s.apps},
		{"GET /apps/events", signedIn, noBody, s.appsEvents},
		{"POST /apps", signedIn, upload, s.addApp},
		{"POST /apps/git", signedIn, form, s.addGitApp},
		{"GET /apps/{publisher}/{name}/{hash}", signedIn, noBody, s.appSource},
		{"GET /apps/{publisher}/{name}/{hash}/diff", signedIn, noBody, s.appDiff},
		{"GET /apps/{publisher}/{name}/{hash}/fab", signedIn, noBody, s.appFAB},

		{"GET /admin/people", anAdmin, noBody, s.people},
		{"GET /admin/people/{id}", anAdmin, noBody, s.person},
		{"POST /admin/people/{id}", anAdmin, form, s.setAdmin},
		{"POST /admin/people/{id}/signout", anAdmin, form, s.endAccess},
		{"POST /admin/people/{id}/sessions", anAdmin, form, s.endPersonSession},
		{"POST /admin/people/{id}/tokens", anAdmin, form, s.revokePersonToken},
		{"GET /admin/settings", anAdmin, noBody, s.siteSettings},
		{"POST /admin/settings", anAdmin, settings, s.changeSite},
		{"GET /admin/audit", anAdmin, noBody, s.audit},
		{"GET /admin/audit.csv", anAdmin, noBody, s.auditCSV},
		{"POST /admin/audit/check", anAdmin, form, s.checkAudit},
		{"GET /admin/system", anAdmin, noBody, s.systemPage},
		{"GET /admin/system/events", anAdmin, noBody, s.systemEvents},
		{"POST /admin/system/uncontained", anAdmin, form, s.acceptUncontained},
		{"GET /admin/mail", anAdmin, noBody, s.mail},
		{"POST /admin/mail/{id}", anAdmin, form, s.resendMail},
		{"GET /admin/mail/events", anAdmin, noBody, s.mailEvents},
	}
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, rt := range s.table() {
		mux.HandleFunc(rt.pattern, s.serve(rt.who, rt.body, rt.do))
	}
	mux.HandleFunc("GET /assets/{file}", s.assets.serve)
	mux.HandleFunc("/", s.serve(anyone, form, s.nothingHere))
	return mux
}

// resize changes the total of partitions. Two pages have the form; the one that sent it shows what is wrong with it.
func (s *server) resize(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := parseForm(r); err != nil {
		return err
	}
	if r.PostForm.Get("back") == "requests" {
		return s.resizeForRequests(w, r, v)
	}
	return s.resizeHere(w, r, v)
}

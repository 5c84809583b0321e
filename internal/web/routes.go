package web

import "net/http"

type route struct {
	pattern string
	who     access
	do      handle
}

// table is every route there is.
func (s *server) table() []route {
	return []route{
		{"GET /{$}", anyone, s.front},
		{"GET /help", anyone, s.help},
		{"GET /docs", anyone, s.manualIndex},
		{"GET /docs/{name}", anyone, s.manualPage},
		{"GET /api", anyone, s.apiPage},
		{"GET /site.css", anyone, s.siteCSS},
		{"GET /site/logo", anyone, s.logo},
		{"GET /download/{name}", anyone, s.program},
		{"GET /signin", anyone, s.signInForm},
		{"POST /signin", anyone, s.signInMail},
		{"GET /signin/{secret}", anyone, s.linkForm},
		{"POST /signin/{secret}", anyone, s.linkUse},
		{"GET /signin/with/{provider}", anyone, s.signInWith},
		{"GET /signin/callback/{provider}", anyone, s.signInBack},
		{"GET /setup/{secret}", anyone, s.setupForm},
		{"POST /setup/{secret}", anyone, s.setup},
		{"POST /signout", anyone, s.signOut},
		{"GET /join/{fed}", anyone, s.joinForm},
		{"POST /join/{fed}", anyone, s.join},
		{"GET /i/{secret}", anyone, s.invitation},
		{"POST /i/{secret}", anyone, s.joinInvited},
		{"GET /verify", anyone, s.verifyForm},
		{"POST /verify", anyone, s.verify},
		{"POST /verify/resend", anyone, s.resend},

		{"GET /device", signedIn, s.deviceForm},
		{"POST /device", signedIn, s.approveDevice},
		{"GET /me", signedIn, s.me},
		{"GET /me/account", signedIn, s.account},
		{"POST /me/account/sessions", signedIn, s.endSessions},
		{"POST /me/account/identities", signedIn, s.unlink},
		{"POST /me/account/tokens", signedIn, s.newToken},
		{"POST /me/account/tokens/revoke", signedIn, s.revokeToken},
		{"GET /me/{fed}", participant, s.status},
		{"GET /me/{fed}/events", participant, s.statusEvents},
		{"GET /me/{fed}/logs", participant, s.myLogs},
		{"GET /me/{fed}/logs/{part}/{kind}", participant, s.myLog},
		{"GET /me/{fed}/bundle.zip", participant, s.bundle},
		{"GET /me/{fed}/it", participant, s.itPage},
		{"POST /me/{fed}/token", participant, s.makeToken},
		{"POST /me/{fed}/key", participant, s.uploadKey},
		{"POST /me/{fed}/withdraw", participant, s.withdraw},

		{"GET /overview/events", signedIn, s.homeEvents},
		{"GET /find.json", signedIn, s.find},
		{"GET /f", signedIn, s.federations},
		{"POST /f", anAdmin, s.createFederation},
		{"GET /f/{fed}", aMember, s.federation},
		{"GET /f/{fed}/events", aMember, s.federationEvents},
		{"POST /f/{fed}/superlink/{action}", aManager, s.superLink},
		{"POST /f/{fed}/partitions", aManager, s.resize},
		{"GET /f/{fed}/requests", aManager, s.requests},
		{"GET /f/{fed}/requests.csv", aManager, s.requestsCSV},
		{"GET /f/{fed}/requests/events", aManager, s.requestsEvents},
		{"POST /f/{fed}/requests/approve", aManager, s.approve},
		{"POST /f/{fed}/requests/reject", aManager, s.reject},
		{"POST /f/{fed}/requests/revoke", aManager, s.revoke},
		{"GET /f/{fed}/invites", aManager, s.invites},
		{"POST /f/{fed}/invites", aManager, s.invite},
		{"POST /f/{fed}/invites/import", aManager, s.importInvites},
		{"POST /f/{fed}/invites/revoke", aManager, s.revokeInvite},
		{"POST /f/{fed}/invites/rules", aManager, s.addRule},
		{"POST /f/{fed}/invites/rules/drop", aManager, s.dropRule},
		{"GET /f/{fed}/nodes", aManager, s.nodes},
		{"GET /f/{fed}/nodes/events", aManager, s.nodesEvents},
		{"POST /f/{fed}/nodes/suspend", aManager, s.suspend},
		{"POST /f/{fed}/nodes/resume", aManager, s.resume},
		{"GET /f/{fed}/launch", aManager, s.launchForm},
		{"GET /f/{fed}/launch/events", aManager, s.launchEvents},
		{"POST /f/{fed}/launch", aManager, s.launch},
		{"POST /f/{fed}/launch/config.json", aManager, s.stepConfig},
		{"POST /f/{fed}/launch/presets.json", aManager, s.savePreset},
		{"POST /f/{fed}/launch/presets/drop.json", aManager, s.dropPreset},
		{"POST /f/{fed}/apps", aManager, s.uploadApp},
		{"GET /f/{fed}/runs", aMember, s.runs},
		{"GET /f/{fed}/runs/events", aMember, s.runsEvents},
		{"GET /f/{fed}/runs.csv", aMember, s.runsCSV},
		{"GET /share/{secret}", anyone, s.shared(s.sharePage)},
		{"GET /share/{secret}/events", anyone, s.shared(s.shareEvents)},
		{"GET /share/{secret}/charts.json", anyone, s.shared(s.runChartFeed)},
		{"GET /share/{secret}/metrics.csv", anyone, s.shared(s.metricsCSV)},
		{"GET /share/{secret}/metrics.json", anyone, s.shared(s.metricsJSON)},
		{"GET /share/{secret}/rounds", anyone, s.shared(s.runRound)},
		{"GET /share/{secret}/log/{kind}", anyone, s.shared(s.sharedLog(s.runLog))},
		{"GET /f/{fed}/runs/{run}/preview/{path...}", aMember, s.previewArtifact},
		{"GET /f/{fed}/runs/{run}/artifacts.zip", aMember, s.artifactsZip},
		{"POST /f/{fed}/settings/artifacts", aManager, s.keepArtifacts},
		{"GET /f/{fed}/runs/{run}/receipt.json", aMember, s.runReceipt},
		{"POST /f/{fed}/runs/{run}/share", aManager, s.shareRun},
		{"POST /f/{fed}/runs/{run}/share/revoke", aManager, s.revokeShare},
		{"POST /f/{fed}/runs/{run}/describe", aManager, s.describeRun},
		{"GET /f/{fed}/compare", aMember, s.compare},
		{"GET /f/{fed}/compare/events", aMember, s.compareEvents},
		{"GET /f/{fed}/compare.json", aMember, s.compareCurves},
		{"GET /f/{fed}/runs/{run}", aMember, s.run},
		{"GET /f/{fed}/runs/{run}/events", aMember, s.runEvents},
		{"POST /f/{fed}/runs/{run}/stop", aManager, s.stopRun},
		{"POST /f/{fed}/runs/{run}/again", aManager, s.runAgain},
		{"POST /f/{fed}/runs/{run}/move", aManager, s.moveRun},
		{"POST /f/{fed}/runs/{run}/requeue", aManager, s.requeueRun},
		{"GET /f/{fed}/runs/{run}/charts.json", aMember, s.runChartFeed},
		{"GET /f/{fed}/runs/{run}/metrics.json", aMember, s.metricsJSON},
		{"GET /f/{fed}/runs/{run}/rounds", aMember, s.runRound},
		{"GET /f/{fed}/runs/{run}/metrics.csv", aMember, s.metricsCSV},
		{"GET /f/{fed}/runs/{run}/log/{kind}", aMember, s.runLog},
		{"GET /f/{fed}/runs/{run}/artifacts/{path...}", aMember, s.artifact},
		{"GET /f/{fed}/settings", aManager, s.settings},
		{"POST /f/{fed}/settings", aManager, s.configure},
		{"POST /f/{fed}/settings/runs", aManager, s.runPolicy},
		{"POST /f/{fed}/settings/roles", aManager, s.grant},
		{"GET /f/{fed}/logs", aManager, s.logs},
		{"GET /f/{fed}/logs/{part}/{kind}", aManager, s.partLog},

		{"GET /apps", signedIn, s.apps},
		{"GET /apps/events", signedIn, s.appsEvents},
		{"POST /apps", signedIn, s.addApp},
		{"POST /apps/git", signedIn, s.addGitApp},
		{"GET /apps/{publisher}/{name}/{hash}", signedIn, s.appSource},
		{"GET /apps/{publisher}/{name}/{hash}/diff", signedIn, s.appDiff},
		{"GET /apps/{publisher}/{name}/{hash}/fab", signedIn, s.appFAB},

		{"GET /admin/people", anAdmin, s.people},
		{"GET /admin/people/{id}", anAdmin, s.person},
		{"POST /admin/people/{id}", anAdmin, s.setAdmin},
		{"POST /admin/people/{id}/signout", anAdmin, s.endAccess},
		{"POST /admin/people/{id}/sessions", anAdmin, s.endPersonSession},
		{"POST /admin/people/{id}/tokens", anAdmin, s.revokePersonToken},
		{"GET /admin/settings", anAdmin, s.siteSettings},
		{"POST /admin/settings", anAdmin, s.changeSite},
		{"GET /admin/audit", anAdmin, s.audit},
		{"GET /admin/audit.csv", anAdmin, s.auditCSV},
		{"POST /admin/audit/check", anAdmin, s.checkAudit},
		{"GET /admin/system", anAdmin, s.systemPage},
		{"GET /admin/system/events", anAdmin, s.systemEvents},
		{"POST /admin/system/uncontained", anAdmin, s.acceptUncontained},
		{"GET /admin/mail", anAdmin, s.mail},
		{"POST /admin/mail/{id}", anAdmin, s.resendMail},
		{"GET /admin/mail/events", anAdmin, s.mailEvents},
	}
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, rt := range s.table() {
		mux.HandleFunc(rt.pattern, s.serve(rt))
	}
	mux.HandleFunc("GET /assets/{file}", s.assets.serve)
	mux.HandleFunc("/", s.serve(route{do: s.nothingHere}))
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

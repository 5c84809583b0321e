package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/config"
	"blossomtune/internal/domain"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
	"blossomtune/internal/testbrowser"
)

// onBoth runs a test on a site on each database.
func onBoth(t *testing.T, test func(s *site)) {
	t.Helper()
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			test(newSiteWith(t, func(c *config.Config) {
				if database == "postgres" {
					c.Database = storetest.PostgresURL(t)
				}
			}))
		})
	}
}

// took makes a run that began now, in which the SuperNodes of some replies were asked, and that has completed. A reply is "ok", "" for
// none, or an error.
func (s *site) took(name string, engine uint64, replies map[uint64]string) domain.Run {
	s.t.Helper()
	return s.tookWith(name, engine, replies, func(*domain.Run) {})
}

// tookWith is [site.took] with a run that a test changes before it is stored.
func (s *site) tookWith(name string, engine uint64, replies map[uint64]string, change func(*domain.Run)) domain.Run {
	s.t.Helper()
	ctx, now := s.t.Context(), s.now()
	run := domain.Run{FederationID: s.fed.ID, Name: name, State: domain.Completed, AppHash: s.run.AppHash, AppID: s.run.AppID, AppVersion: "1.0.0", TotalPartitions: 10, EngineRunID: engine,
		CreatedAt: now, StartingAt: now, ParticipantsAt: now, EndedAt: now.Add(2 * time.Second)}
	change(&run)
	s.put(func(tx *store.Tx) error {
		if err := tx.InsertRun(ctx, &run); err != nil {
			return err
		}
		if err := tx.EnrolParticipants(ctx, run, now); err != nil {
			return err
		}
		var es []domain.Exchange
		for node, reply := range replies {
			e := domain.Exchange{FederationID: s.fed.ID, EngineRunID: engine, Round: 1, Phase: domain.PhaseTrain, NodeID: node, MessageID: fmt.Sprint(name, node), AskedAt: now}
			if reply != "" {
				e.RepliedAt = now.Add(time.Second)
			}
			if reply != "" && reply != "ok" {
				e.Failed, e.Error = true, reply
			}
			es = append(es, e)
		}
		if err := tx.UpsertExchanges(ctx, es); err != nil {
			return err
		}
		if _, err := tx.InsertMetrics(ctx, []domain.Metric{{FederationID: s.fed.ID, EngineRunID: engine, Round: 1, Phase: domain.PhaseTrain, NodeID: 7, Name: "loss", Value: 0.5, At: now}}); err != nil {
			return err
		}
		var err error
		if run.Asked, run.Contributed, err = tx.SettleParticipants(ctx, run, now); err != nil {
			return err
		}
		return tx.UpdateRun(ctx, run)
	})
	return run
}

var (
	peoplePart = regexp.MustCompile(`(?s)<div id="people">.*?</section>`)
	tags       = regexp.MustCompile(`<[^>]*>`)
)

// peopleOf is the text of a run page's participants.
func peopleOf(page string) string {
	return strings.Join(strings.Fields(tags.ReplaceAllString(peoplePart.FindString(page), " ")), " ")
}

// The page, the API and the exports of a run show who took part then, whatever becomes of the federation.
func TestARunShowsWhoTookPartForEver(t *testing.T) {
	onBoth(t, func(s *site) {
		ctx := s.t.Context()
		s.enrol(7)
		s.put(func(tx *store.Tx) error {
			keys, err := tx.NodeKeys(ctx, s.fed.ID)
			if err != nil {
				return err
			}
			return tx.UpdateNodesSeen(ctx, map[int64]domain.NodeSeen{keys[0].ID: {FirstAt: s.now(), LastAt: s.now(), Online: true}})
		})
		idle := s.request("idle", s.fed, domain.Approved)
		s.took("r-2", 43, map[uint64]string{7: "ok"})
		if err := s.app.Runs.MakeReceipts(ctx); err != nil {
			s.t.Fatal(err)
		}

		look := func() string {
			s.t.Helper()
			page := s.get("manager", "/f/fed/runs/r-2")
			facts := regexp.MustCompile(`<dt>Participants</dt><dd>.*?</dd>`).FindString(page.body)
			api := s.get("manager", "/api/v1/runs/r-2/participants")
			if page.status != http.StatusOK || api.status != http.StatusOK {
				s.t.Fatal(page.status, api.status, api.body)
			}
			return strings.Join([]string{peopleOf(page.body), facts, api.body, s.get("manager", "/f/fed/runs/r-2/metrics.csv").body, s.get("manager", "/api/v1/runs/r-2/metrics.csv").body,
				s.get("manager", "/f/fed/runs/r-2/rounds").body, s.get("manager", "/api/v1/runs/r-2/receipt").body}, "\n\n")
		}
		before := look()
		for _, words := range []string{"2 enrolled, 1 online at the start, 1 asked, 1 contributed", "Partition 0 of 10 participant contributed online 7", "Partition 1 of 10 idle not asked not connected yet –", "1 of 1 contributed",
			`"complete":true`, `"name":"participant"`, ",partition 0,7,"} {
			if !strings.Contains(before, words) {
				s.t.Errorf("%q lacks in\n%s", words, before)
			}
		}
		if a := s.get("participant", "/f/fed/runs/r-2"); !strings.Contains(peopleOf(a.body), "Partition 0 of 10 contributed") || strings.Contains(peopleOf(a.body), "idle") {
			s.t.Errorf("a participant reads %q", peopleOf(a.body))
		}
		if a := s.get("participant", "/api/v1/runs/r-2/participants"); a.status != http.StatusOK || strings.Contains(a.body, "idle") {
			s.t.Errorf("a participant gets %d %s", a.status, a.body)
		}

		if _, err := s.app.Onboarding.Revoke(ctx, domain.System, s.kept.ID, "left"); err != nil {
			s.t.Fatal(err)
		}
		if _, err := s.app.Onboarding.Revoke(ctx, domain.System, idle.ID, "left"); err != nil {
			s.t.Fatal(err)
		}
		if _, err := s.app.Onboarding.Resize(ctx, domain.System, s.fed.ID, 30); err != nil {
			s.t.Fatal(err)
		}
		if _, err := s.app.Onboarding.Approve(ctx, domain.System, []int64{s.asks.ID}, 0); err != nil {
			s.t.Fatal(err)
		}
		s.put(func(tx *store.Tx) error {
			r, err := tx.RequestByID(ctx, s.kept.ID)
			if err != nil {
				return err
			}
			r.Name, r.Organisation = "Renamed", "Elsewhere"
			if err := tx.UpdateRequest(ctx, r); err != nil {
				return err
			}
			keys, err := tx.NodeKeys(ctx, s.fed.ID)
			if err != nil {
				return err
			}
			keys[0].NodeID = 0 // as after a lost SuperLink
			return tx.UpdateNodeKey(ctx, keys[0])
		})
		if after := look(); after != before {
			s.t.Errorf("the run changed with its federation:\n%s\n\nbefore:\n%s", after, before)
		}
	})
}

// A run from before participants were kept says what is known of it, and that the rest is not.
func TestAnEarlierRunSaysWhatIsNotKnown(t *testing.T) {
	s := newSite(t)
	s.addRun(s.fed.ID, "old", func(r *domain.Run) { r.StartingAt, r.EndedAt, r.EngineRunID = s.now(), s.now(), 50 })
	if a := s.get("manager", "/f/fed/runs/old"); !strings.Contains(peopleOf(a.body), "Who was enrolled is not known") {
		t.Errorf("%q", peopleOf(a.body))
	}
	if a := s.get("manager", "/api/v1/runs/old/participants"); !strings.Contains(a.body, `"complete":false`) {
		t.Error(a.body)
	}
}

// A run in which no participant contributed says so wherever it is shown, and why.
func TestARunThatTrainedNothingSaysSo(t *testing.T) {
	onBoth(t, func(s *site) {
		s.enrol(7)
		s.took("failing", 43, map[uint64]string{7: "<class 'ZeroDivisionError'>:<'secret'>"})
		s.took("alone", 44, nil)
		s.took("good", 45, map[uint64]string{7: "ok"})
		s.passes(time.Minute)

		rows := map[string]string{}
		for _, m := range regexp.MustCompile(`(?s)<tr id="run-.*?</tr>`).FindAllString(s.get("manager", "/f/fed/runs").body, -1) {
			words := strings.Join(strings.Fields(tags.ReplaceAllString(m, " ")), " ")
			rows[strings.Fields(words)[0]] = words
		}
		for name, want := range map[string]string{"failing": "failing nothing was trained p/n", "alone": "alone completed none asked p/n", "good": "good completed p/n"} {
			if !strings.HasPrefix(rows[name], want) {
				s.t.Errorf("the table says %q, want %q", rows[name], want)
			}
		}
		page := s.get("manager", "/f/fed/runs/failing").body
		for _, words := range []string{"nothing was trained", "Nothing was trained: no participant of the 1 that were asked gave a reply without an error.", "Partition 0 raised ZeroDivisionError.", "0 of 1 contributed"} {
			if !strings.Contains(page, words) {
				s.t.Errorf("the page lacks %q", words)
			}
		}
		if alone := s.get("manager", "/f/fed/runs/alone").body; !strings.Contains(alone, "No participant was asked: all of this run") || strings.Contains(alone, "othing was trained") {
			s.t.Error("the page of a run that asks no participant does not say so")
		}
		for name, want := range map[string]string{"failing": "completed nothing_trained 1 0", "alone": "completed nobody_asked 0 0", "good": "completed contributed 1 1"} {
			var r struct {
				State, Outcome     string
				Asked, Contributed int
			}
			if err := json.Unmarshal([]byte(s.get("manager", "/api/v1/runs/"+name).body), &r); err != nil {
				s.t.Fatal(err)
			}
			if got := fmt.Sprint(r.State, " ", r.Outcome, " ", r.Asked, " ", r.Contributed); got != want {
				s.t.Errorf("the API says %q of %s, want %q", got, name, want)
			}
			if csv := s.get("manager", "/f/fed/runs.csv").body; !strings.Contains(csv, "\n"+name+",completed,"+strings.Fields(want)[1]+",p/n,") {
				s.t.Errorf("the CSV lacks the outcome of %s:\n%s", name, csv)
			}
		}
		if a := s.get("manager", "/find.json?q=failing"); !strings.Contains(a.body, "nothing was trained in Fed") {
			s.t.Errorf("the search says %s", a.body)
		}
	})
}

// What trained nothing needs somebody, until another run of its app.
func TestARunThatTrainedNothingNeedsSomebody(t *testing.T) {
	onBoth(t, func(s *site) {
		s.enrol(7)
		needs := func() string {
			return strings.Join(needsOf(s.get("manager", "/").body), "; ")
		}
		s.took("failing", 43, map[uint64]string{7: ""})
		if got := needs(); !strings.Contains(got, "Nothing was trained by failing in Fed") {
			s.t.Errorf("%q", got)
		}
		s.passes(time.Minute)
		s.took("good", 44, map[uint64]string{7: "ok"})
		if got := needs(); strings.Contains(got, "trained") {
			s.t.Errorf("%q although a run of the app came after it", got)
		}
	})
}

// A participant's page names what ran on their machine, and no other run of the federation.
func TestAParticipantReadsWhatRanOnTheirMachine(t *testing.T) {
	onBoth(t, func(s *site) {
		s.enrol(7)
		s.took("elsewhere", 43, map[uint64]string{8: "ok"})
		s.took("nowhere", 44, nil)
		if a := s.get("participant", "/me/fed"); strings.Contains(a.body, "elsewhere") || strings.Contains(a.body, "nowhere") || strings.Contains(a.body, "What ran on my machine") {
			s.t.Error("the page names a run that was not on the participant's machine")
		}
		s.took("here", 45, map[uint64]string{7: "ok", 8: ""})
		a := s.get("participant", "/me/fed")
		part := regexp.MustCompile(`(?s)<section[^>]*aria-labelledby="ondata">.*?</section>`).FindString(a.body)
		if words := strings.Join(strings.Fields(tags.ReplaceAllString(part, " ")), " "); !strings.Contains(words, "here , contributed") || strings.Contains(words, "where") {
			s.t.Errorf("the page says %q", words)
		}
	})
}

// Runs that began before somebody was enrolled do not exist for them; those of their time do. Viewers and managers see every run.
func TestANewcomerSeesNoEarlierRun(t *testing.T) {
	onBoth(t, func(s *site) {
		ctx := s.t.Context()
		old := s.took("old", 43, map[uint64]string{7: "ok"})
		s.put(func(tx *store.Tx) error { return tx.DescribeRun(ctx, withTag(old, "oldtag")) })
		if err := s.app.Runs.MakeReceipts(ctx); err != nil {
			s.t.Fatal(err)
		}
		s.passes(time.Minute)
		if _, err := s.app.Onboarding.Approve(ctx, domain.System, []int64{s.asks.ID}, onboarding.NextFreePartition); err != nil {
			s.t.Fatal(err)
		}
		s.passes(time.Minute)
		s.took("new", 44, map[uint64]string{7: "ok"})

		of := []string{"/f/fed/runs/%s", "/f/fed/runs/%s/events", "/f/fed/runs/%s/charts.json", "/f/fed/runs/%s/metrics.csv", "/f/fed/runs/%s/metrics.json", "/f/fed/runs/%s/rounds", "/f/fed/runs/%s/log/page",
			"/f/fed/runs/%s/artifacts.zip", "/f/fed/compare?runs=%s", "/f/fed/compare.json?runs=%s", "/f/fed/compare/events?runs=%s",
			"/api/v1/runs/%s", "/api/v1/runs/%s/participants", "/api/v1/runs/%s/metrics", "/api/v1/runs/%s/metrics.csv", "/api/v1/runs/%s/rounds/1", "/api/v1/runs/%s/traffic", "/api/v1/runs/%s/log", "/api/v1/runs/%s/artifacts"}
		for _, path := range of {
			for kind, sees := range map[string]map[string]bool{"asker": {"new": true}, "participant": {"old": true, "new": true}, "viewer": {"old": true, "new": true}, "manager": {"old": true, "new": true}} {
				for _, run := range []string{"old", "new"} {
					a := s.get(kind, fmt.Sprintf(path, run))
					if gone := a.status == http.StatusNotFound && !strings.Contains(a.body, "artifact") && !strings.Contains(a.body, "files"); gone == sees[run] || a.status >= 500 {
						s.t.Errorf("%s of %s: %d %.200s", path, kind, a.status, a.body)
					}
				}
			}
		}
		for _, path := range []string{"/f/fed/runs/old/artifacts/model.npz", "/f/fed/runs/old/preview/model.npz", "/f/fed/runs/old/receipt.json", "/api/v1/runs/old/receipt", "/api/v1/runs/old/artifacts/file?path=x"} {
			if a := s.get("asker", path); a.status != http.StatusNotFound || !strings.Contains(a.body, "no run") && !strings.Contains(a.body, "no such run") {
				s.t.Errorf("%s: %d %.200s", path, a.status, a.body)
			}
		}
		for _, path := range []string{"/f/fed", "/f/fed/runs", "/f/fed/runs?q=ld", "/f/fed/runs.csv", "/f/fed/compare?runs=new", "/me/fed", "/find.json", "/find.json?q=old", "/apps", "/api/v1/federations/fed/runs", "/api/v1/federations/fed/run-table", "/apps/p/n/aaaaaaaa"} {
			a := s.get("asker", path)
			if a.status != http.StatusOK || regexp.MustCompile(`[">/,\n](old|oldtag|r-1)[",<]`).MatchString(a.body) {
				s.t.Errorf("%s tells a newcomer of earlier runs: %d", path, a.status)
			}
		}
		var table struct{ Total int }
		if err := json.Unmarshal([]byte(s.get("asker", "/api/v1/federations/fed/run-table").body), &table); err != nil || table.Total != 1 {
			s.t.Errorf("a newcomer counts %d runs, %v", table.Total, err)
		}
	})
}

func withTag(run domain.Run, tag string) domain.Run {
	run.Tags = []string{tag}
	return run
}

// On a phone, no words lie on others where a run shows its participants and its outcome.
func TestParticipantsOnAPhone(t *testing.T) {
	s := newSite(t)
	s.enrol(7)
	s.request("idle", s.fed, domain.Approved)
	s.took("failing", 43, map[uint64]string{7: "<class 'ZeroDivisionError'>:<'x'>"})
	s.took("alone", 44, nil)
	d := testbrowser.New(t)
	for _, theme := range []string{"light", "dark"} {
		for _, path := range []string{"/f/fed/runs/failing", "/f/fed/runs/alone", "/f/fed/runs"} {
			s.browse(d, "manager", path)
			d.Do("manager", "size", "", "390 844 "+theme)
			if text := d.Do("manager", "overlaps", "main", ""); text != "" {
				t.Errorf("%s, %s: words lie on words:\n%s", path, theme, text)
			}
		}
	}
}

package web_test

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
		ctx := s.T.Context()
		s.Enrol(7)
		s.Put(func(tx *store.Tx) error {
			keys, err := tx.NodeKeys(ctx, s.Fed.ID)
			if err != nil {
				return err
			}
			return tx.UpdateNodesSeen(ctx, map[int64]domain.NodeSeen{keys[0].ID: {FirstAt: s.Now(), LastAt: s.Now(), Online: true}})
		})
		idle := s.Request("idle", s.Fed, domain.Approved)
		s.Took("r-2", 43, map[uint64]string{7: "ok"})
		if err := s.Server.Runs.MakeReceipts(ctx); err != nil {
			s.T.Fatal(err)
		}

		look := func() string {
			s.T.Helper()
			page := s.Get("manager", "/f/fed/runs/r-2")
			facts := regexp.MustCompile(`<dt>Participants</dt><dd>.*?</dd>`).FindString(page.Body)
			api := s.Get("manager", "/api/v1/runs/r-2/participants")
			if page.Status != http.StatusOK || api.Status != http.StatusOK {
				s.T.Fatal(page.Status, api.Status, api.Body)
			}
			return strings.Join([]string{peopleOf(page.Body), facts, api.Body, s.Get("manager", "/f/fed/runs/r-2/metrics.csv").Body,
				s.Get("manager", "/api/v1/runs/r-2/metrics.csv").Body,
				s.Get("manager", "/f/fed/runs/r-2/rounds").Body, s.Get("manager", "/api/v1/runs/r-2/receipt").Body}, "\n\n")
		}
		before := look()
		for _, words := range []string{"2 enrolled, 1 online at the start, 1 asked, 1 contributed",
			"Partition 0 of 10 participant contributed online 7", "Partition 1 of 10 idle not asked not connected yet –", "1 of 1 contributed",
			`"complete":true`, `"name":"participant"`, ",partition 0,7,"} {
			if !strings.Contains(before, words) {
				s.T.Errorf("%q lacks in\n%s", words, before)
			}
		}
		if a := s.Get("participant", "/f/fed/runs/r-2"); !strings.Contains(peopleOf(a.Body), "Partition 0 of 10 contributed") ||
			strings.Contains(peopleOf(a.Body), "idle") {
			s.T.Errorf("a participant reads %q", peopleOf(a.Body))
		}
		if a := s.Get("participant", "/api/v1/runs/r-2/participants"); a.Status != http.StatusOK || strings.Contains(a.Body, "idle") {
			s.T.Errorf("a participant gets %d %s", a.Status, a.Body)
		}

		if _, err := s.Server.Onboarding.Revoke(ctx, domain.System, s.Kept.ID, "left"); err != nil {
			s.T.Fatal(err)
		}
		if _, err := s.Server.Onboarding.Revoke(ctx, domain.System, idle.ID, "left"); err != nil {
			s.T.Fatal(err)
		}
		if _, err := s.Server.Onboarding.Resize(ctx, domain.System, s.Fed.ID, 30); err != nil {
			s.T.Fatal(err)
		}
		if _, err := s.Server.Onboarding.Approve(ctx, domain.System, []int64{s.Asks.ID}, 0); err != nil {
			s.T.Fatal(err)
		}
		s.Put(func(tx *store.Tx) error {
			r, err := tx.RequestByID(ctx, s.Kept.ID)
			if err != nil {
				return err
			}
			r.Name, r.Organisation = "Renamed", "Elsewhere"
			if err := tx.UpdateRequest(ctx, r); err != nil {
				return err
			}
			keys, err := tx.NodeKeys(ctx, s.Fed.ID)
			if err != nil {
				return err
			}
			keys[0].NodeID = 0 // as after a lost SuperLink
			return tx.UpdateNodeKey(ctx, keys[0])
		})
		if after := look(); after != before {
			s.T.Errorf("the run changed with its federation:\n%s\n\nbefore:\n%s", after, before)
		}
	})
}

// A run from before participants were kept says what is known of it, and that the rest is not.
func TestAnEarlierRunSaysWhatIsNotKnown(t *testing.T) {
	s := newSite(t)
	s.addRun(s.Fed.ID, "old", func(r *domain.Run) { r.StartingAt, r.EndedAt, r.EngineRunID = s.Now(), s.Now(), 50 })
	if a := s.Get("manager", "/f/fed/runs/old"); !strings.Contains(peopleOf(a.Body), "Who was enrolled is not known") {
		t.Errorf("%q", peopleOf(a.Body))
	}
	if a := s.Get("manager", "/api/v1/runs/old/participants"); !strings.Contains(a.Body, `"complete":false`) {
		t.Error(a.Body)
	}
}

// A run in which no participant contributed says so wherever it is shown, and why.
func TestARunThatTrainedNothingSaysSo(t *testing.T) {
	onBoth(t, func(s *site) {
		s.Enrol(7)
		s.Took("failing", 43, map[uint64]string{7: "<class 'ZeroDivisionError'>:<'secret'>"})
		s.Took("alone", 44, nil)
		s.Took("good", 45, map[uint64]string{7: "ok"})
		s.Passes(time.Minute)

		rows := map[string]string{}
		for _, m := range regexp.MustCompile(`(?s)<tr id="run-.*?</tr>`).FindAllString(s.Get("manager", "/f/fed/runs").Body, -1) {
			words := strings.Join(strings.Fields(tags.ReplaceAllString(m, " ")), " ")
			rows[strings.Fields(words)[0]] = words
		}
		for name, want := range map[string]string{"failing": "failing nothing was trained p/n", "alone": "alone completed none asked p/n",
			"good": "good completed p/n"} {
			if !strings.HasPrefix(rows[name], want) {
				s.T.Errorf("the table says %q, want %q", rows[name], want)
			}
		}
		page := s.Get("manager", "/f/fed/runs/failing").Body
		for _, words := range []string{"nothing was trained",
			"Nothing was trained: no participant of the 1 that were asked gave a reply without an error.", "Partition 0 raised ZeroDivisionError.",
			"0 of 1 contributed"} {
			if !strings.Contains(page, words) {
				s.T.Errorf("the page lacks %q", words)
			}
		}
		if alone := s.Get("manager", "/f/fed/runs/alone").Body; !strings.Contains(alone, "No participant was asked: all of this run") ||
			strings.Contains(alone, "othing was trained") {
			s.T.Error("the page of a run that asks no participant does not say so")
		}
		for name, want := range map[string]string{"failing": "completed nothing_trained 1 0", "alone": "completed nobody_asked 0 0",
			"good": "completed contributed 1 1"} {
			var r struct {
				State, Outcome     string
				Asked, Contributed int
			}
			if err := json.Unmarshal([]byte(s.Get("manager", "/api/v1/runs/"+name).Body), &r); err != nil {
				s.T.Fatal(err)
			}
			if got := fmt.Sprint(r.State, " ", r.Outcome, " ", r.Asked, " ", r.Contributed); got != want {
				s.T.Errorf("the API says %q of %s, want %q", got, name, want)
			}
			if csv := s.Get("manager", "/f/fed/runs.csv").Body; !strings.Contains(csv, "\n"+name+",completed,"+strings.Fields(want)[1]+",p/n,") {
				s.T.Errorf("the CSV lacks the outcome of %s:\n%s", name, csv)
			}
		}
		if a := s.Get("manager", "/find.json?q=failing"); !strings.Contains(a.Body, "nothing was trained in Fed") {
			s.T.Errorf("the search says %s", a.Body)
		}
	})
}

// What trained nothing needs somebody, until another run of its app.
func TestARunThatTrainedNothingNeedsSomebody(t *testing.T) {
	onBoth(t, func(s *site) {
		s.Enrol(7)
		needs := func() string {
			return strings.Join(needsOf(s.Get("manager", "/").Body), "; ")
		}
		s.Took("failing", 43, map[uint64]string{7: ""})
		if got := needs(); !strings.Contains(got, "Nothing was trained by failing in Fed") {
			s.T.Errorf("%q", got)
		}
		s.Passes(time.Minute)
		s.Took("good", 44, map[uint64]string{7: "ok"})
		if got := needs(); strings.Contains(got, "trained") {
			s.T.Errorf("%q although a run of the app came after it", got)
		}
	})
}

// A participant's page names what ran on their machine, and no other run of the federation.
func TestAParticipantReadsWhatRanOnTheirMachine(t *testing.T) {
	onBoth(t, func(s *site) {
		s.Enrol(7)
		s.Took("elsewhere", 43, map[uint64]string{8: "ok"})
		s.Took("nowhere", 44, nil)
		if a := s.Get("participant", "/me/fed"); strings.Contains(a.Body, "elsewhere") || strings.Contains(a.Body, "nowhere") ||
			strings.Contains(a.Body, "What ran on my machine") {
			s.T.Error("the page names a run that was not on the participant's machine")
		}
		s.Took("here", 45, map[uint64]string{7: "ok", 8: ""})
		a := s.Get("participant", "/me/fed")
		part := regexp.MustCompile(`(?s)<section[^>]*aria-labelledby="ondata">.*?</section>`).FindString(a.Body)
		if words := strings.Join(strings.Fields(tags.ReplaceAllString(part, " ")), " "); !strings.Contains(words, "here , contributed") ||
			strings.Contains(words, "where") {
			s.T.Errorf("the page says %q", words)
		}
	})
}

// Runs that began before somebody was enrolled do not exist for them; those of their time do. Viewers and managers see every run.
func TestANewcomerSeesNoEarlierRun(t *testing.T) {
	onBoth(t, func(s *site) {
		ctx := s.T.Context()
		old := s.Took("old", 43, map[uint64]string{7: "ok"})
		s.Put(func(tx *store.Tx) error { return tx.DescribeRun(ctx, withTag(old, "oldtag")) })
		if err := s.Server.Runs.MakeReceipts(ctx); err != nil {
			s.T.Fatal(err)
		}
		s.Passes(time.Minute)
		if _, err := s.Server.Onboarding.Approve(ctx, domain.System, []int64{s.Asks.ID}, onboarding.NextFreePartition); err != nil {
			s.T.Fatal(err)
		}
		s.Passes(time.Minute)
		s.Took("new", 44, map[uint64]string{7: "ok"})

		of := []string{"/f/fed/runs/%s", "/f/fed/runs/%s/events", "/f/fed/runs/%s/charts.json", "/f/fed/runs/%s/metrics.csv",
			"/f/fed/runs/%s/metrics.json", "/f/fed/runs/%s/rounds", "/f/fed/runs/%s/log/page",
			"/f/fed/runs/%s/artifacts.zip", "/f/fed/compare?runs=%s", "/f/fed/compare.json?runs=%s", "/f/fed/compare/events?runs=%s",
			"/api/v1/runs/%s", "/api/v1/runs/%s/participants", "/api/v1/runs/%s/metrics", "/api/v1/runs/%s/metrics.csv",
			"/api/v1/runs/%s/rounds/1", "/api/v1/runs/%s/traffic", "/api/v1/runs/%s/log", "/api/v1/runs/%s/artifacts"}
		for _, path := range of {
			for kind, sees := range map[string]map[string]bool{"asker": {"new": true}, "participant": {"old": true, "new": true},
				"viewer": {"old": true, "new": true}, "manager": {"old": true, "new": true}} {
				for _, run := range []string{"old", "new"} {
					a := s.Get(kind, fmt.Sprintf(path, run))
					if gone := a.Status == http.StatusNotFound && !strings.Contains(a.Body, "artifact") &&
						!strings.Contains(a.Body, "files"); gone == sees[run] || a.Status >= 500 {
						s.T.Errorf("%s of %s: %d %.200s", path, kind, a.Status, a.Body)
					}
				}
			}
		}
		for _, path := range []string{"/f/fed/runs/old/artifacts/model.npz", "/f/fed/runs/old/preview/model.npz",
			"/f/fed/runs/old/receipt.json", "/api/v1/runs/old/receipt", "/api/v1/runs/old/artifacts/file?path=x"} {
			if a := s.Get("asker", path); a.Status != http.StatusNotFound || !strings.Contains(a.Body, "no run") &&
				!strings.Contains(a.Body, "no such run") {
				s.T.Errorf("%s: %d %.200s", path, a.Status, a.Body)
			}
		}
		for _, path := range []string{"/f/fed", "/f/fed/runs", "/f/fed/runs?q=ld", "/f/fed/runs.csv", "/f/fed/compare?runs=new", "/me/fed",
			"/find.json", "/find.json?q=old", "/apps", "/api/v1/federations/fed/runs", "/api/v1/federations/fed/run-table", "/apps/p/n/aaaaaaaa"} {
			a := s.Get("asker", path)
			if a.Status != http.StatusOK || regexp.MustCompile(`[">/,\n](old|oldtag|r-1)[",<]`).MatchString(a.Body) {
				s.T.Errorf("%s tells a newcomer of earlier runs: %d", path, a.Status)
			}
		}
		var table struct{ Total int }
		if err := json.Unmarshal([]byte(s.Get("asker", "/api/v1/federations/fed/run-table").Body), &table); err != nil || table.Total != 1 {
			s.T.Errorf("a newcomer counts %d runs, %v", table.Total, err)
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
	s.Enrol(7)
	s.Request("idle", s.Fed, domain.Approved)
	s.Took("failing", 43, map[uint64]string{7: "<class 'ZeroDivisionError'>:<'x'>"})
	s.Took("alone", 44, nil)
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

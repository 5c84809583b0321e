package web_test

import (
	"net/http"
	"strings"
	"testing"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

// The form of a run to be made again has the total that the federation has now, and the board says what it was.
func TestARunIsMadeAgainAfterTheFederationGrew(t *testing.T) {
	s := newSite(t)
	first := s.launched("again-1")
	s.Put(func(tx *store.Tx) error {
		fed, err := tx.FederationByID(t.Context(), s.Fed.ID)
		if err != nil {
			return err
		}
		fed.TotalPartitions, fed.EngineWanted, fed.EngineIdle = 14, true, true
		return tx.UpdateFederation(t.Context(), fed)
	})
	form := s.Get("manager", "/f/fed/launch?from=again-1").Body
	for _, want := range []string{`name="partitions" value="14"`, "Partitions: 14 now", "needs 10, as in again-1",
		"/f/fed/launch/events?app=" + s.Run.AppHash + "&amp;from=again-1"} {
		if !strings.Contains(form, want) {
			t.Errorf("the form lacks %q", want)
		}
	}
	if a := s.Post("manager", "/f/fed/runs/again-1/again"); a.Status != http.StatusSeeOther ||
		!strings.HasSuffix(a.Header.Get("Location"), "/runs/again-2") {
		t.Errorf("run again: %d to %s", a.Status, a.Header.Get("Location"))
	}
	if run, err := s.Server.Runs.ByName(t.Context(), "again-2"); err != nil || run.TotalPartitions != 14 || run.AppHash != first.AppHash ||
		run.State != domain.Queued {
		t.Errorf("%+v, %v", run, err)
	}
	if a := s.Post("manager", "/f/fed/launch", "app", s.Run.AppHash, "run_id", "again-3", "partitions", "14", "from",
		"again-1"); a.Status != http.StatusSeeOther {
		t.Errorf("the form as it was shown: %d", a.Status)
	}
}

// A form that comes back with an error has a board that does not say go, also when the board is renewed.
func TestTheBoardKnowsOfTheFormsErrors(t *testing.T) {
	s := newSite(t)
	s.Put(func(tx *store.Tx) error {
		fed, err := tx.FederationByID(t.Context(), s.Fed.ID)
		if err != nil {
			return err
		}
		fed.EngineWanted, fed.EngineIdle = true, true
		return tx.UpdateFederation(t.Context(), fed)
	})
	if page := s.Get("manager", "/f/fed/launch").Body; !strings.Contains(page, "<b>Go") {
		t.Errorf("without an error the board does not say go")
	}
	a := s.Post("manager", "/f/fed/launch", "app", s.Run.AppHash, "run_id", "no spaces", "partitions", "10")
	for _, want := range []string{"<b>Not yet</b>", "Correct 1 field of the form first", "/f/fed/launch/events?app=" + s.Run.AppHash +
		"&amp;wrong=1"} {
		if a.Status != http.StatusUnprocessableEntity || !strings.Contains(a.Body, want) {
			t.Errorf("%d: the page lacks %q", a.Status, want)
		}
	}
	if strings.Contains(a.Body, "<b>Go") {
		t.Error("the board says go beside a form with an error")
	}
}

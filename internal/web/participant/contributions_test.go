package participant_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/servertest"
	"blossomtune/internal/store"
)

// The participant's page tells what left in each round; before the first round it says nothing of rounds.
func TestThePageTellsWhatLeftInEachRound(t *testing.T) {
	s := servertest.New(t)
	s.Enrol(7)
	if a := s.Get("participant", "/me/fed"); a.Status != 200 || strings.Contains(a.Body, "What left in each round") {
		t.Fatalf("before the first round: %d", a.Status)
	}
	s.Took("fine", 101, map[uint64]string{7: "ok", 8: "ok"})
	s.Passes(time.Minute)
	s.Took("broken", 102, map[uint64]string{7: "no data"})
	s.Put(func(tx *store.Tx) error {
		return tx.SaveTimings(t.Context(), []domain.Timing{
			{FederationID: s.Fed.ID, EngineRunID: 101, MessageID: "fine7", NodeID: 7, Up: 1_500_000, Down: 2_500_000},
			{FederationID: s.Fed.ID, EngineRunID: 101, MessageID: "fine8", NodeID: 8, Up: 77_000_000},
			{FederationID: s.Fed.ID, EngineRunID: 102, MessageID: "broken7", NodeID: 7, Up: 600, Down: 3_000}})
	})
	body := s.Get("participant", "/me/fed").Body
	_, section, _ := strings.Cut(body, "What left in each round")
	section, _, _ = strings.Cut(section, "</section>")
	words := strings.Join(strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(section, " ")), " ")
	for _, want := range []string{"broken 1", "600 B 1 error reply 3.0 kB", "fine 1", "1.5 MB 2.5 MB"} {
		if !strings.Contains(words, want) {
			t.Errorf("no %q in %q", want, words)
		}
	}
	if strings.Contains(words, "77") {
		t.Error("it tells of another SuperNode")
	}
	if strings.Index(words, "broken") > strings.Index(words, "fine") {
		t.Error("the newest is not first:", words)
	}
}

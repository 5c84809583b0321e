package web_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/fleet"
	"blossomtune/internal/store"
)

// A stuck SuperNode is shown with its cause and the remedy wherever somebody counts on it, and no longer once it asks for messages.
func TestAStuckSuperNodeIsShown(t *testing.T) {
	s := newSite(t)
	now := time.Now()
	key := domain.NodeKey{FederationID: s.Fed.ID, RequestID: s.Kept.ID, PublicPEM: []byte("pem"), Fingerprint: "f", NodeID: 7, Via: "upload",
		CreatedAt: now}
	if err := s.Server.DB.InTx(t.Context(), func(tx *store.Tx) error { return tx.InsertNodeKey(t.Context(), &key) }); err != nil {
		t.Fatal(err)
	}
	sees := func(stuck domain.Stuck) {
		t.Helper()
		key.Seen = domain.NodeSeen{FirstAt: now, LastAt: now, Online: true, Stuck: stuck}
		s.Server.Seen.Stuck(fleet.Seen{Key: key, Seen: key.Seen})
		deadline := time.After(10 * time.Second)
		for stored := domain.Stuck("?"); stored != stuck; {
			k, err := s.Server.Onboarding.NodeKeys(t.Context(), s.Fed.ID)
			if err != nil || len(k) != 1 {
				t.Fatal(k, err)
			}
			if stored = k[0].Seen.Stuck; !k[0].Seen.Online {
				stored = "?"
			}
			select {
			case <-deadline:
				t.Fatalf("it is stored as %q, want %q", stored, stuck)
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	const waits, late, remedy = "still waits for the reply of a ClientApp", "only when the next message arrives", "Restart flower-supernode on the participant"
	for _, c := range []struct {
		stuck domain.Stuck
		cause string
	}{{domain.StuckWaiting, waits}, {domain.StuckLate, late}, {"", ""}} {
		sees(c.stuck)
		for _, p := range []struct{ who, path string }{{"manager", "/f/fed/nodes"}, {"manager", "/f/fed/launch"}, {"participant", "/me/fed"}, {"manager", "/api/v1/federations/fed/nodes"}} {
			a := s.Get(p.who, p.path)
			text := strings.ReplaceAll(a.Body, "&#39;", "'")
			if a.Status != 200 {
				t.Fatalf("%s: %d %s", p.path, a.Status, a.Body)
			}
			shown := strings.Contains(text, remedy)
			if shown != (c.stuck != "") || p.path != "/f/fed/launch" && !strings.Contains(text, c.cause) { // the board is short
				t.Errorf("%q: %s shows the remedy: %v\n%s", c.stuck, p.path, shown, text)
			}
		}
		counted := map[bool]string{true: "0 of 1 online, 1 stuck", false: "1 of 1 online"}[c.stuck != ""]
		named := strings.Replace(counted, "of 1", "of 1 SuperNode", 1)
		for path, words := range map[string]string{"/f/fed/nodes": counted, "/f": named, "/f/fed": named} {
			if text := s.Get("admin", path).Body; !strings.Contains(text, words) || c.stuck == "" && strings.Contains(text, " stuck") {
				t.Errorf("%q: %s does not say %q", c.stuck, path, words)
			}
		}
		if text := s.Get("admin", "/").Body; !strings.Contains(text, named+" in 2 federations") {
			t.Errorf("%q: the overview does not say %q", c.stuck, named)
		}
		verdict, checks, err := s.Server.Runs.Board(t.Context(), s.Fed.ID)
		if err != nil {
			t.Fatal(err)
		}
		board, err := json.Marshal(checks)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(board), "partition 0 stuck") != (c.stuck != "") || strings.Contains(string(board), "0 online") != (c.stuck != "") {
			t.Errorf("%q: the board says %s: %s", c.stuck, verdict, board)
		}
	}
	key.Via = "agent"
	if _, how := key.Stuck(); how != "" {
		t.Errorf("a good SuperNode has a remedy: %s", how)
	}
	key.Seen.Stuck = domain.StuckWaiting
	if _, how := key.Stuck(); how != "Restart blossomtune join on the participant's machine." {
		t.Errorf("the remedy for an agent is: %s", how)
	}
}

// A run that nobody is recorded for says when it was queued, and no more.
func TestARunWithoutACreatorNamesNobody(t *testing.T) {
	s := newSite(t)
	page := func() string { return strings.Join(strings.Fields(s.Get("manager", "/f/fed/runs/r-1").Body), " ") }
	if text := page(); strings.Contains(text, " by </span>") || strings.Contains(text, " by </dd>") {
		t.Error("it says by whom, and then nothing")
	}
	s.addRun(s.Fed.ID, "r-2", func(r *domain.Run) { r.CreatedBy = "Some Manager" })
	if text := s.Get("manager", "/f/fed/runs/r-2").Body; !strings.Contains(text, " by Some Manager") {
		t.Error("it does not say by whom")
	}
}

package server

import (
	"net/url"
	"strings"
	"testing"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

// The join page offers to ask before apps run, and board and run say who has approved the version.
func TestApprovalsAreShown(t *testing.T) {
	s := newSite(t)
	if a := s.get("participant", "/me/fed"); !strings.Contains(a.body, `name="approve"`) {
		t.Error("the join page does not offer it")
	}
	for form, want := range map[string]bool{"ask": true, "": false} {
		if a := s.post("participant", "/me/fed/token", "approve", form); strings.Contains(a.body, " --approve ask") != want {
			t.Errorf("approve=%q: %d", form, a.status)
		}
	}
	key := domain.NodeKey{FederationID: s.fed.ID, RequestID: s.kept.ID, PublicPEM: []byte("x"), Fingerprint: "f", Via: "agent", CreatedAt: s.now()}
	put := func(state domain.ApprovalState) {
		t.Helper()
		err := s.app.DB.InTx(t.Context(), func(tx *store.Tx) error {
			return tx.PutAppApproval(t.Context(), domain.AppApproval{RequestID: s.kept.ID, AppHash: s.run.AppHash, State: state, ChangedAt: s.now()})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	shown := func(want string) {
		t.Helper()
		for _, path := range []string{"/f/fed/launch?app=" + url.QueryEscape(s.run.AppHash), "/f/fed/runs/" + s.run.Name} {
			if a := s.get("manager", path); !strings.Contains(a.body, want) {
				t.Errorf("%s does not say %q: %d", path, want, a.status)
			}
		}
	}
	err := s.app.DB.InTx(t.Context(), func(tx *store.Tx) error {
		if err := tx.InsertNodeKey(t.Context(), &key); err != nil {
			return err
		}
		return tx.UpdateNodeMachine(t.Context(), key.ID, domain.NodeSeen{Agent: "1", Approve: "ask"})
	})
	if err != nil {
		t.Fatal(err)
	}
	shown("0 of 1 have approved this version; partition 0 was not asked yet")
	put(domain.ApprovalWaiting)
	shown("partition 0 waits for its owner")
	put(domain.ApprovalGiven)
	shown("1 of 1 have approved this version")
}

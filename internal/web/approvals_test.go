package web_test

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
	if a := s.Get("participant", "/me/fed"); !strings.Contains(a.Body, `name="approve"`) {
		t.Error("the join page does not offer it")
	}
	for form, want := range map[string]bool{"ask": true, "": false} {
		if a := s.Post("participant", "/me/fed/token", "approve", form); strings.Contains(a.Body, " --approve ask") != want {
			t.Errorf("approve=%q: %d", form, a.Status)
		}
	}
	key := domain.NodeKey{FederationID: s.Fed.ID, RequestID: s.Kept.ID, PublicPEM: []byte("x"), Fingerprint: "f", Via: "agent",
		CreatedAt: s.Now()}
	put := func(state domain.ApprovalState) {
		t.Helper()
		err := s.Server.DB.InTx(t.Context(), func(tx *store.Tx) error {
			return tx.PutAppApproval(t.Context(), domain.AppApproval{RequestID: s.Kept.ID, AppHash: s.Run.AppHash, State: state, ChangedAt: s.Now()})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	shown := func(want string) {
		t.Helper()
		for _, path := range []string{"/f/fed/launch?app=" + url.QueryEscape(s.Run.AppHash), "/f/fed/runs/" + s.Run.Name} {
			if a := s.Get("manager", path); !strings.Contains(a.Body, want) {
				t.Errorf("%s does not say %q: %d", path, want, a.Status)
			}
		}
	}
	err := s.Server.DB.InTx(t.Context(), func(tx *store.Tx) error {
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

package server_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

// What an agent sends is seen by the managers and by whose machine it is, and by nobody else; secrets are not in it, and it is bounded.
func TestSharedLogsAreForManagersAndTheirOwner(t *testing.T) {
	s := newSite(t)
	key := domain.NodeKey{FederationID: s.Fed.ID, RequestID: s.Kept.ID, PublicPEM: []byte("x"), Fingerprint: "f", Via: "agent",
		CreatedAt: time.Now()}
	err := s.Server.DB.InTx(t.Context(), func(tx *store.Tx) error {
		if err := tx.InsertNodeKey(t.Context(), &key); err != nil {
			return err
		}
		return tx.UpdateNodeMachine(t.Context(), key.ID, domain.NodeSeen{Agent: "1", SharesLogs: true})
	})
	if err != nil {
		t.Fatal(err)
	}
	secret := "hf_" + strings.Repeat("aB3d", 8)
	for _, p := range []domain.NodeLog{{Part: "supernode", Lines: []string{"INFO :      Starting Flower SuperNode", "token " + secret}}, {Part: "clientapp", Run: "7", LeftOut: 3, Lines: []string{"one\nline", "two"}}} {
		if err := s.Server.NodeLogs.Add(key, p); err != nil {
			t.Fatal(err)
		}
	}
	node := "/f/fed/logs/node-0-1-"
	for path, want := range map[string][]string{node + "supernode": {"Starting Flower SuperNode", "token hf_[masked]"}, node + "clientapp": {"[run 7]", "[3 lines were not sent]", "one line", "two"}} {
		for _, kind := range []string{"manager", "admin", "viewer", "participant", "outsider"} {
			a := s.Get(kind, path+"/page")
			if may := kind == "manager" || kind == "admin"; !may {
				if !a.Refused() {
					t.Errorf("%s gets %d %s", kind, a.Status, a.Body)
				}
				continue
			}
			for _, w := range want {
				if !strings.Contains(a.Body, w) {
					t.Errorf("%s of %s: %q is not in %s", path, kind, w, a.Body)
				}
			}
		}
	}
	if a := s.Get("participant", "/me/fed/logs/supernode/page"); !strings.Contains(a.Body, "hf_[masked]") {
		t.Errorf("the owner sees %d %s", a.Status, a.Body)
	}
	if a := s.Get("participant", "/me/fed"); !strings.Contains(a.Body, "shared with the managers") {
		t.Error("the owner's page does not say that logs are shared")
	}
	if a := s.Get("manager", "/f/fed/logs"); !strings.Contains(a.Body, "Partition 0 ClientApp") {
		t.Error("the page of logs does not offer it")
	}
	many := domain.NodeLog{Part: "supernode", Lines: []string{strings.Repeat("x", 2*domain.MaxNodeLog)}}
	limited := false
	for range 100 {
		limited = limited || domain.CodeOf(s.Server.NodeLogs.Add(key, many)) == domain.Limited
	}
	st, err := os.Stat(s.Server.NodeLogs.Path(s.Fed.ID, key.ID, "supernode"))
	if err != nil || st.Size() > 4<<10 || !limited {
		t.Errorf("%d bytes are stored, limited: %v, %v", st.Size(), limited, err)
	}
}

package web_test

import (
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

// How apps run at a participant's is what its agent reports: the owner's page and the managers' page of SuperNodes say it.
func TestHowAppsRunIsShown(t *testing.T) {
	s := newSite(t)
	key := domain.NodeKey{FederationID: s.Fed.ID, RequestID: s.Kept.ID, PublicPEM: []byte("x"), Fingerprint: "f", Via: "agent",
		CreatedAt: time.Now()}
	if err := s.Server.DB.InTx(t.Context(), func(tx *store.Tx) error { return tx.InsertNodeKey(t.Context(), &key) }); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		contained domain.Containment
		data      int
		want      string
	}{
		{domain.ContainedFully, 2, "in a sandbox with files and processes of their own, with 2 data folders to read"},
		{domain.ContainedByFloor, 0, "in a sandbox (Landlock, seccomp), without any data folder"},
		{domain.ContainmentOff, 1, "not in a sandbox: turned off"},
	} {
		if err := s.Server.Seen.Reported(t.Context(), key, domain.NodeSeen{Agent: "1", Contained: c.contained, Data: c.data}); err != nil {
			t.Fatal(err)
		}
		for kind, path := range map[string]string{"participant": "/me/fed", "manager": "/f/fed/nodes"} {
			if a := s.Get(kind, path); !strings.Contains(a.Body, c.want) {
				t.Errorf("%s: the page of the %s does not say %q", c.contained, kind, c.want)
			}
		}
	}
	if err := s.Server.Seen.Reported(t.Context(), key, domain.NodeSeen{Agent: "1", Contained: domain.ContainedByFloor}); err != nil {
		t.Fatal(err)
	}
	entries, err := s.Server.Audit.List(t.Context(), domain.AuditFilter{FederationID: s.Fed.ID})
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, e := range entries {
		if e.Action == "node_key.containment" {
			got = e.Detail["contain"] + " " + got
		}
	}
	if got != "off on " {
		t.Errorf("the audit of --contain has %q", got)
	}
	if a := s.Get("admin", "/admin/system"); !strings.Contains(a.Body, "ServerApps run") {
		t.Error("the page of the system does not say how ServerApps run")
	}
}

package runs_test

import (
	"slices"
	"testing"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// A change of a federation's web access holds for the next run that starts, is audited, and each run keeps what was in force.
func TestARunKeepsItsSandbox(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.options = func(o *runs.Options) { o.Contained = func() domain.Containment { return domain.ContainedByFloor } }
	w.boot(&killer{})
	first := w.completes(w.started("r1"))
	if _, err := w.server.SetPolicy(t.Context(), manager, w.fed.ID, runs.Policy{Parallel: 1, NoWeb: true}); err != nil {
		t.Fatal(err)
	}
	second := w.started("r2")
	want := []domain.Sandbox{{Level: domain.ContainedByFloor}, {Level: domain.ContainedByFloor, NoWeb: true}}
	if got := []domain.Sandbox{w.get(first.ID).Sandbox, w.get(second.ID).Sandbox}; !slices.Equal(got, want) || !slices.Equal(w.engine.sandboxes, want) {
		t.Errorf("the runs keep %+v, the engine got %+v", got, w.engine.sandboxes)
	}
	var entries []domain.AuditEntry
	w.in(func(tx *store.Tx) (err error) {
		entries, err = tx.AuditEntries(t.Context(), domain.AuditFilter{FederationID: w.fed.ID, Limit: 100})
		return err
	})
	if !slices.ContainsFunc(entries, func(e domain.AuditEntry) bool {
		return e.Action == "federation.run_policy" && e.Detail["web_access"] == "off"
	}) {
		t.Errorf("the audit has %+v", entries)
	}
}

package notify_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

// What waits about a run that is deleted meanwhile is told to nobody: by mail, counted or by webhook. What is about others is, and about a run
// that was restored in time.
func TestNobodyIsNotifiedOfADeletedRun(t *testing.T) {
	each(t, func(w *world) {
		r := newReceiver(t)
		hook, _ := w.hook(domain.WebhookJSON, r.server.URL)
		r.server.Close()
		w.must(w.s.Choose(w.ctx, domain.System, w.manager, w.fed.ID,
			map[domain.NoticeKind]domain.NoticeMode{domain.NoticeRunFailed: domain.NoticeDaily}))
		all := map[string]domain.Run{}
		w.in(func(tx *store.Tx) error {
			if err := tx.PutAppVersion(w.ctx, domain.AppVersion{Hash: "h", Publisher: "p", Name: "n", Version: "1", FAB: []byte("x"), CreatedAt: w.now}); err != nil {
				return err
			}
			for _, name := range []string{"deleted", "kept", "restored"} {
				run := domain.Run{FederationID: w.fed.ID, Name: name, State: domain.Failed, AppHash: "h", AppID: "p/n", AppVersion: "1", TotalPartitions: 10,
					CreatedAt: w.now, EndedAt: w.now}
				if err := tx.InsertRun(w.ctx, &run); err != nil {
					return err
				}
				all[name] = run
				if err := tx.InsertNotice(w.ctx, &domain.Notice{Kind: domain.NoticeRunFailed, FederationID: w.fed.ID, About: domain.AboutRun(run.ID), At: w.now,
					Facts: domain.NoticeFacts{Run: &domain.NoticeRun{ID: run.ID, Name: name, State: domain.Failed}}}); err != nil {
					return err
				}
			}
			return nil
		})
		w.passes(0)
		mark := func(name string, at time.Time) {
			run := all[name]
			run.DeletedAt = at
			w.in(func(tx *store.Tx) error { return tx.MarkRunDeleted(w.ctx, run) })
		}
		mark("deleted", w.now)
		mark("restored", w.now)
		mark("restored", time.Time{})
		r.up()
		for range 5 {
			w.passes(time.Minute)
		}
		if got := r.runs(); !slices.Equal(got, []string{"kept run_failed", "restored run_failed"}) {
			t.Errorf("the webhook was told of %v", got)
		}
		if left := w.deliveries(hook); len(left) != 2 {
			t.Errorf("deliveries: %+v", left)
		}
		w.passes(24 * time.Hour)
		got := w.mails(w.manager)
		if len(got) != 1 || got[0].Subject != "Daily summary: 2 notifications in Cardio" || strings.Contains(got[0].Text, "deleted") {
			t.Errorf("the daily mail: %+v", got)
		}
	})
}

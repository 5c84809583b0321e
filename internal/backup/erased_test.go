package backup

import (
	"database/sql"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

// The audit's chain in a backup is whole also where a person was erased from it, and not if an entry before an erased one is gone.
func TestABackupWithAnErasedPersonVerifies(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		ctx := t.Context()
		who := domain.Person{Email: "ann@example.org", Name: "Ann Other"}
		err := p.db.InTx(ctx, func(tx *store.Tx) error {
			if err := tx.InsertPerson(ctx, &who); err != nil {
				return err
			}
			if err := tx.InsertAudit(ctx, domain.AuditEntry{At: time.Now(), Actor: domain.System, Action: "thing.begun"}); err != nil {
				return err
			}
			return tx.InsertAudit(ctx, domain.AuditEntry{At: time.Now(), Actor: domain.Actor{Kind: "person", PersonID: who.ID, Name: who.Name},
				Action: "thing.done", ObjectKind: "thing"})
		})
		if err == nil {
			err = p.db.InTx(ctx, func(tx *store.Tx) error {
				done, err := tx.ErasePerson(ctx, who, time.Now())
				if err != nil {
					return err
				}
				return tx.InsertAudit(ctx, domain.AuditEntry{At: time.Now(), Actor: domain.System, Action: domain.ActionPersonErased,
					ObjectKind: "person", ObjectID: domain.ErasedPersonRef(who.ID), Detail: map[string]string{"digest": done.Digest}})
			})
		}
		if err != nil {
			t.Fatal(err)
		}
		p.mustBack()
		if r, err := Verify(ctx, p.file, Keys{}); err != nil || r.Audit.Erased != 1 {
			t.Errorf("%+v %v", r.Audit, err)
		}

		remove(t, p.set.Database)
		p.file += "2"
		p.mustBack()
		if r, err := Verify(ctx, p.file, Keys{}); err == nil || r.Audit.Fault != 2 || r.Audit.FaultAt.IsZero() {
			t.Errorf("without the entry before: %+v %v", r.Audit, err)
		}
	})
}

// remove deletes the first entry of the audit, as somebody with the database in their hands could.
func remove(t *testing.T, address string) {
	t.Helper()
	driver, source := "pgx", address
	if file := store.SQLiteFile(address); file != "" {
		driver, source = "sqlite", file
	}
	db, err := sql.Open(driver, source)
	if err == nil {
		defer db.Close()
		_, err = db.ExecContext(t.Context(), "DELETE FROM audit WHERE id = 1")
	}
	if err != nil {
		t.Fatal(err)
	}
}

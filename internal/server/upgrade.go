package server

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"blossomtune/internal/backup"
	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

// migrate brings the database to this version's schema. The server backs itself up before it changes a database that holds an instance.
func (o Options) migrate(ctx context.Context, db *store.DB) error {
	pending, err := db.Pending(ctx)
	if err != nil {
		return err
	}
	if !pending {
		if err := db.Migrate(ctx); err != nil {
			return err
		}
		return o.settleUpgrade(ctx, db)
	}
	from, err := db.Schema(ctx)
	if err != nil {
		return err
	}
	var up backup.Upgrade
	if !o.Config.Backup.SkipUpgrade {
		o.Log.Info("backing up before the upgrade", "schema", from.Newest())
		if up, err = backup.BeforeUpgrade(ctx, o.Config, o.Version, from, o.Clock); err != nil {
			return domain.Errorf(domain.Unavailable, "The backup before the upgrade failed, so the database was not upgraded.").
				Fix("Remove the cause, or start the previous version. To upgrade without a backup, set BLOSSOMTUNE_BACKUP_SKIP_UPGRADE=true.").
				Because(err)
		}
	}
	if err := db.Migrate(ctx); err != nil {
		return failedUpgrade(err, up)
	}
	return o.noteMigrated(ctx, db, from, up)
}

// settleUpgrade brings the note of an upgrade into line with the database: an earlier version may be running again on a database that never
// changed, or this one may have been killed before it noted the end of the migration.
func (o Options) settleUpgrade(ctx context.Context, db *store.DB) error {
	up, found, err := backup.ReadUpgrade(o.Config.Data)
	if err != nil || !found || !up.Migrated.IsZero() {
		return err
	}
	now, err := db.Schema(ctx)
	if err != nil {
		return err
	}
	if len(now.Applied) == len(up.From.Applied) {
		return backup.ForgetUpgrade(o.Config.Data)
	}
	up.Migrated = o.Clock().UTC()
	return up.Write(o.Config.Data)
}

// failedUpgrade says how to get back to the previous version.
func failedUpgrade(err error, up backup.Upgrade) error {
	e := domain.Errorf(domain.Unavailable, "The database could not be upgraded.").Because(err)
	if up.File == "" {
		return e.Fix("Restore a backup, then start the previous version.")
	}
	return e.Fix("Run blossomtune restore --rollback with this server's --data and --database, then start the previous version. "+
		"The backup from before is %s.", filepath.Join(backup.Folder, up.File))
}

func (o Options) noteMigrated(ctx context.Context, db *store.DB, from store.Schema, up backup.Upgrade) error {
	to, err := db.Schema(ctx)
	if err != nil {
		return err
	}
	detail := map[string]string{"from": fmt.Sprint(from.Newest()), "to": fmt.Sprint(to.Newest()), "version": o.Version, "backup": up.File}
	err = db.InTx(ctx, func(tx *store.Tx) error {
		return tx.InsertAudit(ctx, domain.AuditEntry{At: o.Clock().UTC(), Actor: domain.System, Action: "server.upgraded",
			ObjectKind: "backup", Detail: detail})
	})
	if err != nil {
		return fmt.Errorf("noting the upgrade: %w", err)
	}
	o.Log.Info("the database was upgraded", "from", from.Newest(), "to", to.Newest(), "backup", up.File)
	if up.File == "" {
		return backup.ForgetUpgrade(o.Config.Data)
	}
	up.Migrated = o.Clock().UTC()
	return up.Write(o.Config.Data)
}

// afterRollback puts a rollback into the audit.
func (s *Server) afterRollback(ctx context.Context) error {
	detail, err := backup.ReadRollback(s.o.Config.Data)
	if err != nil || detail == nil {
		return err
	}
	err = s.DB.InTx(ctx, func(tx *store.Tx) error {
		return tx.InsertAudit(ctx, domain.AuditEntry{At: s.o.Clock().UTC(), Actor: domain.System, Action: "server.rolled_back",
			ObjectKind: "backup", Detail: detail})
	})
	if err != nil {
		return fmt.Errorf("noting the rollback: %w", err)
	}
	return backup.RemoveRollback(s.o.Config.Data)
}

// noteServed notes that this version has served requests: from now on, a rollback loses changes.
func (s *Server) noteServed() {
	up, found, err := backup.ReadUpgrade(s.o.Config.Data)
	if err == nil && found && up.Served.IsZero() {
		up.Served = s.o.Clock().UTC().Truncate(time.Second)
		err = up.Write(s.o.Config.Data)
	}
	if err != nil {
		s.o.Log.Warn("noting that the upgrade is complete", "err", err)
	}
}

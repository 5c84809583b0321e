package config

import (
	"cmp"
	"path/filepath"
	"time"

	"blossomtune/internal/domain"
)

// backupFolder is the folder for backups in the data directory; it is not part of a backup.
const backupFolder = "backups"

// protected reports how many protections of backups are set.
func (b Backup) protected() (n int) {
	for _, set := range []bool{len(b.Recipient) > 0, b.PassphraseFile != "", b.Clear} {
		if set {
			n++
		}
	}
	return n
}

// within reports whether a path is a directory or below it.
func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// checkBackup checks the settings of backups and fills the defaults. The data directory must be known.
func (c *Config) checkBackup() error {
	b := &c.Backup
	own := filepath.Join(c.Data, backupFolder)
	b.Folder = cmp.Or(b.Folder, own)
	if used := b.Daily != "" || b.protected() > 0; b.KeepDaily < 0 || used && b.KeepDaily == 0 {
		return wrong("backup-keep-daily", "At least one backup must be kept.").Fix("Set it to 1 or more.")
	}
	if b.KeepWeekly < 0 {
		return wrong("backup-keep-weekly", "It is less than 0.").Fix("Set it to 0 or more.")
	}
	if b.protected() > 1 {
		return wrong("backup-recipient", "It, --backup-passphrase-file and --backup-clear exclude each other.").Fix("Set one of them.")
	}
	folder, err := filepath.Abs(b.Folder)
	if err != nil {
		return wrong("backup-folder", "%q is not a folder.", b.Folder).Because(err)
	}
	b.Folder = folder
	if within(c.Data, folder) && !within(own, folder) {
		return wrong("backup-folder", "The folder %s is part of the data that is backed up.", folder).
			Fix("Choose a folder outside the data directory, or leave it blank.")
	}
	if b.Daily == "" {
		return nil
	}
	if _, err := domain.DueBackup(b.Daily, time.Time{}); err != nil {
		return at(err, "backup-daily")
	}
	if b.protected() == 0 {
		return wrong("backup-daily", "How these backups are encrypted is not set.").
			Fix("Set --backup-recipient or --backup-passphrase-file, or --backup-clear if the folder is a safe place.")
	}
	return nil
}

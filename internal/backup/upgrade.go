package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"blossomtune/internal/config"
	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

const (
	upgradeNote   = "upgrade.json"    // in [Folder]: what is known of the newest upgrade
	upgradePrefix = "before-upgrade-" // begins the name of a backup that was made before an upgrade
	upgradeKeep   = 3                 // how many of these are kept
)

// Upgrade says what is known of the newest upgrade of a data directory's database.
type Upgrade struct {
	File     string       `json:"file"`     // the backup from before, in [Folder]
	Made     time.Time    `json:"made"`     // when the backup was made
	Server   string       `json:"server"`   // the version that migrated
	From     store.Schema `json:"from"`     // as it was backed up
	Migrated time.Time    `json:"migrated"` // zero: the migration has not succeeded
	Served   time.Time    `json:"served"`   // when the new version first served requests; zero: it has not
}

// ReadUpgrade returns what is known of the newest upgrade; found is false where there was none.
func ReadUpgrade(data string) (u Upgrade, found bool, err error) {
	b, err := os.ReadFile(filepath.Join(data, Folder, upgradeNote))
	if errors.Is(err, fs.ErrNotExist) {
		return u, false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &u)
	}
	if err != nil {
		return u, false, fmt.Errorf("reading %s: %w", upgradeNote, err)
	}
	return u, true, nil
}

// Write notes an upgrade in a data directory.
func (u Upgrade) Write(data string) error {
	b, err := json.MarshalIndent(u, "", " ")
	if err != nil {
		return err
	}
	dir := filepath.Join(data, Folder)
	f, err := os.CreateTemp(dir, ".note-")
	if err != nil {
		return fmt.Errorf("noting the upgrade: %w", err)
	}
	err = fill(f, strings.NewReader(string(b)))
	if err == nil {
		err = publish(f.Name(), filepath.Join(dir, upgradeNote))
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("noting the upgrade: %w", err)
	}
	return nil
}

// ForgetUpgrade removes the note of an upgrade that was rolled back. The backup stays.
func ForgetUpgrade(data string) error {
	err := os.Remove(filepath.Join(data, Folder, upgradeNote))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// upgradeProtection is that of the settings. Without settings the backup is clear: it is beside the data that it holds, and as secret.
func upgradeProtection(set config.Backup) (Protection, error) {
	if len(set.Recipient) == 0 && set.PassphraseFile == "" {
		return Protection{Clear: true}, nil
	}
	return Configured(set)
}

// BeforeUpgrade backs up the database and the small files of a data directory into its [Folder], and notes the upgrade. Artifacts, logs and
// the state of SuperLinks are not in it: a migration does not touch them.
//
// After a start that failed halfway, the backup of the first attempt is used again: it alone has the database from before.
func BeforeUpgrade(ctx context.Context, c config.Config, server string, now store.Schema, clock domain.Clock) (Upgrade, error) {
	u, found, err := ReadUpgrade(c.Data)
	if err != nil {
		return u, err
	}
	if found && u.Migrated.IsZero() && now.Includes(u.From) && now.LastAudit == u.From.LastAudit {
		if info, err := os.Stat(filepath.Join(c.Data, Folder, u.File)); err == nil && info.Mode().IsRegular() {
			u.Server = server
			return u, u.Write(c.Data)
		}
	}
	protect, err := upgradeProtection(c.Backup)
	if err != nil {
		return u, err
	}
	made := clock().UTC()
	name := fmt.Sprintf("%s%d-%s.backup", upgradePrefix, now.Newest(), made.Format("20060102T150405.000"))
	u = Upgrade{File: name, Made: made, Server: server, From: now}
	dir := filepath.Join(c.Data, Folder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return u, domain.Errorf(domain.Invalid, "The directory %s cannot be made.", dir).Fix("Give it to the server's user.").Because(err)
	}
	_, err = Create(ctx, Options{Config: c, File: filepath.Join(dir, u.File), Protect: protect, NoEngines: true, Server: server, Clock: clock})
	if err == nil && len(protect.Recipients) == 0 { // the server has no key of a recipient
		_, err = inspect(ctx, filepath.Join(dir, u.File), Keys{Passphrase: func() (string, error) { return protect.Passphrase, nil }}, dir)
	}
	if err != nil {
		return u, errors.Join(err, ignoreMissing(os.Remove(filepath.Join(dir, u.File))))
	}
	if err := u.Write(c.Data); err != nil {
		return u, err
	}
	return u, pruneUpgrades(dir)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// pruneUpgrades removes all but the newest backups that were made before upgrades.
func pruneUpgrades(dir string) error {
	found, err := filepath.Glob(filepath.Join(dir, upgradePrefix+"*.backup"))
	if err != nil {
		return err
	}
	age := func(path string) time.Time {
		info, err := os.Stat(path)
		if err != nil {
			return time.Time{}
		}
		return info.ModTime()
	}
	slices.SortFunc(found, func(a, b string) int { return age(b).Compare(age(a)) })
	for _, old := range found[min(upgradeKeep, len(found)):] {
		if err := os.Remove(old); err != nil {
			return fmt.Errorf("removing an old backup: %w", err)
		}
	}
	return nil
}

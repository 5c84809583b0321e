package backup

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

// Files in the data directory's [Folder], which no backup has: what is restored elsewhere gets its own.
const (
	seriesFile  = "series"  // tells the backups of this server from those of one that was restored from them
	attemptFile = "attempt" // is there while a backup is being made
)

// series returns what this server's backups have in their names. It is made once.
func (s *Service) series() (string, error) {
	dir := filepath.Join(s.Config.Data, Folder)
	path := filepath.Join(dir, seriesFile)
	b, err := os.ReadFile(path)
	if err == nil && len(strings.TrimSpace(string(b))) == 8 {
		id := strings.TrimSpace(string(b))
		if _, err := hex.DecodeString(id); err == nil {
			return id, nil
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("reading the series of backups: %w", err)
	}
	raw := make([]byte, 4)
	_, _ = rand.Read(raw) // it never fails
	id := hex.EncodeToString(raw)
	err = os.MkdirAll(dir, 0o700)
	if err == nil {
		err = os.WriteFile(path+".new", []byte(id+"\n"), 0o600)
	}
	if err == nil {
		err = publish(path+".new", path)
	}
	if err != nil {
		return "", full(fmt.Errorf("noting the series of backups: %w", err))
	}
	return id, nil
}

// begun notes that a backup is being made; ended removes the note. A server that dies meanwhile leaves it.
func (s *Service) begun(kind domain.BackupKind) (ended func()) {
	path := filepath.Join(s.Config.Data, Folder, attemptFile)
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, []byte(string(kind)+" "+s.Clock().UTC().Format(time.RFC3339)), 0o600)
	}
	if err != nil {
		s.Log.Warn("noting that a backup is being made", "err", err) // the backup itself says what is wrong
	}
	return func() {
		if err := ignoreMissing(os.Remove(path)); err != nil {
			s.Log.Warn("removing the note of a backup that is being made", "err", err)
		}
	}
}

// interrupted records the backup during which the last server died, so that the next try waits: perhaps the backup was the cause.
func (s *Service) interrupted(ctx context.Context) {
	path := filepath.Join(s.Config.Data, Folder, attemptFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	now := s.Clock().UTC()
	b := domain.Backup{Kind: domain.BackupScheduled, StartedAt: now, EndedAt: now, Clear: s.Config.Backup.Clear,
		Error: "The server ended while the backup was being made."}
	kind, at, _ := strings.Cut(string(text), " ")
	if kind == string(domain.BackupByAdmin) {
		b.Kind = domain.BackupByAdmin
	}
	if began, err := time.Parse(time.RFC3339, at); err == nil && began.Before(now) {
		b.StartedAt = began
	}
	if err = Note(ctx, s.DB, domain.System, &b); err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		s.Log.Error("recording the backup that did not end", "err", err)
	}
}

// workPrefix begins the names of directories for copies of databases.
const workPrefix = ".work-"

// workDir makes a directory for copies of databases, beside them: a copy is as secret as they are.
func workDir(data, series string) (string, error) {
	base := filepath.Join(data, Folder)
	if _, err := os.Stat(data); err != nil {
		return "", domain.Errorf(domain.NotFound, "The data directory %s cannot be read.",
			data).Fix("Set --data to the server's directory.").Because(err)
	}
	err := os.MkdirAll(base, 0o700)
	var dir string
	if err == nil {
		dir, err = os.MkdirTemp(base, workPrefix+series)
	}
	if err != nil {
		return "", domain.Errorf(domain.Invalid, "The directory %s cannot be written.",
			base).Fix("Run this as the user of the server.").Because(err)
	}
	return dir, nil
}

package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

// prune removes the backups of this server that the settings do not keep. It touches only files with names that the server gives.
func (s *Service) prune(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	prefix, err := s.prefix(ctx)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(s.Config.Backup.Folder)
	if err != nil {
		return fmt.Errorf("reading the folder for backups: %w", err)
	}
	names, made := map[time.Time]string{}, []time.Time(nil)
	for _, e := range entries {
		rest, isOurs := strings.CutPrefix(e.Name(), prefix)
		text, isBackup := strings.CutSuffix(rest, fileSuffix)
		at, err := time.Parse(fileTime, text)
		if !isOurs || !isBackup || err != nil || !e.Type().IsRegular() {
			continue
		}
		names[at], made = e.Name(), append(made, at)
	}
	var errs []error
	for _, at := range domain.ExpiredBackups(made, s.Config.Backup.KeepDaily, s.Config.Backup.KeepWeekly) {
		errs = append(errs, os.Remove(filepath.Join(s.Config.Backup.Folder, names[at])))
	}
	return errors.Join(errs...)
}

// leftAfter is how old what a killed backup left must be to be removed: another process may be writing one.
const leftAfter = 24 * time.Hour

// sweep removes what backups left that were killed: copies of databases, and files that are not whole.
func (s *Service) sweep() {
	for _, pattern := range []string{filepath.Join(s.Config.Data, Folder, ".work-*"), filepath.Join(s.Config.Backup.Folder, partPrefix+"*")} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			continue // the folder's name is a pattern itself; nothing is lost but room
		}
		for _, path := range found {
			if info, err := os.Lstat(path); err == nil && time.Since(info.ModTime()) > leftAfter {
				if err := os.RemoveAll(path); err != nil {
					s.Log.Warn("removing what a backup left", "err", err)
				}
			}
		}
	}
}

// fileSum is the SHA-256 of a file.
func fileSum(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading the backup: %w", err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.CopyBuffer(sum, &stoppable{ctx, f}, make([]byte, 1<<20)); err != nil {
		return "", fmt.Errorf("reading the backup: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

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

// prune removes the backups of this server that the settings do not keep, but never the one just made. It touches only files with names
// that the server gives. Those that seem to be from the future neither count nor are removed: the clock was once ahead.
func (s *Service) prune(ctx context.Context, made string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	series, err := s.series()
	if err != nil {
		return err
	}
	prefix, err := s.prefix(ctx, series)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(s.Config.Backup.Folder)
	if err != nil {
		return fmt.Errorf("reading the folder for backups: %w", err)
	}
	names, moments, now := map[time.Time]string{}, []time.Time(nil), s.Clock()
	for _, e := range entries {
		rest, isOurs := strings.CutPrefix(e.Name(), prefix)
		text, isBackup := strings.CutSuffix(rest, fileSuffix)
		at, err := time.Parse(fileTime, text)
		if !isOurs || !isBackup || err != nil || at.After(now) || !e.Type().IsRegular() {
			continue
		}
		names[at], moments = e.Name(), append(moments, at)
	}
	var errs []error
	for _, at := range domain.ExpiredBackups(moments, s.Config.Backup.KeepDaily, s.Config.Backup.KeepWeekly) {
		if file := filepath.Join(s.Config.Backup.Folder, names[at]); file != made {
			errs = append(errs, os.Remove(file))
		}
	}
	return errors.Join(errs...)
}

// leftAfter is how old what a killed backup left must be to be removed, unless it is this server's: another process may be writing one.
const leftAfter = 24 * time.Hour

// sweep removes what backups left that were killed: copies of databases, and files that are not whole. This server must not be writing
// one.
func (s *Service) sweep(series string) {
	for _, start := range []string{filepath.Join(s.Config.Data, Folder, workPrefix), filepath.Join(s.Config.Backup.Folder, partPrefix)} {
		found, err := filepath.Glob(start + "*")
		if err != nil {
			continue // the folder's name is a pattern itself; nothing is lost but room
		}
		for _, path := range found {
			own := strings.HasPrefix(path, start+series+"-")
			if info, err := os.Lstat(path); err == nil && (own || time.Since(info.ModTime()) > leftAfter) {
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

package backup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"blossomtune/internal/config"
	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

const (
	backupLimit = 6 * time.Hour    // for one backup with its check
	retryAfter  = time.Hour        // after a scheduled one that failed
	lookEvery   = 20 * time.Second // whether one is due
	duePast     = 200              // newest tries among which the server's own are looked for; a timer may run the command often
	fileTime    = "20060102T150405Z"
	filePrefix  = "blossomtune-"
	fileSuffix  = ".backup"
)

// Service backs a running server up: at the time of day that the settings name, and when an admin asks for it. It makes one backup at a
// time and keeps as many as the settings say.
type Service struct {
	DB      *store.DB
	Config  config.Config // resolved
	Server  string        // the version of this program
	Clock   domain.Clock
	Log     *slog.Logger
	Started time.Time

	once    sync.Once
	asked   chan domain.Actor
	mu      sync.Mutex
	running bool
}

func (s *Service) queue() chan domain.Actor {
	s.once.Do(func() { s.asked = make(chan domain.Actor, 1) })
	return s.asked
}

// State returns what is known of the server's backups.
func (s *Service) State(ctx context.Context) (domain.BackupState, error) {
	out, err := Known(ctx, s.DB, s.Config.Backup, s.Clock)
	out.Since = s.Started
	s.mu.Lock()
	defer s.mu.Unlock()
	out.Running = s.running || len(s.queue()) > 0
	return out, err
}

// Start asks for a backup and does not wait for it. It is a [domain.Invalid] error if the settings do not say how to protect it, and a
// [domain.Conflict] error while one is being made.
func (s *Service) Start(_ context.Context, actor domain.Actor) error {
	if _, err := Configured(s.Config.Backup); err != nil {
		return domain.Errorf(domain.Invalid, "How backups are encrypted is not set.").
			Fix("Set BLOSSOMTUNE_BACKUP_RECIPIENT or BLOSSOMTUNE_BACKUP_PASSPHRASE_FILE and restart, or run blossomtune backup on its host.").
			Because(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running {
		select {
		case s.queue() <- actor:
			return nil
		default:
		}
	}
	return domain.Errorf(domain.Conflict, "A backup is being made.").Fix("Wait until it is complete.")
}

// Run makes the backups that are due and asked for until ctx ends.
func (s *Service) Run(ctx context.Context) {
	s.interrupted(ctx)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if due, err := s.due(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("looking whether a backup is due", "err", err)
		} else if due {
			s.make(ctx, domain.System, domain.BackupScheduled)
		}
		select {
		case <-ctx.Done():
			return
		case actor := <-s.queue():
			s.make(ctx, actor, domain.BackupByAdmin)
		case <-tick.C:
		}
	}
}

// due reports whether a scheduled backup is to be made now: no file was made since its time, and no try has just failed.
func (s *Service) due(ctx context.Context) (bool, error) {
	if s.Config.Backup.Daily == "" {
		return false, nil
	}
	now := s.Clock()
	due, err := domain.DueBackup(s.Config.Backup.Daily, now)
	if err != nil {
		return false, err
	}
	var newest []domain.Backup
	if err := s.DB.View(ctx, func(tx *store.Tx) (err error) { newest, err = tx.Backups(ctx, duePast); return err }); err != nil {
		return false, err
	}
	for _, b := range newest {
		switch {
		case b.Kind == domain.BackupByCommand, b.StartedAt.After(now), b.EndedAt.After(now): // the clock was once ahead
		case b.File != "" && !b.StartedAt.Before(due), b.Error != "" && now.Sub(b.EndedAt) < retryAfter:
			return false, nil
		}
	}
	return true, nil
}

// make makes one backup and records what became of it.
func (s *Service) make(ctx context.Context, actor domain.Actor, kind domain.BackupKind) {
	s.setRunning(true)
	defer s.setRunning(false)
	limited, cancel := context.WithTimeout(ctx, backupLimit)
	defer cancel()
	b := domain.Backup{Kind: kind, StartedAt: s.Clock().UTC(), Clear: s.Config.Backup.Clear}
	ended := s.begun(kind)
	err := s.write(limited, &b)
	if ctx.Err() != nil {
		ended()
		return // the server stops; the next one makes it
	}
	b.EndedAt = s.Clock().UTC()
	if err != nil {
		b.Error = words(err)
		s.Log.Error("the backup failed", "err", err, "file", b.File)
	}
	if err := Note(ctx, s.DB, actor, &b); err != nil {
		s.Log.Error("recording the backup", "err", err)
	}
	ended()
	if b.Verified == domain.BackupUnchecked {
		return // older ones may be better
	}
	s.Log.Info("backed up", "file", b.File, "bytes", b.Size, "verified", string(b.Verified))
	if err := s.prune(ctx, b.File); err != nil {
		s.Log.Error("removing old backups", "err", err)
	}
}

func (s *Service) setRunning(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = on
}

// words are what people are told of an error.
func words(err error) string {
	if e := known(err); e != nil {
		return e.Message
	}
	return domain.Cut(err.Error(), 500)
}

// write writes a file and checks it. After an error, b.File is the file that is there all the same: it was not verified, or a person
// should see what was found in it.
func (s *Service) write(ctx context.Context, b *domain.Backup) error {
	protect, err := Configured(s.Config.Backup)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.Config.Backup.Folder, 0o700); err != nil {
		return domain.Errorf(domain.Unavailable, "The folder for backups %s cannot be made.", s.Config.Backup.Folder).Because(err)
	}
	series, err := s.series()
	if err != nil {
		return err
	}
	prefix, err := s.prefix(ctx, series)
	if err != nil {
		return err
	}
	s.sweep(series)
	file := filepath.Join(s.Config.Backup.Folder, prefix+b.StartedAt.Format(fileTime)+fileSuffix)
	res, err := Create(ctx, Options{Config: s.Config, File: file, Protect: protect, Artifacts: true, Logs: true, Server: s.Server,
		Clock: s.Clock, series: series + "-"})
	if err != nil {
		return err
	}
	b.File, b.Size, b.SHA256 = file, res.Size, res.SHA256
	b.Verified, err = s.check(ctx, res, protect, series)
	if isDamage(err) || errors.Is(ctx.Err(), context.Canceled) {
		b.File, b.Size, b.SHA256 = "", 0, ""
		return errors.Join(err, os.Remove(file))
	}
	if err != nil && b.Verified == domain.BackupUnchecked {
		return domain.Errorf(domain.Unavailable, "The backup was made, but could not be verified: %s", words(err)).
			Fix("Check the file with blossomtune backup verify.").Because(err)
	}
	return err
}

// check reads a new backup again. Where it can be opened, its content is verified; that the audit in it is not whole is an error then,
// although the content is as it was written. For a recipient the server has no key: then it compares the bytes with those that were
// written.
func (s *Service) check(ctx context.Context, res Result, p Protection, series string) (domain.BackupCheck, error) {
	if len(p.Recipients) > 0 {
		sum, err := fileSum(ctx, res.File)
		if err != nil {
			return domain.BackupUnchecked, err
		}
		if sum != res.SHA256 {
			return domain.BackupUnchecked, damaged("on its way to the disk", nil)
		}
		return domain.BackupBytesChecked, nil
	}
	work, err := workDir(s.Config.Data, series+"-")
	if err != nil {
		return domain.BackupUnchecked, err
	}
	defer os.RemoveAll(work)
	r, err := inspect(ctx, res.File, Keys{Passphrase: func() (string, error) { return p.Passphrase, nil }}, work)
	if err != nil {
		return domain.BackupUnchecked, full(err)
	}
	return domain.BackupContentChecked, r.judge()
}

// prefix begins the names of this server's backups: several servers, and copies of this one, may share a folder.
func (s *Service) prefix(ctx context.Context, series string) (prefix string, err error) {
	var instance string
	err = s.DB.View(ctx, func(tx *store.Tx) (err error) { instance, err = tx.Setting(ctx, "instance"); return err })
	if len(instance) > 8 {
		instance = instance[:8]
	}
	return fmt.Sprintf("%s%s-%s-", filePrefix, instance, series), err
}

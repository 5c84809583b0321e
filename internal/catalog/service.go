// Package catalog knows the Flower Apps that can be run: found in folders or uploaded, built into FABs by Flower itself, with the
// schema of their run config. An app version is its FAB's SHA-256 and is kept for as long as the database.
package catalog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"blossomtune/internal/domain"
)

// Tx is what the catalog needs of a transaction.
type Tx interface {
	PutAppVersion(ctx context.Context, a domain.AppVersion) error
	AppVersionByHash(ctx context.Context, hash string, withFAB bool) (domain.AppVersion, error)
	AppVersions(ctx context.Context) ([]domain.AppVersion, error)
	Setting(ctx context.Context, key string) (string, error)
	PutSetting(ctx context.Context, key, value string) error
	AppVersionsByPrefix(ctx context.Context, publisher, name, prefix string) ([]domain.AppVersion, error)
	InsertAppOrigin(ctx context.Context, o domain.AppOrigin) (bool, error)
	AppOrigins(ctx context.Context, hash string) ([]domain.AppOrigin, error)
	HighestGrant(ctx context.Context, personID int64) (domain.Role, error)
	AppsOfHolder(ctx context.Context, personID int64) ([]string, error)
	AppUses(ctx context.Context, personID int64, all bool) (map[string]domain.AppUse, error)
	RunsOfApp(ctx context.Context, hash string, personID int64, all bool, n int) ([]domain.AppUse, error)
	PutPreset(ctx context.Context, appID string, p domain.Preset) error
	DeletePreset(ctx context.Context, appID, name string) error
	Presets(ctx context.Context, appID string) ([]domain.Preset, error)
	InsertAudit(ctx context.Context, e domain.AuditEntry) error
}

// Store runs transactions.
type Store interface {
	InTx(ctx context.Context, fn func(Tx) error) error
	View(ctx context.Context, fn func(Tx) error) error
}

// Options are the parts a [Service] works with.
type Options struct {
	Store Store
	Clock domain.Clock
	Log   *slog.Logger
	// Build makes the FAB of a folder with Flower's own `flwr build`. A folder that it refuses is a [domain.Invalid] error.
	Build func(ctx context.Context, dir string) ([]byte, error)
	// Contained is how ServerApps are contained on this machine; nil: not known, and everybody may add apps.
	Contained func() domain.Containment
	// Changed is called after something of the catalog has changed; it may be nil.
	Changed func()
}

// Service is safe for concurrent use.
type Service struct {
	Options
	asked *domain.Limiter
	slots chan struct{}

	mu       sync.Mutex
	problems []Problem
}

const (
	maxAdds  = 100 // by one person in an hour
	maxSlots = 2   // apps that are fetched and built at once
)

// Topic is the topic of the catalog's events.
const Topic = "apps"

// New returns a Service.
func New(o Options) *Service {
	return &Service{Options: o, asked: domain.NewLimiter(maxAdds, time.Hour), slots: make(chan struct{}, maxSlots)}
}

// List returns all app versions without their FABs, newest first.
func (s *Service) List(ctx context.Context) (out []domain.AppVersion, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { out, err = tx.AppVersions(ctx); return err })
	return out, err
}

// Get returns an app version without its FAB.
func (s *Service) Get(ctx context.Context, hash string) (a domain.AppVersion, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { a, err = tx.AppVersionByHash(ctx, hash, false); return err })
	return a, err
}

// FAB returns an app version with its FAB.
func (s *Service) FAB(ctx context.Context, hash string) (a domain.AppVersion, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { a, err = tx.AppVersionByHash(ctx, hash, true); return err })
	return a, err
}

// Upload adds an app from a FAB or a zip of its source folder. What is no app is a [domain.Invalid] error, what is larger than
// [domain.MaxFAB] a [domain.TooLarge] one, both at field "app"; then nothing has changed.
func (s *Service) Upload(ctx context.Context, actor domain.Actor, filename string, r io.Reader) (domain.AppVersion, error) {
	if err := s.MayUse(ctx, actor); err != nil {
		return domain.AppVersion{}, err
	}
	body, err := io.ReadAll(io.LimitReader(r, domain.MaxFAB+1))
	if err != nil {
		return domain.AppVersion{}, domain.Errorf(domain.Invalid, "The upload broke off.").Fix("Try again.").At("app").Because(err)
	}
	if len(body) > domain.MaxFAB {
		return domain.AppVersion{}, tooLarge()
	}
	done, err := s.slot(ctx, actor)
	if err != nil {
		return domain.AppVersion{}, err
	}
	defer done()
	fab := body
	if !isFAB(body) {
		if fab, err = s.buildZip(ctx, body); err != nil {
			return domain.AppVersion{}, err
		}
	}
	return s.add(ctx, actor, fab, domain.AppOrigin{Kind: domain.OriginUpload, Place: plainName(filename)})
}

func tooLarge() *domain.Error {
	return domain.Errorf(domain.TooLarge, "The app is larger than %d MB, Flower's limit for a FAB.", domain.MaxFAB>>20).
		Fix("Leave data and weights out of the app; it can download or read them where it runs.").At("app")
}

// add keeps a FAB and where it came from. One that is known already is returned as it is.
func (s *Service) add(ctx context.Context, actor domain.Actor, fab []byte, from domain.AppOrigin) (domain.AppVersion, error) {
	if len(fab) > domain.MaxFAB {
		return domain.AppVersion{}, tooLarge()
	}
	a, err := readFAB(fab)
	if err != nil {
		return domain.AppVersion{}, err
	}
	sum := sha256.Sum256(fab)
	a.Hash, a.FAB, a.Source, a.CreatedAt = hex.EncodeToString(sum[:]), fab, from.String(), s.Clock().UTC()
	from.Hash, from.By, from.At = a.Hash, actor.Name, a.CreatedAt
	changed := false
	err = s.Store.InTx(ctx, func(tx Tx) error {
		changed = false
		known, err := tx.AppVersionByHash(ctx, a.Hash, false)
		action := "app_version.found_again"
		switch {
		case err == nil:
			a = known
		case domain.CodeOf(err) != domain.NotFound:
			return err
		default:
			action = "app_version.added"
			if err := tx.PutAppVersion(ctx, a); err != nil {
				return err
			}
		}
		if changed, err = tx.InsertAppOrigin(ctx, from); err != nil || !changed {
			return err
		}
		return tx.InsertAudit(ctx, domain.AuditEntry{At: from.At, Actor: actor, Action: action, ObjectKind: "app_version", ObjectID: a.Hash,
			Detail: map[string]string{"app": a.ID() + " " + a.Version, "source": from.String()}})
	})
	a.FAB = nil
	if err == nil && changed && s.Changed != nil {
		s.Changed()
	}
	return a, err
}

// plainName is the last part of a file's name, whatever system it is from, without what is no text.
func plainName(name string) string {
	name = name[strings.LastIndexAny(name, "/\\")+1:]
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, name)
	return domain.Cut(strings.ToValidUTF8(name, ""), 200)
}

func invalid(format string, args ...any) *domain.Error {
	return domain.Errorf(domain.Invalid, format, args...).At("app")
}

func hasZipMagic(b []byte) bool { return bytes.HasPrefix(b, []byte("PK\x03\x04")) }

func trimDot(s string) string { return strings.TrimSuffix(strings.TrimSpace(s), ".") }

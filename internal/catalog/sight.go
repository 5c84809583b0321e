package catalog

import (
	"context"
	"regexp"

	"blossomtune/internal/domain"
)

// Sight is what of the catalog somebody may see.
type Sight struct {
	All     bool // every app: a viewer or manager of any federation, or an admin
	Manages bool // may add apps and presets: a manager of any federation, or an admin
	Admin   bool

	person int64
	hashes map[string]bool
}

// Sees reports whether an app version may be seen: by a participant, what runs, ran or is queued where they hold a partition.
func (v Sight) Sees(hash string) bool { return v.All || v.hashes[hash] }

// Sight returns what a person may see.
func (s *Service) Sight(ctx context.Context, p domain.Person) (Sight, error) {
	v := Sight{All: p.Admin, Manages: p.Admin, Admin: p.Admin, person: p.ID, hashes: map[string]bool{}}
	err := s.Store.View(ctx, func(tx Tx) error {
		if p.Admin {
			return nil
		}
		role, err := tx.HighestGrant(ctx, p.ID)
		if err != nil {
			return err
		}
		v.All, v.Manages = role.AtLeast(domain.RoleViewer), role.AtLeast(domain.RoleManager)
		own, err := tx.AppsOfHolder(ctx, p.ID)
		for _, hash := range own {
			v.hashes[hash] = true
		}
		return err
	})
	return v, err
}

// Versions returns the app versions in sight without their FABs, newest first.
func (s *Service) Versions(ctx context.Context, v Sight) ([]domain.AppVersion, error) {
	all, err := s.List(ctx)
	out := make([]domain.AppVersion, 0, len(all))
	for _, a := range all {
		if v.Sees(a.Hash) {
			out = append(out, a)
		}
	}
	return out, err
}

var hashPrefix = regexp.MustCompile(`^[0-9a-f]{8,64}$`)

func noApp() *domain.Error {
	return domain.Errorf(domain.NotFound, "There is no such app version, or none that you may see.").Fix("Look at the list of apps.")
}

// Find returns a version of an app by the first 8 or more hex digits of its hash. One that is not in sight does not exist.
func (s *Service) Find(ctx context.Context, v Sight, publisher, name, prefix string) (a domain.AppVersion, err error) {
	if !hashPrefix.MatchString(prefix) {
		return a, noApp()
	}
	var found []domain.AppVersion
	err = s.Store.View(ctx, func(tx Tx) (err error) {
		found, err = tx.AppVersionsByPrefix(ctx, publisher, name, prefix)
		return err
	})
	if err != nil {
		return a, err
	}
	n := 0
	for _, f := range found {
		if v.Sees(f.Hash) {
			a, n = f, n+1
		}
	}
	if n != 1 {
		return domain.AppVersion{}, noApp()
	}
	return a, nil
}

// FindHash returns an app version by its whole hash. One that is not in sight does not exist.
func (s *Service) FindHash(ctx context.Context, v Sight, hash string) (domain.AppVersion, error) {
	if !v.Sees(hash) {
		return domain.AppVersion{}, noApp()
	}
	a, err := s.Get(ctx, hash)
	if domain.CodeOf(err) == domain.NotFound {
		err = noApp()
	}
	return a, err
}

// Siblings returns the versions of an app that are in sight, newest first.
func (s *Service) Siblings(ctx context.Context, v Sight, a domain.AppVersion) ([]domain.AppVersion, error) {
	all, err := s.Versions(ctx, v)
	var out []domain.AppVersion
	for _, o := range all {
		if o.ID() == a.ID() {
			out = append(out, o)
		}
	}
	return out, err
}

// Before returns the version of the same app that was added before one, of the first the one after it. Where there is one only, that
// is a [domain.Invalid] error.
func (s *Service) Before(ctx context.Context, v Sight, a domain.AppVersion) (domain.AppVersion, error) {
	all, err := s.Siblings(ctx, v, a)
	if err != nil {
		return domain.AppVersion{}, err
	}
	for i, o := range all {
		switch {
		case o.Hash != a.Hash:
		case i+1 < len(all):
			return all[i+1], nil
		case i > 0:
			return all[i-1], nil
		}
	}
	return domain.AppVersion{}, domain.Errorf(domain.Invalid, "There is one version of this app only.").At("against")
}

// Origins returns where an app version came from, the first first.
func (s *Service) Origins(ctx context.Context, hash string) (out []domain.AppOrigin, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { out, err = tx.AppOrigins(ctx, hash); return err })
	return out, err
}

// Uses tells by hash which app versions the runs used that somebody may see.
func (s *Service) Uses(ctx context.Context, v Sight) (out map[string]domain.AppUse, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { out, err = tx.AppUses(ctx, v.person, v.Admin); return err })
	return out, err
}

// RunsOf returns the newest runs of an app version that somebody may see.
func (s *Service) RunsOf(ctx context.Context, v Sight, hash string, n int) (out []domain.AppUse, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { out, err = tx.RunsOfApp(ctx, hash, v.person, v.Admin, n); return err })
	return out, err
}

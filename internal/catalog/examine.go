package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"blossomtune/internal/domain"
)

// Examine checks a FAB, or a zip of an app's folder that it builds first, as [Service.Upload] does, and returns what it would add, with the
// FAB. It stores nothing. Errors are those of Upload.
func Examine(ctx context.Context, build func(ctx context.Context, dir string) ([]byte, error), body []byte) (domain.AppVersion, error) {
	if len(body) > domain.MaxFAB {
		return domain.AppVersion{}, tooLarge()
	}
	fab := body
	if !isFAB(body) {
		var err error
		if fab, err = New(Options{Build: build}).buildZip(ctx, body); err != nil {
			return domain.AppVersion{}, err
		}
	}
	if len(fab) > domain.MaxFAB {
		return domain.AppVersion{}, tooLarge()
	}
	a, err := readFAB(fab)
	if err != nil {
		return domain.AppVersion{}, err
	}
	sum := sha256.Sum256(fab)
	a.Hash, a.FAB = hex.EncodeToString(sum[:]), fab
	return a, nil
}

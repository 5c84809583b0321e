package api

import (
	"slices"

	"blossomtune/internal/domain"
)

// pageAfter returns at most limit entries of a list that come after the one with a key; "": from the first on. A key that is not in the
// list (any more) is refused: the caller would miss entries, or get them again.
func pageAfter[T any](all []T, after string, limit int, key func(T) string) ([]T, error) {
	if after != "" {
		at := slices.IndexFunc(all, func(v T) bool { return key(v) == after })
		if at < 0 {
			return nil, domain.Errorf(domain.Invalid, "%q is not in the list.", after).Fix("Begin again without after.").At("after")
		}
		all = all[at+1:]
	}
	return all[:min(limit, len(all))], nil
}

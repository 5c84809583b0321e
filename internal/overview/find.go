package overview

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"blossomtune/internal/domain"
)

// MaxFound is how many of each kind are found at most.
const MaxFound = 6

// Found is what somebody may see that has the words they look for.
type Found struct {
	Places   []domain.Place   // where they are anything; all of them, whatever the words
	Runs     []domain.Run     // the newest first
	Requests []domain.Request // of federations that they manage: pending and approved ones
	People   []domain.Person  // for an admin
}

// Find looks for words, in lower case, among what a person may see: one bounded query for each kind. Without words it finds the
// newest runs, and nobody.
func (s *Service) Find(ctx context.Context, p domain.Person, words []string) (f Found, err error) {
	err = s.Store.View(ctx, func(tx Tx) error {
		if f.Places, err = tx.Places(ctx, p.ID, p.Admin); err != nil {
			return err
		}
		var watched, own, managed []int64
		for _, place := range f.Places {
			if place.Role.AtLeast(domain.RoleViewer) {
				watched = append(watched, place.ID)
			} else {
				own = append(own, place.ID)
			}
			if place.Role.AtLeast(domain.RoleManager) {
				managed = append(managed, place.ID)
			}
		}
		if f.Runs, err = runsNamed(ctx, tx, watched, own, p.ID, words); err != nil || len(words) == 0 {
			return err
		}
		if f.Requests, err = tx.RequestsNamed(ctx, managed, words, MaxFound); err != nil || !p.Admin {
			return err
		}
		f.People, err = tx.People(ctx, domain.PeopleFilter{Search: strings.Join(words, " "), Limit: MaxFound})
		return err
	})
	return f, err
}

// runsNamed finds the newest runs of the federations that a person watches, and of those in which they only take part the runs that
// they may see.
func runsNamed(ctx context.Context, tx Tx, watched, own []int64, personID int64, words []string) ([]domain.Run, error) {
	all, err := tx.RunsNamed(ctx, watched, 0, words, MaxFound)
	if err != nil {
		return nil, err
	}
	more, err := tx.RunsNamed(ctx, own, personID, words, MaxFound)
	all = append(all, more...)
	slices.SortFunc(all, func(a, b domain.Run) int { return cmp.Compare(b.ID, a.ID) })
	return all[:min(len(all), MaxFound)], err
}

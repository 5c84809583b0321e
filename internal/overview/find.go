package overview

import (
	"context"
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
		var seen, managed []int64
		for _, place := range f.Places {
			seen = append(seen, place.ID)
			if place.Role.AtLeast(domain.RoleManager) {
				managed = append(managed, place.ID)
			}
		}
		if f.Runs, err = tx.RunsNamed(ctx, seen, words, MaxFound); err != nil || len(words) == 0 {
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

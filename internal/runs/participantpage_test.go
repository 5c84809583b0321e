package runs_test

import (
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"

	"github.com/google/go-cmp/cmp"
)

// Pages of a run's participants are the whole list, one part after another, also of a run from before participants were kept with it.
func TestParticipantsArePaged(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		w.nodes(5)
		run := w.started("r1")
		older := run
		older.ParticipantsAt = time.Time{}
		for _, run := range []domain.Run{run, older} {
			var got []domain.RunParticipant
			after, sizes := "", []int{}
			for {
				page, next, err := w.server.ParticipantPage(t.Context(), run, after, 2)
				if err != nil {
					t.Fatal(err)
				}
				got, sizes = append(got, page...), append(sizes, len(page))
				if after = next; after == "" || len(sizes) > 5 {
					break
				}
			}
			if diff := cmp.Diff(w.participants(run), got) + cmp.Diff([]int{2, 2, 1}, sizes); diff != "" {
				t.Error(diff)
			}
		}
		for _, cursor := range []string{"x", "1.2.3", "1.2.3.4 ", "01.2.3.4", "1.2.3.99999999999999999999"} {
			if _, _, err := w.server.ParticipantPage(t.Context(), run, cursor, 2); domain.CodeOf(err) != domain.Invalid {
				t.Errorf("the cursor %q is answered with %v", cursor, err)
			}
		}
	})
}

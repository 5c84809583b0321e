package home

import (
	"context"
	"net/http"
	"strings"
	"time"

	"blossomtune/internal/domain"
	over "blossomtune/internal/overview"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

const (
	findsMost  = 240 // a minute for each person: a little more than somebody types
	maxWords   = 6
	maxFindFor = 100 // bytes
)

// hit is one thing that the palette leads to.
type hit struct {
	Name string `json:"name"`
	More string `json:"more,omitempty"`
	Href string `json:"href"`
}

// hits are those of one kind.
type hits struct {
	Kind string `json:"kind"`
	Hits []hit  `json:"hits"`
}

// Find answers the palette: pages, federations, actions, runs, people and apps that have all the words, of what the visitor may see.
func (s *Pages) Find(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if !s.finds.Allow(ui.Itoa64(v.Person.ID), s.Clock()) {
		return domain.Errorf(domain.Limited, "You look for much at once.").Fix("Wait a minute.")
	}
	text := r.URL.Query().Get("q")
	if len(text) > maxFindFor {
		return domain.Errorf(domain.Invalid, "That is too long to look for.").Fix("Use a few words.")
	}
	words := strings.Fields(strings.ToLower(text))
	all, err := s.finder(r.Context(), v, words[:min(len(words), maxWords)])
	if err != nil {
		return err
	}
	return visit.WriteJSON(w, r, all)
}

func (s *Pages) finder(ctx context.Context, v *visit.Visit, words []string) ([]hits, error) {
	f, err := s.Overview.Find(ctx, v.Person, words)
	if err != nil {
		return nil, err
	}
	slugs := map[int64]domain.Place{}
	for _, p := range f.Places {
		slugs[p.ID] = p
	}
	apps, err := s.findApps(ctx, v, words)
	if err != nil {
		return nil, err
	}
	out := []hits{}
	for _, h := range []hits{
		{"Pages", having(pagesFor(v, f.Places), words)}, {"Federations", having(placesOf(f.Places), words)},
		{"Actions", actionsFor(f.Places, words)},
		{"Runs", runHits(f.Runs, slugs)}, {"People", personHits(f, slugs)}, {"Apps", apps},
	} {
		if len(h.Hits) > 0 {
			h.Hits = h.Hits[:min(len(h.Hits), over.MaxFound)]
			out = append(out, h)
		}
	}
	return out, nil
}

// having are the hits whose name has all the words.
func having(all []hit, words []string) (out []hit) {
	for _, h := range all {
		name, has := strings.ToLower(h.Name+" "+h.More), true
		for _, w := range words {
			has = has && strings.Contains(name, w)
		}
		if has {
			out = append(out, h)
		}
	}
	return out
}

func pagesFor(v *visit.Visit, places []domain.Place) (out []hit) {
	watches := v.Person.Admin
	for _, p := range places {
		watches = watches || p.Role.AtLeast(domain.RoleViewer)
	}
	if watches {
		out = append(out, hit{"Overview", "", "/"}, hit{"Federations", "", "/f"})
	}
	out = append(out, hit{"Apps", "", "/apps"}, hit{"My federations", "", "/me"}, hit{"My account", "", "/me/account"})
	if v.Person.Admin {
		for _, t := range ui.AdminPages {
			out = append(out, hit{t.Name, "Admin", "/admin/" + t.Key})
		}
	}
	return append(out, hit{"Help", "", "/help"})
}

// actionsFor are what a manager may begin. They wait for a word: there are some for each federation.
func actionsFor(places []domain.Place, words []string) (out []hit) {
	for _, p := range places {
		if len(words) == 0 || !p.Role.AtLeast(domain.RoleManager) {
			continue
		}
		fed := "/f/" + p.Slug
		out = append(out, having([]hit{
			{"Launch run in " + p.Name, "", fed + "/launch"}, {"Review requests of " + p.Name, "", fed + "/requests"},
			{"Invite people to " + p.Name, "", fed + "/invites"},
			{"SuperNodes of " + p.Name, "", fed + "/nodes"}, {"Runs of " + p.Name, "", fed + "/runs"}, {"Logs of " + p.Name, "", fed + "/logs"},
			{"Settings of " + p.Name, "", fed + "/settings"},
		}, words)...)
	}
	return out
}

func placesOf(places []domain.Place) (out []hit) {
	for _, p := range places {
		h := hit{p.Name, string(p.Role), "/f/" + p.Slug}
		if p.Role == domain.RoleParticipant {
			h.Href = "/me/" + p.Slug
		}
		out = append(out, h)
	}
	return out
}

func runHits(all []domain.Run, places map[int64]domain.Place) (out []hit) {
	for _, r := range all {
		p := places[r.FederationID]
		out = append(out, hit{r.Name, ui.RunTone(r).Word + " in " + p.Name, "/f/" + p.Slug + "/runs/" + r.Name})
	}
	return out
}

func personHits(f over.Found, places map[int64]domain.Place) (out []hit) {
	for _, r := range f.Requests {
		p := places[r.FederationID]
		out = append(out, hit{r.Name, strings.TrimPrefix(r.Organisation+", ", ", ") + string(r.State) + " in " + p.Name,
			"/f/" + p.Slug + "/requests?state=" + string(r.State) + "&request=" + r.Ref})
	}
	for _, p := range f.People {
		if !p.Host() && p.Email != "" {
			out = append(out, hit{ui.PersonName(p), p.Email, "/admin/people?q=" + ui.QueryText(p.Email)})
		}
	}
	return out
}

// findApps finds apps by the newest version of each that is in sight.
func (s *Pages) findApps(ctx context.Context, v *visit.Visit, words []string) (out []hit, err error) {
	sight, err := s.Catalog.Sight(ctx, v.Person)
	if err != nil {
		return nil, err
	}
	all, err := s.Catalog.Versions(ctx, sight)
	if err != nil || len(words) == 0 {
		return nil, err
	}
	known := map[string]bool{}
	for _, a := range all {
		if !known[a.ID()] {
			known[a.ID()] = true
			out = append(out, hit{a.ID(), a.Version, ui.AppURL(a)})
		}
	}
	return having(out, words), nil
}

func newFinds() *domain.Limiter { return domain.NewLimiter(findsMost, time.Minute) }

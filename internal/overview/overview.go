// Package overview says how an instance is and what needs somebody: over all federations that they watch, and no others.
package overview

import (
	"cmp"
	"context"
	"slices"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs"
)

const (
	// FailuresFor is how long a failed run needs somebody, unless a run of the same app is launched after it in its federation:
	// then somebody has seen to it. Nothing has to be marked as read.
	FailuresFor = 3 * 24 * time.Hour
	// MailsFor is how long a mail that was given up needs an admin.
	MailsFor = 7 * 24 * time.Hour
	// AbsentAfter is how long somebody may be approved before it needs a manager that they have not connected: their command works for a day.
	AbsentAfter = 24 * time.Hour
	// MaxNeeds is how many things that need someone a page shows; the rest is counted.
	MaxNeeds = 20
	// MaxRunning is how many runs a page shows; the rest is counted.
	MaxRunning = 12

	askersNamed = 3
	maxFailures = 200 // that are read at all
)

// Tx is what the overview needs of a transaction.
type Tx interface {
	Glances(ctx context.Context, personID int64, all bool) ([]domain.Glance, error)
	FirstAskers(ctx context.Context, feds []int64, n int) (map[int64][]string, error)
	ActiveRuns(ctx context.Context) ([]domain.Run, error)
	LastRuns(ctx context.Context) ([]domain.Run, error)
	OpenFailures(ctx context.Context, feds []int64, since time.Time, n int) ([]domain.Run, error)
	EverCompleted(ctx context.Context) (bool, error)
	GoneNodes(ctx context.Context) ([]domain.Gone, error)
	AbsentPeople(ctx context.Context, feds []int64, before time.Time, n int) ([]domain.Absent, error)
	LostMails(ctx context.Context, since time.Time) (domain.Lost, error)

	Places(ctx context.Context, personID int64, all bool) ([]domain.Place, error)
	RunsNamed(ctx context.Context, feds []int64, personID int64, words []string, n int) ([]domain.Run, error)
	RequestsNamed(ctx context.Context, feds []int64, words []string, n int) ([]domain.Request, error)
	People(ctx context.Context, f domain.PeopleFilter) ([]domain.Person, error)
}

// Store reads.
type Store interface {
	View(ctx context.Context, fn func(Tx) error) error
}

// Runs tells how runs come along.
type Runs interface {
	Progress(ctx context.Context, all []domain.Run) ([]runs.Progress, error)
}

// Options are the parts a [Service] works with.
type Options struct {
	Store  Store
	Runs   Runs
	Status func(fedID int64) domain.SuperLink
	Clock  domain.Clock
}

// Service looks at everything that somebody watches. It keeps nothing.
type Service struct{ Options }

// New returns a Service.
func New(o Options) *Service { return &Service{o} }

// Fed is one federation that somebody watches.
type Fed struct {
	domain.Glance
	Link    domain.SuperLink
	Running []domain.Run // starting and running ones, oldest first
	Queued  int
	Last    domain.Run // that ended last; ID 0 without one
}

// Manager reports whether who looks manages it.
func (f Fed) Manager() bool { return f.Role.AtLeast(domain.RoleManager) }

// Free is how many partitions nobody holds.
func (f Fed) Free() int { return max(f.TotalPartitions-f.Held, 0) }

// Running is a run that goes on.
type Running struct {
	domain.Run
	Fed Fed
	runs.Progress
}

// Overview is everything at one moment.
type Overview struct {
	Feds        []Fed // by name
	Running     []Running
	MoreRunning int // beyond [MaxRunning]
	Needs       []Need
	MoreNeeds   int              // beyond [MaxNeeds]
	First       bool             // no run has ever completed here
	Nodes       domain.NodeCount // of all Feds
	Down        int              // SuperLinks that failed or cannot be reached
}

// Manages reports whether who looks manages any of it.
func (o Overview) Manages() bool { return slices.ContainsFunc(o.Feds, Fed.Manager) }

// found is what one transaction read.
type found struct {
	glances  []domain.Glance
	active   []domain.Run
	last     []domain.Run
	failed   []domain.Run
	askers   map[int64][]string
	gone     []domain.Gone
	absent   []domain.Absent
	lost     domain.Lost
	finished bool
}

// Look returns what a person watches: everything for an admin, else the federations in which they were given a role. Somebody
// without any sees nothing.
func (s *Service) Look(ctx context.Context, p domain.Person) (Overview, error) {
	now := s.Clock().UTC()
	x, err := s.read(ctx, p, now)
	if err != nil {
		return Overview{}, err
	}
	o := Overview{First: !x.finished}
	for _, g := range x.glances {
		f := Fed{Glance: g, Link: s.Status(g.ID)}
		f.Link.Idle = f.EngineIdle && f.Link.State == domain.SuperLinkStopped
		o.Nodes.Good, o.Nodes.Online, o.Nodes.Stuck = o.Nodes.Good+g.Nodes.Good, o.Nodes.Online+g.Nodes.Online, o.Nodes.Stuck+g.Nodes.Stuck
		if broken(f.Link) {
			o.Down++
		}
		o.Feds = append(o.Feds, f)
	}
	o.place(x)
	if err := s.follow(ctx, &o); err != nil {
		return o, err
	}
	o.needs(x)
	return o, nil
}

func (s *Service) read(ctx context.Context, p domain.Person, now time.Time) (x found, err error) {
	err = s.Store.View(ctx, func(tx Tx) error {
		if x.glances, err = tx.Glances(ctx, p.ID, p.Admin); err != nil || len(x.glances) == 0 {
			return err
		}
		var managed, asked []int64
		for _, g := range x.glances {
			if g.Role.AtLeast(domain.RoleManager) {
				managed = append(managed, g.ID)
				if g.Pending > 0 {
					asked = append(asked, g.ID)
				}
			}
		}
		if x.active, err = tx.ActiveRuns(ctx); err != nil {
			return err
		}
		if x.last, err = tx.LastRuns(ctx); err != nil {
			return err
		}
		if x.failed, err = tx.OpenFailures(ctx, managed, now.Add(-FailuresFor), maxFailures); err != nil {
			return err
		}
		if x.askers, err = tx.FirstAskers(ctx, asked, askersNamed); err != nil {
			return err
		}
		if x.gone, err = tx.GoneNodes(ctx); err != nil {
			return err
		}
		if x.absent, err = tx.AbsentPeople(ctx, managed, now.Add(-AbsentAfter), askersNamed); err != nil {
			return err
		}
		if x.finished = slices.ContainsFunc(x.last,
			func(r domain.Run) bool { return r.State == domain.Completed && r.Outcome() != domain.NothingTrained }); !x.finished {
			if x.finished, err = tx.EverCompleted(ctx); err != nil {
				return err
			}
		}
		if p.Admin {
			x.lost, err = tx.LostMails(ctx, now.Add(-MailsFor))
		}
		return err
	})
	return x, err
}

// place puts runs to their federations; those of others are left out.
func (o *Overview) place(x found) {
	at := map[int64]*Fed{}
	for i := range o.Feds {
		at[o.Feds[i].ID] = &o.Feds[i]
	}
	for _, r := range x.last {
		if f := at[r.FederationID]; f != nil {
			f.Last = r
		}
	}
	for _, r := range x.active {
		f := at[r.FederationID]
		switch {
		case f == nil:
		case r.State == domain.Queued:
			f.Queued++
		default:
			f.Running = append(f.Running, r)
		}
	}
	for _, f := range o.Feds {
		for _, r := range f.Running {
			o.Running = append(o.Running, Running{Run: r, Fed: f})
		}
	}
	slices.SortStableFunc(o.Running, func(a, b Running) int { return cmp.Compare(a.ID, b.ID) })
	o.MoreRunning = max(len(o.Running)-MaxRunning, 0)
	o.Running = o.Running[:len(o.Running)-o.MoreRunning]
}

// follow says how each run that is shown comes along.
func (s *Service) follow(ctx context.Context, o *Overview) error {
	if len(o.Running) == 0 {
		return nil
	}
	all := make([]domain.Run, len(o.Running))
	for i, r := range o.Running {
		all[i] = r.Run
	}
	how, err := s.Runs.Progress(ctx, all)
	if err != nil {
		return err
	}
	for i := range o.Running {
		o.Running[i].Progress = how[i]
	}
	return nil
}

func broken(l domain.SuperLink) bool {
	return l.State == domain.SuperLinkFailed || l.State == domain.SuperLinkUnreachable
}

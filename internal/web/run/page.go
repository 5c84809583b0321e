package run

import (
	"context"
	"fmt"
	"net/http"

	"blossomtune/internal/domain"
	"blossomtune/internal/events"
	"blossomtune/internal/logfile"
	"blossomtune/internal/runs"
	"blossomtune/internal/web/fedpage"
	"blossomtune/internal/web/live"
	"blossomtune/internal/web/run/rounds"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// runDetail is everything that the page of a run shows but its log and charts.
type runDetail struct {
	fedpage.Head
	run       domain.Run
	app       domain.AppVersion
	files     []runs.Artifact
	view      rounds.View
	pace      runs.Pace
	up, down  int64                   // bytes between SuperNodes and here
	labels    map[string]string       // "partition 3" by node id; of a run with failures
	people    []domain.RunParticipant // the first [peopleShown]
	count     domain.PeopleCount      // of all of them
	names     bool                    // the visitor may see who launched it
	failures  []runs.AppFailure
	wait      runs.Wait
	evidence  []logfile.Line // the lines that show why it failed
	approvals string         // how many participants who decide have approved the app version; empty where none does
	runExtras
}

// evidenceBefore is how many lines before the one that shows it are shown of a failure.
const evidenceBefore = 5

func (s *Pages) detail(ctx context.Context, v *visit.Visit, name string) (runDetail, error) {
	head, err := s.Fed.Head(ctx, v, "runs")
	d := runDetail{Head: head, names: v.Names()}
	if err != nil {
		return d, err
	}
	if d.run, err = s.Runs.ByName(ctx, name); err != nil {
		return d, err
	}
	if d.app, err = s.Catalog.Get(ctx, d.run.AppHash); err != nil {
		return d, err
	}
	approvals, err := s.Runs.Approvals(ctx, d.run.FederationID, d.run.AppHash)
	if err != nil {
		return d, err
	}
	if c, asks := runs.ApprovalsCheck(approvals); asks {
		d.approvals = c.Found
	}
	if d.files, err = s.Runs.Artifacts(ctx, d.run); err != nil {
		return d, err
	}
	if !d.run.StartingAt.IsZero() {
		if d.people, d.count, err = s.Runs.People(ctx, d.run, peopleShown); err != nil {
			return d, err
		}
	}
	if d.pace, err = s.Runs.Pace(ctx, d.run); err != nil {
		return d, err
	}
	traffic, err := s.Runs.Traffic(ctx, d.run)
	if err != nil {
		return d, err
	}
	for _, t := range traffic {
		d.up, d.down = d.up+t.Up, d.down+t.Down
	}
	if d.failures, err = s.Runs.AppFailures(ctx, d.run); err != nil {
		return d, err
	}
	if len(d.failures) > 0 {
		if d.labels, err = s.Runs.NodeLabels(ctx, d.run); err != nil {
			return d, err
		}
	}
	if d.wait, err = s.Runs.WaitFor(ctx, d.run, v.SeenBy()); err != nil {
		return d, err
	}
	if c := d.run.Cause; d.run.State == domain.Failed && c.LogLine > 0 {
		from := max(1, c.LogLine-evidenceBefore)
		if d.evidence, _, err = s.Runs.Log(ctx, d.run, from, c.LogLine-from+1); err != nil {
			return d, err
		}
	}
	return d, s.extras(ctx, v, &d)
}

// Page is the page of a run.
func (s *Pages) Page(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	run, err := s.Run(r.Context(), r, v)
	if err != nil {
		return err
	}
	return s.showRun(w, r, v, http.StatusOK, run, func(d *runDetail) { d.undo = r.URL.Query().Has("described") && v.Manager() })
}

// showRun shows the page of a run; change alters what is shown.
func (s *Pages) showRun(w http.ResponseWriter, r *http.Request, v *visit.Visit, status int, run domain.Run, change func(*runDetail)) error {
	d, err := s.detail(r.Context(), v, run.Name)
	if err != nil {
		return err
	}
	if d.view, err = s.Rounds.View(r.Context(), v, d.run, rounds.QueryOf(r)); err != nil {
		return err
	}
	change(&d)
	s.Render(w, r, v, status, ui.Page{Title: run.Name + " · " + v.Fed.Name, Nav: "f", Events: "/f/" + v.Fed.Slug + "/runs/" + run.Name +
		"/events"}, runPage(d))
	return nil
}

// Events keeps the page of a run live.
func (s *Pages) Events(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	run, err := s.Run(r.Context(), r, v)
	if err != nil {
		return err
	}
	share := fmt.Sprint("run ", run.ID, v.Manager(), v.Names())
	if run.State == domain.Queued && v.SeenBy() != 0 {
		share = "" // what it waits for depends on what they may see
	}
	return s.Live.Follow(w, r, visit.Member, v, live.View{
		Topics: append(live.FederationTopics(v.Fed.ID), live.RunTopic(run.ID)),
		Share:  share,
		Poll:   live.PollActive,
		Quick:  runNews,
		Look: func(ctx context.Context, v *visit.Visit) ([]live.Region, []live.Signal, error) {
			d, err := s.detail(ctx, v, run.Name)
			if err != nil {
				return nil, nil, err
			}
			lines, err := s.Runs.LogFile(d.run).Total()
			if err != nil {
				return nil, nil, err
			}
			newest, err := s.newestMetric(ctx, d.run)
			if err != nil {
				return nil, nil, err
			}
			rounds, err := s.Rounds.RoundsVersion(ctx, d.run)
			return []live.Region{
					{ID: "head", Body: runHead(d)},
					{ID: "failure", Body: runFailure(d)},
					{ID: "people", Body: runPeople(d)},
					{ID: "artifacts", Body: runArtifacts(d)},
				},
				[]live.Signal{{Name: "log", Data: runs.LogNews{Total: lines}}, {Name: "metric", Data: newest}, {Name: "rounds", Data: rounds}}, err
		},
	})
}

// runNews tells of new lines as they come, with which nothing else on the page changes, and of metrics.
func runNews(_ context.Context, e events.Event) (live.Signal, bool) {
	if e.Kind == "log" && e.Data != nil {
		return live.Signal{Name: "log", Data: e.Data}, false
	}
	if e.Kind == "metric" && e.Data != nil { // the charts need not wait for the rest of the page
		return live.Signal{Name: "metric", Data: e.Data}, true
	}
	return live.Signal{}, true
}

func (s *Pages) newestMetric(ctx context.Context, run domain.Run) (int64, error) {
	m, err := s.Runs.MetricMeter(ctx, run)
	return m.Rolled, err
}

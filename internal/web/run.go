package web

import (
	"context"
	"fmt"
	"net/http"

	"blossomtune/internal/domain"
	"blossomtune/internal/events"
	"blossomtune/internal/logfile"
	"blossomtune/internal/runs"
)

// runDetail is everything that the page of a run shows but its log and charts.
type runDetail struct {
	fedHead
	run       domain.Run
	app       domain.AppVersion
	files     []runs.Artifact
	view      roundView
	pace      runs.Pace
	up, down  int64             // bytes between SuperNodes and here
	labels    map[string]string // "partition 3" by node id
	people    []domain.RunParticipant
	names     bool // the visitor may see who launched it
	failures  []runs.AppFailure
	wait      runs.Wait
	evidence  []logfile.Line // the lines that show why it failed
	approvals string         // how many participants who decide have approved the app version; empty where none does
	runExtras
}

// evidenceBefore is how many lines before the one that shows it are shown of a failure.
const evidenceBefore = 5

func (s *server) detail(ctx context.Context, v *visit, name string) (runDetail, error) {
	head, err := s.head(ctx, v, "runs")
	d := runDetail{fedHead: head, names: v.names()}
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
	if d.labels, err = s.Runs.NodeLabels(ctx, d.run); err != nil {
		return d, err
	}
	if d.people, err = s.Runs.Participants(ctx, d.run); err != nil {
		return d, err
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
	if d.wait, err = s.Runs.WaitFor(ctx, d.run, v.seenBy()); err != nil {
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

func (s *server) run(w http.ResponseWriter, r *http.Request, v *visit) error {
	run, err := s.findRun(r.Context(), r, v)
	if err != nil {
		return err
	}
	return s.showRun(w, r, v, http.StatusOK, run, func(d *runDetail) { d.undo = r.URL.Query().Has("described") && v.manager() })
}

// showRun shows the page of a run; change alters what is shown.
func (s *server) showRun(w http.ResponseWriter, r *http.Request, v *visit, status int, run domain.Run, change func(*runDetail)) error {
	d, err := s.detail(r.Context(), v, run.Name)
	if err != nil {
		return err
	}
	if d.view, err = s.roundView(r.Context(), v, d.run, roundQueryOf(r)); err != nil {
		return err
	}
	change(&d)
	s.render(w, r, v, status, page{title: run.Name + " · " + v.fed.Name, nav: "f", events: "/f/" + v.fed.Slug + "/runs/" + run.Name + "/events"}, runPage(d))
	return nil
}

func (s *server) runEvents(w http.ResponseWriter, r *http.Request, v *visit) error {
	run, err := s.findRun(r.Context(), r, v)
	if err != nil {
		return err
	}
	share := fmt.Sprint("run ", run.ID, v.manager(), v.names())
	if run.State == domain.Queued && v.seenBy() != 0 {
		share = "" // what it waits for depends on what they may see
	}
	return s.follow(w, r, aMember, v, view{
		topics: append(fedTopics(v.fed.ID), runTopic(run.ID)),
		share:  share,
		poll:   pollActive,
		quick:  runNews,
		look: func(ctx context.Context, v *visit) ([]region, []signal, error) {
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
			rounds, err := s.roundsVersion(ctx, d.run)
			return []region{{"head", runHead(d)}, {"failure", runFailure(d)}, {"people", runPeople(d)}, {"artifacts", runArtifacts(d)}},
				[]signal{{"log", runs.LogNews{Total: lines}}, {"metric", newest}, {"rounds", rounds}}, err
		},
	})
}

// runNews tells of new lines as they come, with which nothing else on the page changes, and of metrics.
func runNews(_ context.Context, e events.Event) (signal, bool) {
	if e.Kind == "log" && e.Data != nil {
		return signal{"log", e.Data}, false
	}
	if e.Kind == "metric" && e.Data != nil { // the charts need not wait for the rest of the page
		return signal{"metric", e.Data}, true
	}
	return signal{}, true
}

func (s *server) newestMetric(ctx context.Context, run domain.Run) (int64, error) {
	m, err := s.Runs.MetricMeter(ctx, run)
	return m.Rolled, err
}

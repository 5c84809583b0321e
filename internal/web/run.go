package web

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs"
)

// runDetail is everything that the page of a run shows but its log and charts.
type runDetail struct {
	fedHead
	run      domain.Run
	app      domain.AppVersion
	files    []runs.Artifact
	lanes    []lane
	rounds   []int             // the columns of the map
	labels   map[string]string // "partition 3" by node id
	names    bool              // the visitor may see who launched it
	failures []runs.AppFailure
}

// lane is one participant's row of the map.
type lane struct {
	label string
	cells map[int]string // by round: evaluated, trained, noreply, failed
	took  time.Duration  // of its last training; 0 while unknown
}

// maxColumns bounds the map; the newest rounds are shown.
const maxColumns = 24

func (s *server) findRun(ctx context.Context, r *http.Request, v *visit) (domain.Run, error) {
	run, err := s.Runs.ByName(ctx, r.PathValue("run"))
	if domain.CodeOf(err) == domain.NotFound || err == nil && run.FederationID != v.fed.ID {
		return run, domain.Errorf(domain.NotFound, "%s has no run %q.", v.fed.Name, r.PathValue("run")).Fix("Look at the list of runs.")
	}
	return run, err
}

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
	if d.files, err = s.Runs.Artifacts(ctx, d.run); err != nil {
		return d, err
	}
	keys, err := s.Onboarding.NodeKeys(ctx, v.fed.ID)
	if err != nil {
		return d, err
	}
	d.labels = nodeLabels(keys)
	exchanges, err := s.Runs.Exchanges(ctx, d.run)
	if err != nil {
		return d, err
	}
	d.lanes, d.rounds = lanesOf(exchanges, d.labels, d.run)
	d.failures, err = s.Runs.AppFailures(ctx, d.run)
	return d, err
}

// failedAt names the SuperNode of a failure.
func (d runDetail) failedAt(f runs.AppFailure) string {
	if label := d.labels[strconv.FormatUint(f.NodeID, 10)]; label != "" {
		return strings.ToUpper(label[:1]) + label[1:]
	}
	return "A SuperNode that is gone"
}

func nodeLabels(keys []domain.NodeKey) map[string]string {
	out := map[string]string{}
	for _, k := range keys {
		if k.NodeID != 0 {
			out[strconv.FormatUint(k.NodeID, 10)] = fmt.Sprintf("partition %d", k.Partition)
		}
	}
	return out
}

// lanesOf draws the participation map from what was asked and answered.
func lanesOf(exchanges []domain.Exchange, labels map[string]string, run domain.Run) ([]lane, []int) {
	byNode := map[uint64]*lane{}
	last, newest := 0, map[uint64]int{}
	for _, e := range exchanges {
		if e.Round < 1 {
			continue
		}
		last = max(last, e.Round)
		l := byNode[e.NodeID]
		if l == nil {
			id := strconv.FormatUint(e.NodeID, 10)
			label := labels[id]
			if label == "" {
				label = "node " + id[:min(6, len(id))]
			}
			l = &lane{label: label, cells: map[int]string{}}
			byNode[e.NodeID] = l
		}
		l.cells[e.Round] = worse(l.cells[e.Round], cellOf(e, run))
		if e.Phase == domain.PhaseTrain && !e.RepliedAt.IsZero() && e.Round >= newest[e.NodeID] {
			newest[e.NodeID], l.took = e.Round, e.RepliedAt.Sub(e.AskedAt)
		}
	}
	out := make([]lane, 0, len(byNode))
	for _, l := range byNode {
		out = append(out, *l)
	}
	slices.SortFunc(out, func(a, b lane) int {
		if len(a.label) != len(b.label) {
			return len(a.label) - len(b.label) // partition 9 before partition 10
		}
		return strings.Compare(a.label, b.label)
	})
	last = max(last, min(run.Rounds, maxColumns))
	var columns []int
	for n := max(1, last-maxColumns+1); n <= last; n++ {
		columns = append(columns, n)
	}
	return out, columns
}

func cellOf(e domain.Exchange, run domain.Run) string {
	switch {
	case e.Failed:
		return "failed"
	case e.RepliedAt.IsZero() && run.State.Ended():
		return "noreply"
	case e.RepliedAt.IsZero():
		return "asked"
	case e.Phase == domain.PhaseEvaluate:
		return "evaluated"
	}
	return "trained"
}

// worse keeps what matters more of two things in one round.
func worse(a, b string) string {
	order := []string{"", "trained", "evaluated", "asked", "noreply", "failed"}
	if slices.Index(order, b) > slices.Index(order, a) {
		return b
	}
	return a
}

func (s *server) run(w http.ResponseWriter, r *http.Request, v *visit) error {
	run, err := s.findRun(r.Context(), r, v)
	if err != nil {
		return err
	}
	d, err := s.detail(r.Context(), v, run.Name)
	if err != nil {
		return err
	}
	s.render(w, r, v, http.StatusOK, page{title: run.Name + " · " + v.fed.Name, nav: "f", events: "/f/" + v.fed.Slug + "/runs/" + run.Name + "/events"}, runPage(d))
	return nil
}

func (s *server) runEvents(w http.ResponseWriter, r *http.Request, v *visit) error {
	run, err := s.findRun(r.Context(), r, v)
	if err != nil {
		return err
	}
	return s.follow(w, r, aMember, v, view{
		topics: append(fedTopics(v.fed.ID), runTopic(run.ID)),
		poll:   pollActive,
		look: func(ctx context.Context, v *visit) ([]region, []signal, error) {
			d, err := s.detail(ctx, v, run.Name)
			if err != nil {
				return nil, nil, err
			}
			_, lines, err := s.Runs.Log(ctx, d.run, -1, 1)
			if err != nil {
				return nil, nil, err
			}
			newest, err := s.newestMetric(ctx, d.run)
			return []region{{"head", runHead(d)}, {"failure", runFailure(d)}, {"rounds", runRounds(d)}, {"artifacts", runArtifacts(d)}},
				[]signal{{"log", lines}, {"metric", newest}}, err
		},
	})
}

func (s *server) newestMetric(ctx context.Context, run domain.Run) (int64, error) {
	all, err := s.Runs.Metrics(ctx, run, 0)
	if len(all) == 0 {
		return 0, err
	}
	return all[len(all)-1].ID, err
}

func (s *server) stopRun(w http.ResponseWriter, r *http.Request, v *visit) error {
	run, err := s.findRun(r.Context(), r, v)
	if err != nil {
		return err
	}
	to := "/f/" + v.fed.Slug + "/runs/" + run.Name
	_, err = s.Runs.Stop(r.Context(), v.actor(), run.ID)
	if domain.CodeOf(err) == domain.Conflict {
		return s.done(w, r, to, problems(err)[0].Message)
	}
	if err != nil {
		return err
	}
	return s.done(w, r, to, "")
}

// chartMetric is a metric for the charts. JSON has no NaN and no infinities: those are text.
type chartMetric struct {
	ID    int64    `json:"id"`
	Round int      `json:"round"`
	Phase string   `json:"phase"`
	Node  string   `json:"node"` // "0": the whole federation
	Name  string   `json:"name"`
	Value *float64 `json:"value,omitempty"`
	Text  string   `json:"text,omitempty"`
}

func (s *server) runMetrics(w http.ResponseWriter, r *http.Request, v *visit) error {
	run, err := s.findRun(r.Context(), r, v)
	if err != nil {
		return err
	}
	after, _ := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	all, err := s.Runs.Metrics(r.Context(), run, after)
	if err != nil {
		return err
	}
	keys, err := s.Onboarding.NodeKeys(r.Context(), v.fed.ID)
	if err != nil {
		return err
	}
	out := make([]chartMetric, len(all))
	for i, m := range all {
		out[i] = chartMetric{ID: m.ID, Round: m.Round, Phase: string(m.Phase), Node: strconv.FormatUint(m.NodeID, 10), Name: m.Name}
		if math.IsNaN(m.Value) || math.IsInf(m.Value, 0) {
			out[i].Text = num(m.Value)
		} else {
			out[i].Value = &m.Value
		}
	}
	return writeJSON(w, r, map[string]any{"nodes": nodeLabels(keys), "metrics": out})
}

const logLimit = 5000

func (s *server) runLog(w http.ResponseWriter, r *http.Request, v *visit) error {
	run, err := s.findRun(r.Context(), r, v)
	if err != nil {
		return err
	}
	from, limit := logRange(r)
	lines, total, err := s.Runs.Log(r.Context(), run, from, limit)
	if err != nil {
		return err
	}
	return writeJSON(w, r, logPage(lines, total))
}

// logRange reads which lines are asked for: from a number on, or with a negative one the last ones.
func logRange(r *http.Request) (from, limit int) {
	from, err := strconv.Atoi(r.URL.Query().Get("from"))
	if err != nil || from == 0 {
		from = 1
	}
	limit, err = strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || limit < 1 {
		limit = 1000
	}
	return from, min(limit, logLimit)
}

// runLogText gives the whole log out as a file.
func (s *server) runLogText(w http.ResponseWriter, r *http.Request, v *visit) error {
	run, err := s.findRun(r.Context(), r, v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Disposition", attachment(run.Name+".log"))
	for from := 1; ; {
		lines, _, err := s.Runs.Log(r.Context(), run, from, logLimit)
		if err != nil || len(lines) == 0 {
			return nil //nolint:nilerr // what was sent so far is what there is
		}
		for _, l := range lines {
			if _, err := io.WriteString(w, l.Text+"\n"); err != nil {
				return nil //nolint:nilerr // the browser went away
			}
		}
		from += len(lines)
	}
}

func attachment(name string) string {
	return mime.FormatMediaType("attachment", map[string]string{"filename": name})
}

// artifact gives out one file that the ServerApp wrote; never as something that a browser would run.
func (s *server) artifact(w http.ResponseWriter, r *http.Request, v *visit) error {
	run, err := s.findRun(r.Context(), r, v)
	if err != nil {
		return err
	}
	f, err := s.Runs.OpenArtifact(r.Context(), run, r.PathValue("path"))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", attachment(path.Base(r.PathValue("path"))))
	http.ServeContent(w, r, "", info.ModTime(), f)
	return nil
}

func jsonText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "{}"
	}
	return string(text)
}

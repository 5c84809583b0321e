package federation

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/web/fedpage"
	"blossomtune/internal/web/logview"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// logView is the page of one part's log.
type logView struct {
	fedpage.Head
	part  logview.Part
	parts []logview.Part
	from  int          // the partition from which on SuperNodes are listed
	next  int          // of the next page; 0 on the last
	runs  []domain.Run // the newest ones; their logs are on their pages
}

// logNodesShown is how many SuperNodes whose owners share their logs a page lists.
const logNodesShown = 50

// logParts lists what of a federation has a log: the engine's parts, and the SuperNodes whose owners share theirs, from a partition on. It
// also returns the partition with which the next page begins, 0 after the last one.
func (s *Pages) logParts(ctx context.Context, fedID int64, from int) ([]logview.Part, int, error) {
	var out []logview.Part
	for _, p := range []logview.Part{{Key: "superlink", Name: "SuperLink"}, {Key: "keeper", Name: "Keeper"}} {
		p.Part = p.Key
		out = append(out, p)
		for n := 1; n <= s.Engines.OlderLogs(fedID, p.Part); n++ {
			out = append(out, logview.Part{Key: p.Key + "." + ui.Itoa(n), Name: p.Name + ", older " + ui.Itoa(n), Part: p.Part, Old: n})
		}
	}
	keys, err := s.Onboarding.SharingKeys(ctx, fedID, from, logNodesShown+1)
	next := 0
	if len(keys) > logNodesShown {
		next, keys = keys[logNodesShown].Partition, keys[:logNodesShown]
	}
	for _, k := range keys {
		for _, p := range logview.NodeParts(k) {
			p.Key = "node-" + ui.Itoa(k.Partition) + "-" + strconv.FormatInt(k.ID, 10) + "-" + p.Part
			p.Name = "Partition " + ui.Itoa(k.Partition) + " " + p.Name
			out = append(out, p)
		}
	}
	return out, next, err
}

// partitionIn returns the partition in the key of a SuperNode's log; 0 for another log, which every page lists.
func partitionIn(key string) int {
	rest, _ := strings.CutPrefix(key, "node-")
	number, _, _ := strings.Cut(rest, "-")
	n, _ := strconv.Atoi(number)
	return max(n, 0)
}

// LogsPage is the page of the federation's logs.
func (s *Pages) LogsPage(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	key := r.URL.Query().Get("part")
	from, _ := strconv.Atoi(r.URL.Query().Get("from"))
	if from = max(from, 0); !r.URL.Query().Has("from") {
		from = partitionIn(key)
	}
	parts, next, err := s.logParts(r.Context(), v.Fed.ID, from)
	if err != nil {
		return err
	}
	l := logView{parts: parts, part: parts[0], from: from, next: next}
	if p, err := logview.Find(parts, key); err == nil {
		l.part = p
	}
	if l.Head, err = s.Fed.Head(r.Context(), v, "logs"); err != nil {
		return err
	}
	if l.runs, err = s.Runs.List(r.Context(), domain.RunFilter{FederationID: v.Fed.ID, Limit: 10}); err != nil {
		return err
	}
	s.Render(w, r, v, http.StatusOK, ui.Page{Title: "Logs · " + v.Fed.Name, Nav: "f"}, logsPage(l))
	return nil
}

// LogPart answers questions about a part's log.
func (s *Pages) LogPart(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	parts, _, err := s.logParts(r.Context(), v.Fed.ID, partitionIn(r.PathValue("part")))
	if err != nil {
		return err
	}
	part, err := logview.Find(parts, r.PathValue("part"))
	if err != nil {
		return err
	}
	return s.Logs.ServePart(w, r, v, part)
}

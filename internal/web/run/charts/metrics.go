package charts

import (
	"context"
	"io"
	"net/http"

	"blossomtune/internal/domain"
	"blossomtune/internal/web/visit"
)

// CSV is every metric of a run, for spreadsheets.
func (s *Pages) CSV(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	return s.exportMetrics(w, r, v, "text/csv; charset=utf-8", "csv", s.Runs.WriteCSV)
}

// JSON is every metric of a run, for programs.
func (s *Pages) JSON(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	return s.exportMetrics(w, r, v, "application/json", "json", s.Runs.WriteJSON)
}

type exporter func(ctx context.Context, run domain.Run, labels map[string]string, to io.Writer) error

func (s *Pages) exportMetrics(w http.ResponseWriter, r *http.Request, v *visit.Visit, kind, ending string, write exporter) error {
	run, err := s.Run(r.Context(), r, v)
	if err != nil {
		return err
	}
	labels, err := s.Runs.NodeLabels(r.Context(), run)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Accept-Ranges", "none") // made as it is sent
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Disposition", `attachment; filename="metrics-`+run.Name+"."+ending+`"`)
	if err := write(r.Context(), run, labels, w); err != nil {
		if r.Context().Err() == nil {
			s.Log.Error("exporting metrics", "run", run.Name, "err", err)
		}
		panic(http.ErrAbortHandler) // half a file must not look like a whole one
	}
	return nil
}

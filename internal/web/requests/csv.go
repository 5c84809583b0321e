package requests

import (
	"encoding/csv"
	"net/http"

	"blossomtune/internal/domain"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// csvRows is how many requests are read at once.
const csvRows = 500

// CSV is every request that a search finds, as a file for spreadsheets.
func (s *Pages) CSV(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	f := queryOf(r).filter(v.Fed.ID)
	f.Limit, f.AfterID = csvRows, 0
	rows, err := s.Onboarding.List(r.Context(), f)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Accept-Ranges", "none") // made as it is sent
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Disposition", `attachment; filename="requests-`+v.Fed.Slug+`.csv"`)
	out := csv.NewWriter(w)
	_ = out.Write([]string{"request", "state", "partition", "name", "organisation", "email", "message", "reason", "decided_by", "asked_at",
		"confirmed_at", "decided_at"})
	for len(rows) > 0 {
		for _, q := range rows {
			_ = out.Write(csvRow(q))
		}
		if out.Flush(); out.Error() != nil || len(rows) < csvRows {
			return nil //nolint:nilerr // the browser went away
		}
		f.AfterID = rows[len(rows)-1].ID
		if rows, err = s.Onboarding.List(r.Context(), f); err != nil {
			s.Log.Error("exporting requests", "err", err)
			panic(http.ErrAbortHandler) // half a file must not look like a whole one
		}
	}
	out.Flush()
	return nil
}

func csvRow(q domain.Request) []string {
	partition := ""
	if q.Partition >= 0 {
		partition = ui.Itoa(q.Partition)
	}
	row := []string{q.Ref, string(q.State), partition, q.Name, q.Organisation, q.Email, q.Message, q.Reason, q.DecidedBy,
		ui.CSVTime(q.CreatedAt), ui.CSVTime(q.VerifiedAt), ui.CSVTime(q.DecidedAt)}
	for i, cell := range row {
		row[i] = domain.CSVCell(cell)
	}
	return row
}

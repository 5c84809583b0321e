package runs

import (
	"encoding/csv"
	"net/http"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// runsAtOnce is how many runs are read at once.
const runsAtOnce = 500

// CSV is every run that the table's filters choose, in its order and with its columns, as a file for spreadsheets.
func (s *Pages) CSV(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	q := runsQueryOf(r)
	if !q.chosen {
		choices, err := s.Runs.Choices(r.Context(), v.Fed.ID, v.SeenBy())
		if err != nil {
			return err
		}
		q.columns = usualColumns(choices)
	}
	f := q.query(v)
	f.Limit, f.After = runsAtOnce, ""
	page, err := s.Runs.Find(r.Context(), f)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Accept-Ranges", "none") // made as it is sent
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Disposition", visit.Attachment("runs-"+v.Fed.Slug+".csv"))
	out := csv.NewWriter(w)
	head := []string{"run", "state", "outcome", "app", "app_version", "round", "rounds", "tags", "note", "queued_at", "started_at", "ended_at"}
	for _, c := range f.Columns {
		head = append(head, c.Key())
	}
	if f.Group != "" {
		head = append(head, "group")
	}
	_ = out.Write(head)
	for {
		for _, row := range page.Rows {
			_ = out.Write(runCSVRow(f, row))
		}
		if out.Flush(); out.Error() != nil || page.Next == "" {
			return nil //nolint:nilerr // the browser went away
		}
		f.After = page.Next
		if page, err = s.Runs.Find(r.Context(), f); err != nil {
			s.Log.Error("exporting runs", "err", err)
			panic(http.ErrAbortHandler) // half a file must not look like a whole one
		}
	}
}

func runCSVRow(f domain.RunQuery, row domain.RunRow) []string {
	r := row.Run
	out := []string{r.Name, string(r.State), string(r.Outcome()), r.AppID, r.AppVersion, ui.Itoa(r.Round), ui.Itoa(r.Rounds),
		strings.Join(r.Tags, ", "), r.Note, ui.CSVTime(r.CreatedAt), ui.CSVTime(r.StartingAt), ui.CSVTime(r.EndedAt)}
	for i, cell := range row.Cells {
		switch {
		case !cell.Known:
			out = append(out, "")
		case f.Columns[i].Metric():
			out = append(out, strconv.FormatFloat(cell.Value, 'g', -1, 64)) // a number: a minus is no formula
		default:
			out = append(out, cell.Text)
		}
	}
	if f.Group != "" {
		out = append(out, row.Group)
	}
	for i, cell := range out {
		if _, err := strconv.ParseFloat(cell, 64); err != nil {
			out[i] = domain.CSVCell(cell)
		}
	}
	return out
}

package ledger

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

var columns = []string{"entry", "time", "what", "server", "federation", "run", "run_name", "app_sha256", "round", "message_type", "record",
	"kind",
	"array", "dtype", "shape", "bytes", "object_sha256", "reason", "lines", "entry_sha256"}

// Export writes the entries that want accepts as CSV: a row for each entry, followed by a row for each of its records and arrays.
func Export(dir string, to io.Writer, want func(Entry) bool) error {
	w := csv.NewWriter(to)
	if err := w.Write(columns); err != nil {
		return err
	}
	_, err := Check(dir, func(e Entry) error {
		if !want(e) {
			return nil
		}
		return w.WriteAll(rows(e))
	})
	w.Flush()
	if err == nil {
		err = w.Error()
	}
	if err != nil {
		return fmt.Errorf("exporting the ledger: %w", err)
	}
	return nil
}

func rows(e Entry) [][]string {
	line := func(record, kind, array, dtype, shape string, size int64, object string) []string {
		cells := []string{strconv.FormatInt(e.N, 10), e.At.Format(time.RFC3339Nano), string(e.What), e.Server, e.Federation, e.Run, e.RunName,
			e.App, e.Round, e.Type,
			record, kind, array, dtype, shape, strconv.FormatInt(size, 10), object, e.Reason, strconv.Itoa(e.Lines), e.Hash}
		for i, c := range cells {
			cells[i] = domain.CSVCell(c)
		}
		return cells
	}
	object := e.Object
	if object == "" {
		object = e.Text
	}
	out := [][]string{line("", "", "", "", "", e.Bytes, object)}
	for _, r := range e.Records {
		out = append(out, line(r.Name, r.Kind, "", "", "", r.Bytes, r.Object))
		for _, a := range r.Arrays {
			out = append(out, line(r.Name, r.Kind, a.Name, a.DType, ShapeText(a.Shape), a.Bytes, a.Object))
		}
	}
	return out
}

// ShapeText writes the shape of an array, such as (64, 10).
func ShapeText(shape []int64) string {
	words := make([]string, len(shape))
	for i, n := range shape {
		words[i] = strconv.FormatInt(n, 10)
	}
	return "(" + strings.Join(words, ", ") + ")"
}

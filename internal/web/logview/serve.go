package logview

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/download"
	"blossomtune/internal/logfile"
	"blossomtune/internal/web/live"
	"blossomtune/internal/web/visit"
)

const (
	logLimit    = 5000             // lines of one answer
	searchLimit = 10 * time.Second // of one search; what it has found until then is told
	searchWait  = 5 * time.Second  // for another one to end
	maxSearches = 2                // at once, over all viewers
)

// Serve answers one kind of question about a log: page (lines), marks (where to jump to), at (the line of a time), search, text.
func (s *Logs) Serve(w http.ResponseWriter, r *http.Request, f *logfile.File, name, kind string) error {
	q := r.URL.Query()
	switch kind {
	case "page":
		p, err := f.Page(pageQuery(q))
		if err != nil {
			return err
		}
		return visit.WriteJSON(w, r, p)
	case "marks":
		m, err := f.Marks()
		if err != nil {
			return err
		}
		return visit.WriteJSON(w, r, m)
	case "at":
		ms, err := strconv.ParseInt(q.Get("ms"), 10, 64)
		if err != nil {
			return domain.Errorf(domain.Invalid, "ms is a time in Unix milliseconds.").At("ms")
		}
		line, ok, err := f.LineAt(ms)
		if err != nil {
			return err
		}
		return visit.WriteJSON(w, r, map[string]any{"line": line, "found": ok})
	case "search":
		return s.searchLog(w, r, f, logfile.Search{Text: q.Get("q"), Pattern: q.Get("pattern") == "1", Least: level(q)})
	case "text":
		return sendLog(w, r, f, name)
	}
	return domain.Errorf(domain.NotFound, "A log has no %q.", kind)
}

func level(q url.Values) logfile.Level {
	l, _ := logfile.ParseLevel(q.Get("level")) // one that is not known shows all
	return l
}

// pageQuery reads which lines are asked for: from a number on, the last ones before a number, or with a negative number the last ones.
func pageQuery(q url.Values) logfile.Query {
	out := logfile.Query{From: 1, Limit: 1000, Least: level(q)}
	if n, err := strconv.Atoi(q.Get("limit")); err == nil && n > 0 {
		out.Limit = min(n, logLimit)
	}
	if n, err := strconv.Atoi(q.Get("before")); err == nil {
		out.From, out.Back = n, true
	} else if n, err := strconv.Atoi(q.Get("from")); err == nil {
		out.From = n
	}
	if out.From < 0 {
		out.From, out.Limit, out.Back = int(^uint(0)>>1), min(-out.From, out.Limit), true
	}
	return out
}

// searchLog streams what is found, one JSON value a line.
func (s *Logs) searchLog(w http.ResponseWriter, r *http.Request, f *logfile.File, q logfile.Search) error {
	wait, cancel := context.WithTimeout(r.Context(), searchWait)
	defer cancel()
	select {
	case s.searches <- struct{}{}:
		defer func() { <-s.searches }()
	case <-wait.Done():
		return domain.Errorf(domain.Limited, "Others are searching logs at the moment.").Fix("Try again in some seconds.")
	}
	ctx, cancel := context.WithTimeout(r.Context(), searchLimit)
	defer cancel()
	rc := http.NewResponseController(w)
	enc := json.NewEncoder(w)
	began := false
	err := f.Search(ctx, q, func(found logfile.Found) error {
		if !began {
			began = true
			w.Header().Set("Content-Type", "application/x-ndjson")
			w.Header().Set("Cache-Control", "no-store")
		}
		_ = rc.SetWriteDeadline(time.Now().Add(live.WriteLimit))
		if err := enc.Encode(found); err != nil {
			return err
		}
		return rc.Flush()
	})
	var d *domain.Error
	if !began && errors.As(err, &d) && d.Code == domain.Invalid {
		w.Header().Set("Content-Type", "application/x-ndjson")
		w.WriteHeader(http.StatusUnprocessableEntity)
		return enc.Encode(map[string]any{"done": true, "problem": strings.TrimSpace(d.Message + " " + d.Remedy)})
	}
	if began {
		_ = rc.SetWriteDeadline(time.Time{})
		return nil // the browser went away, or it sees that the end is missing
	}
	return err
}

// sendLog gives the whole log out as a file, as far as it is written now.
func sendLog(w http.ResponseWriter, r *http.Request, f *logfile.File, name string) error {
	file, err := logfile.OpenToRead(f.Path())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Disposition", visit.Attachment(name+".log"))
	if err != nil {
		return nil // nothing is written yet
	}
	defer file.Close()
	return download.File(w, r, file)
}

package admin

import (
	"encoding/csv"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/audit"
	"blossomtune/internal/domain"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

const (
	auditPageSize = 50
	auditDay      = "2006-01-02"
)

// auditQuery is what of the audit is looked at; it is the page's address.
type auditQuery struct {
	actor, action, object, fed string
	from, until                string // days, UTC; until is the last one
	before                     int64
}

func auditQueryOf(r *http.Request) auditQuery {
	v := r.URL.Query()
	text := func(key string) string { s := strings.TrimSpace(v.Get(key)); return domain.Cut(s, 200) }
	q := auditQuery{actor: text("actor"), action: text("action"), object: text("object"), fed: text("federation"), from: text("from"),
		until: text("until")}
	q.before, _ = strconv.ParseInt(v.Get("before"), 10, 64) // what is no id begins at the newest
	q.before = max(q.before, 0)
	return q
}

// address is the query as the part of an address after the question mark, from an entry on.
func (q auditQuery) address(before int64) string {
	v := url.Values{}
	for key, text := range map[string]string{"actor": q.actor, "action": q.action, "object": q.object, "federation": q.fed, "from": q.from,
		"until": q.until} {
		if text != "" {
			v.Set(key, text)
		}
	}
	if before != 0 {
		v.Set("before", ui.Itoa64(before))
	}
	return v.Encode()
}

// filters counts what narrows the list.
func (q auditQuery) filters() (n int) {
	for _, text := range []string{q.actor, q.action, q.object, q.fed, q.from, q.until} {
		if text != "" {
			n++
		}
	}
	return n
}

// filter is what the query chooses. A day that is none is an [domain.Invalid] error at its field.
func (q auditQuery) filter(feds []domain.Federation) (domain.AuditFilter, error) {
	f := domain.AuditFilter{Actor: q.actor, Action: q.action, Object: q.object, BeforeID: q.before, Limit: auditPageSize}
	if q.fed != "" {
		f.FederationID = -1 // of none
	}
	for _, fed := range feds {
		if fed.Slug == q.fed {
			f.FederationID = fed.ID
		}
	}
	var errs domain.Errors
	day := func(field, text string) time.Time {
		if text == "" {
			return time.Time{}
		}
		at, err := time.Parse(auditDay, text)
		if err != nil {
			errs = errs.With(domain.Errorf(domain.Invalid, "%q is no day.", text).Fix("Write it like 2026-11-25.").At(field))
		}
		return at
	}
	f.From = day("from", q.from)
	if f.Until = day("until", q.until); !f.Until.IsZero() {
		f.Until = f.Until.AddDate(0, 0, 1)
	}
	return f, errs.OrNil()
}

// auditView is a page of the audit.
type auditView struct {
	q    auditQuery
	page audit.Page
	feds []domain.Federation
	errs ui.FormErrors

	chain audit.Verdict
}

// AuditPage is the list of who did what.
func (s *Pages) AuditPage(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	a := auditView{q: auditQueryOf(r)}
	var err error
	if a.feds, err = s.Onboarding.Federations(r.Context()); err != nil {
		return err
	}
	status := http.StatusOK
	f, err := a.q.filter(a.feds)
	if err != nil {
		if a.errs, status, err = visit.FormError(err, "from", "until"); err != nil {
			return err
		}
		f = domain.AuditFilter{Limit: auditPageSize}
	}
	if a.page, err = s.Audit.Find(r.Context(), f); err != nil {
		return err
	}
	if a.chain, err = s.Audit.Verdict(r.Context()); err != nil {
		return err
	}
	s.Render(w, r, v, status, ui.Page{Title: "Audit", Nav: "admin"}, auditPage(a))
	return nil
}

// CheckAudit goes through the audit's chain.
func (s *Pages) CheckAudit(w http.ResponseWriter, r *http.Request, _ *visit.Visit) error {
	c, err := s.Audit.Check(r.Context())
	if err != nil {
		return err
	}
	result := "The chain is whole."
	if !c.Whole() {
		result = "The chain is broken."
	}
	return s.Done(w, r, "/admin/audit", result)
}

// chainTone is the verdict on the chain.
func chainTone(c audit.Verdict) ui.Tone {
	switch {
	case c.At.IsZero():
		return ui.Tone{Class: "is-wait", Icon: "wait", Word: "chain not checked since the server started"}
	case !c.Whole():
		return ui.Tone{Class: "is-bad", Icon: "bad", Word: "chain broken"}
	case c.Since.IsZero():
		return ui.Tone{Class: "is-ok", Icon: "ok", Word: "chain whole"}
	}
	return ui.Tone{Class: "is-ok", Icon: "ok", Word: "chain whole", Reason: "since " + c.Since.UTC().Format("2 Jan 2006")}
}

// chainFault says where the chain breaks, and what that means.
func chainFault(c audit.Verdict) (message, meaning string) {
	if c.Fault == 0 {
		return "Entries are missing at the end of the audit, or their recorded number was changed.",
			"This was done in the database, not by this server. Compare a backup."
	}
	return "Entry " + ui.Itoa64(c.Fault) + " of " + ui.Exact(c.FaultAt) + " does not fit the one before it.",
		"One of the two was changed, added or removed in the database, not by this server. The " + ui.Plural(c.Entries, "entry", "entries") +
			" before it fit. Compare a backup."
}

// auditRows is how many entries are read at once for a file.
const auditRows = 1000

// AuditCSV is every entry that the filters choose, newest first.
func (s *Pages) AuditCSV(w http.ResponseWriter, r *http.Request, _ *visit.Visit) error {
	feds, err := s.Onboarding.Federations(r.Context())
	if err != nil {
		return err
	}
	f, err := auditQueryOf(r).filter(feds)
	if err != nil {
		return err
	}
	f.Limit, f.BeforeID = auditRows, 0
	rows, err := s.Audit.List(r.Context(), f)
	if err != nil {
		return err
	}
	slugs := slugsOf(feds)
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Accept-Ranges", "none") // made as it is sent
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Disposition", `attachment; filename="audit.csv"`)
	out := csv.NewWriter(w)
	_ = out.Write([]string{"entry", "at", "actor_kind", "actor", "action", "object_kind", "object", "federation", "detail"})
	for len(rows) > 0 {
		for _, e := range rows {
			row := []string{ui.Itoa64(e.ID), e.At.UTC().Format(time.RFC3339Nano), e.Actor.Kind, e.Actor.Name, e.Action, e.ObjectKind, e.ObjectID,
				slugs[e.FederationID], detailWords(e)}
			for i, cell := range row {
				row[i] = domain.CSVCell(cell)
			}
			_ = out.Write(row)
		}
		if out.Flush(); out.Error() != nil || len(rows) < auditRows {
			return nil //nolint:nilerr // the browser went away
		}
		f.BeforeID = rows[len(rows)-1].ID
		if rows, err = s.Audit.List(r.Context(), f); err != nil {
			s.Log.Error("exporting the audit", "err", err)
			panic(http.ErrAbortHandler) // half a file must not look like a whole one
		}
	}
	out.Flush()
	return nil
}

func slugsOf(feds []domain.Federation) map[int64]string {
	out := make(map[int64]string, len(feds))
	for _, f := range feds {
		out[f.ID] = f.Slug
	}
	return out
}

// detailWords is what else an entry tells, in the order of its keys.
func detailWords(e domain.AuditEntry) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(e.Detail)) {
		parts = append(parts, key+": "+e.Detail[key])
	}
	return strings.Join(parts, "; ")
}

// objectHref leads to what an entry is about, where that has a page.
func (a auditView) objectHref(e domain.AuditEntry) string {
	slug := slugsOf(a.feds)[e.FederationID]
	switch {
	case e.ObjectKind == "person":
		return "/admin/people?q=" + ui.QueryText(e.ObjectID)
	case e.ObjectKind == "settings":
		return "/admin/settings"
	case e.ObjectKind == "mail":
		return "/admin/mail"
	case slug == "":
		return ""
	case e.ObjectKind == "run":
		return "/f/" + slug + "/runs/" + ui.PathText(e.ObjectID)
	case e.ObjectKind == "request":
		return "/f/" + slug + "/requests?state=all&request=" + ui.QueryText(e.ObjectID)
	case e.ObjectKind == "federation":
		return "/f/" + slug
	case e.ObjectKind == "node_key":
		return "/f/" + slug + "/nodes"
	case e.ObjectKind == "invitation", e.ObjectKind == "rule":
		return "/f/" + slug + "/invites"
	}
	return ""
}

// objectWords names what an entry is about: long ids, which nobody reads, by their beginning.
func objectWords(e domain.AuditEntry) string {
	kind := strings.ReplaceAll(e.ObjectKind, "_", " ")
	if e.ObjectKind == "node_key" || e.ObjectKind == "app_version" {
		return kind + " " + ui.Short(e.ObjectID)
	}
	return kind + " " + e.ObjectID
}

// actionWords is an action as people say it: "run: launched".
func actionWords(action string) string {
	noun, verb, _ := strings.Cut(action, ".")
	return strings.ReplaceAll(noun, "_", " ") + ": " + strings.ReplaceAll(verb, "_", " ")
}

func (a auditView) totalWords() string {
	words := ui.Plural(a.page.Total, "entry", "entries")
	if a.page.Total == audit.MaxCount {
		words = "10,000 entries or more"
	}
	if a.q.filters() > 0 {
		words += " match"
		if a.page.Total == 1 {
			words += "es"
		}
	}
	return words + ", newest first"
}

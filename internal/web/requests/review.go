package requests

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/web/fedpage"
	"blossomtune/internal/web/live"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// requestTab is one of the lists of requests.
type requestTab struct {
	key, name string
	states    []domain.RequestState
}

var requestTabs = []requestTab{
	{"pending", "Pending", []domain.RequestState{domain.Pending}},
	{"approved", "Approved", []domain.RequestState{domain.Approved}},
	{"rejected", "Rejected", []domain.RequestState{domain.Rejected}},
	{"ended", "Ended", []domain.RequestState{domain.Revoked, domain.Withdrawn, domain.ExpiredReq}},
	{"unverified", "Not confirmed", []domain.RequestState{domain.Unverified}},
	{"all", "All", nil},
}

// reviewQuery is what of the requests is looked at; it is the page's address.
type reviewQuery struct {
	tab    requestTab
	search string
	sort   domain.RequestSort
	after  int64  // cursor
	ref    string // of the request that is looked at
}

// review is everything the page of requests shows.
type review struct {
	fedpage.Head
	q       reviewQuery
	counts  map[string]int
	list    []domain.Request
	total   int   // that the search finds in this tab
	next    int64 // cursor of the next page
	free    []int
	chosen  domain.Request // ID 0 for none
	history []domain.Request
	reason  string // kept input
	errs    ui.FormErrors
}

const requestsPageSize = 50

// freeShown is how many free partitions a manager can choose from.
const freeShown = 500

func queryOf(r *http.Request) reviewQuery {
	v := r.URL.Query()
	after, _ := strconv.ParseInt(v.Get("after"), 10, 64) // nonsense is the first page
	q := reviewQuery{search: strings.TrimSpace(v.Get("q")), sort: domain.RequestSort(v.Get("sort")), after: max(after, 0),
		ref: v.Get("request")}
	q.search = domain.Cut(q.search, 100)
	if !slices.Contains(domain.RequestSorts, q.sort) {
		q.sort = domain.SortNewest
	}
	return q.in(v.Get("state"))
}

// in returns the query in the tab with a key; without such a tab it stays where it is.
func (q reviewQuery) in(key string) reviewQuery {
	for _, t := range requestTabs {
		if t.key == key {
			q.tab = t
		}
	}
	return q
}

// address is the query as the part of an address after the question mark; change alters the query first.
func (q reviewQuery) address(change func(*reviewQuery)) string {
	if change != nil {
		change(&q)
	}
	v := url.Values{"state": {q.tab.key}}
	for key, text := range map[string]string{"q": q.search, "request": q.ref} {
		if text != "" {
			v.Set(key, text)
		}
	}
	if q.sort != domain.SortNewest {
		v.Set("sort", string(q.sort))
	}
	if q.after != 0 {
		v.Set("after", ui.Itoa64(q.after))
	}
	return v.Encode()
}

func (q reviewQuery) filter(fedID int64) domain.RequestFilter {
	return domain.RequestFilter{FederationID: fedID, States: q.tab.states, Search: q.search, Sort: q.sort, AfterID: q.after,
		Limit: requestsPageSize + 1}
}

func (s *Pages) review(ctx context.Context, v *visit.Visit, q reviewQuery) (review, error) {
	head, err := s.Fed.Head(ctx, v, "requests")
	rv := review{Head: head, q: q, counts: map[string]int{}}
	if err != nil {
		return rv, err
	}
	if q.ref != "" {
		if rv.chosen, err = s.chosen(ctx, v, q.ref); err != nil {
			return rv, err
		}
		rv.q = rv.q.in(tabOf(rv.chosen.State, q.tab))
	}
	if rv.q.tab.key == "" {
		rv.q.tab = requestTabs[0]
	}
	counts, err := s.Onboarding.Counts(ctx, v.Fed.ID)
	if err != nil {
		return rv, err
	}
	for state, n := range counts {
		for _, t := range requestTabs {
			if t.states == nil || slices.Contains(t.states, state) {
				rv.counts[t.key] += n
			}
		}
	}
	if err := s.reviewList(ctx, v, &rv); err != nil {
		return rv, err
	}
	rv.free, err = s.Onboarding.NextFree(ctx, v.Fed.ID, freeShown)
	return rv, err
}

// reviewList reads the list, and what else is known of the person that is looked at.
func (s *Pages) reviewList(ctx context.Context, v *visit.Visit, rv *review) (err error) {
	if rv.list, err = s.Onboarding.List(ctx, rv.q.filter(v.Fed.ID)); err != nil {
		return err
	}
	if len(rv.list) > requestsPageSize {
		rv.list = rv.list[:requestsPageSize]
		rv.next = rv.list[requestsPageSize-1].ID
	}
	rv.total = rv.counts[rv.q.tab.key]
	if rv.q.search != "" {
		if rv.total, err = s.Onboarding.CountChosen(ctx, rv.q.filter(v.Fed.ID)); err != nil {
			return err
		}
	}
	if rv.chosen.ID == 0 && len(rv.list) > 0 {
		rv.chosen = rv.list[0]
	}
	if rv.chosen.ID == 0 {
		return nil
	}
	all, err := s.Onboarding.MyRequests(ctx, rv.chosen.PersonID)
	for _, r := range all {
		if r.FederationID == v.Fed.ID && r.ID != rv.chosen.ID {
			rv.history = append(rv.history, r)
		}
	}
	return err
}

// tabOf is the tab in which a request is shown: the one asked for, unless it is not in there.
func tabOf(state domain.RequestState, asked requestTab) string {
	if asked.key != "" && (asked.states == nil || slices.Contains(asked.states, state)) {
		return asked.key
	}
	for _, t := range requestTabs {
		if slices.Contains(t.states, state) {
			return t.key
		}
	}
	return ""
}

// chosen returns a request of this federation; those of others do not exist here.
func (s *Pages) chosen(ctx context.Context, v *visit.Visit, ref string) (domain.Request, error) {
	req, err := s.Onboarding.ByRef(ctx, ref)
	if err == nil && req.FederationID != v.Fed.ID {
		return domain.Request{}, domain.Errorf(domain.NotFound, "There is no such request in %s.", v.Fed.Name)
	}
	return req, err
}

// Page is the list of requests, with one of them beside it.
func (s *Pages) Page(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	rv, err := s.review(r.Context(), v, queryOf(r))
	if err != nil {
		return err
	}
	s.showReview(w, r, v, http.StatusOK, rv)
	return nil
}

func (s *Pages) showReview(w http.ResponseWriter, r *http.Request, v *visit.Visit, status int, rv review) {
	p := ui.Page{Title: "Requests · " + v.Fed.Name, Nav: "f"}
	if rv.q.after == 0 {
		p.Events = "/f/" + v.Fed.Slug + "/requests/events?" + rv.q.address(func(q *reviewQuery) { q.ref = rv.chosen.Ref })
	}
	s.Render(w, r, v, status, p, requestsPage(rv))
}

// Events keeps the list of requests live.
func (s *Pages) Events(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	q := queryOf(r)
	return s.Live.Follow(w, r, visit.Manager, v, live.View{
		Topics: live.FederationTopics(v.Fed.ID),
		Look: func(ctx context.Context, v *visit.Visit) ([]live.Region, []live.Signal, error) {
			rv, err := s.review(ctx, v, q)
			return []live.Region{
				{ID: "head", Body: fedpage.Header(rv.Head)},
				{ID: "tabs", Body: fedpage.Tabs(rv.Head)},
				{ID: "chips", Body: requestChips(rv)},
				{ID: "list", Body: requestRows(rv)},
				{ID: "bulk", Body: requestBulk(rv)},
			}, nil, err
		},
	})
}

// picked are the requests that a form is about: those named, or the pending ones that a search finds: all, or the first so many, those
// who wait longest.
func (s *Pages) picked(r *http.Request, v *visit.Visit) ([]domain.Request, error) {
	most := freeShown
	if text := r.PostForm.Get("first"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, visit.NotANumber("How many", text, "first")
		}
		most = min(n, freeShown)
	} else if r.PostForm.Get("all") == "" {
		return s.Requests(r.Context(), v, r.PostForm["id"])
	}
	f := domain.RequestFilter{FederationID: v.Fed.ID, States: []domain.RequestState{domain.Pending}, Search: r.PostForm.Get("q"),
		Sort: domain.SortOldest, Limit: most}
	all, err := s.Onboarding.List(r.Context(), f)
	if err == nil && len(all) == 0 {
		err = domain.Errorf(domain.Invalid, "No pending request matches the search.").Fix("Change the search, or tick requests one by one.")
	}
	return all, err
}

// Approve gives one request a named partition, or several the next free ones.
func (s *Pages) Approve(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	chosen, err := s.picked(r, v)
	if err != nil {
		return s.decideFailed(w, r, v, domain.Request{}, err)
	}
	partition := onboarding.NextFreePartition
	if text := r.PostForm.Get("partition"); text != "" && len(chosen) == 1 {
		if partition, err = strconv.Atoi(text); err != nil || partition < 0 {
			return s.decideFailed(w, r, v, chosen[0], visit.NotANumber("A partition", text, "partition"))
		}
	}
	ids := make([]int64, len(chosen))
	for i, c := range chosen {
		ids[i] = c.ID
	}
	slices.Sort(ids)
	if n, err := strconv.Atoi(r.PostForm.Get("most")); err == nil && n > 0 && n < len(ids) { // more are ticked than there is room for
		ids = ids[:n]
	}
	done, err := s.Onboarding.Approve(r.Context(), v.Actor(), ids, partition)
	if err != nil {
		return s.decideFailed(w, r, v, chosen[0], err)
	}
	return s.Done(w, r, s.backTo(r, v), approvedWords(done))
}

func approvedWords(done []domain.Request) string {
	if len(done) == 1 {
		return fmt.Sprintf("%s has partition %d. They get a mail with what to do.", done[0].Name, done[0].Partition)
	}
	parts := make([]string, len(done))
	for i, d := range done {
		parts[i] = ui.Itoa(d.Partition)
	}
	return fmt.Sprintf("%d requests approved: partitions %s. Each gets a mail with what to do.", len(done), strings.Join(parts, ", "))
}

func (s *Pages) backTo(r *http.Request, v *visit.Visit) string {
	if r.PostForm.Get("back") == "overview" {
		return "/f/" + v.Fed.Slug
	}
	return "/f/" + v.Fed.Slug + "/requests"
}

// decideFailed shows the requests again, with what was in the way and with what was entered.
func (s *Pages) decideFailed(w http.ResponseWriter, r *http.Request, v *visit.Visit, req domain.Request, cause error) error {
	errs, status, err := visit.FormError(cause, "partition", "reason")
	if err != nil {
		return err
	}
	rv, err := s.review(r.Context(), v, reviewQuery{sort: domain.SortNewest, ref: req.Ref})
	if err != nil {
		return err
	}
	rv.errs, rv.reason = errs, r.PostForm.Get("reason")
	s.showReview(w, r, v, status, rv)
	return nil
}

// Resize changes the total of partitions from the page of requests.
func (s *Pages) Resize(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	result, err := s.Fed.SetTotal(r, v)
	if err != nil {
		return s.decideFailed(w, r, v, domain.Request{}, err)
	}
	return s.Done(w, r, s.backTo(r, v), result)
}

// Reject rejects a request, with a reason.
func (s *Pages) Reject(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	return s.decide(w, r, v, rejectConfirmation, s.Onboarding.Reject, "%s is told why.")
}

// Revoke ends a participant's access, with a reason.
func (s *Pages) Revoke(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	return s.decide(w, r, v, revokeConfirmation, s.Onboarding.Revoke, "The access of %s has ended; they are told why.")
}

type decision func(ctx context.Context, actor domain.Actor, id int64, reason string) (domain.Request, error)

func (s *Pages) decide(w http.ResponseWriter, r *http.Request, v *visit.Visit,
	ask func(domain.Federation, domain.Request) visit.Confirmation,
	do decision, result string) error {
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	chosen, err := s.Requests(r.Context(), v, r.PostForm["id"])
	if err != nil {
		return err
	}
	if domain.Text(r.PostForm.Get("reason")) != "" { // else the form comes back
		if ok, err := s.Confirmed(w, r, v, ask(v.Fed, chosen[0])); err != nil || !ok {
			return err
		}
	}
	if _, err := do(r.Context(), v.Actor(), chosen[0].ID, r.PostForm.Get("reason")); err != nil {
		return s.decideFailed(w, r, v, chosen[0], err)
	}
	return s.Done(w, r, s.backTo(r, v), fmt.Sprintf(result, chosen[0].Name))
}

// requestTime is the moment of a request that its list is about.
func requestTime(r domain.Request) time.Time {
	switch {
	case !r.DecidedAt.IsZero():
		return r.DecidedAt
	case !r.VerifiedAt.IsZero():
		return r.VerifiedAt
	}
	return r.CreatedAt
}

func rejectConfirmation(fed domain.Federation, req domain.Request) visit.Confirmation {
	return visit.Confirmation{Words: "Reject the request of " + req.Name + "? The reason is mailed. They can ask again.",
		Do: "Reject request", Back: "/f/" +
			fed.Slug + "/requests?request=" + req.Ref}
}

func revokeConfirmation(fed domain.Federation, req domain.Request) visit.Confirmation {
	return visit.Confirmation{Words: fmt.Sprintf("Revoke the access of %s? Their SuperNode stops, its key is refused for ever, and partition "+
		"%d is free again.", req.Name, req.Partition), Do: "Revoke access",
		Back: "/f/" + fed.Slug + "/requests?request=" + req.Ref}
}

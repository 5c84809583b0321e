package nodes

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
	"blossomtune/internal/web/fedpage"
	"blossomtune/internal/web/live"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

const (
	nodesPageSize = 50
)

// nodeTab is one of the lists of SuperNodes.
type nodeTab struct {
	status domain.NodeStatus // "": everyone who is approved
	name   string
}

var nodeTabs = []nodeTab{{"", "All"}, {domain.NodeOnline, "Online"}, {domain.NodeStuck, "Stuck"}, {domain.NodeOffline, "Offline"},
	{domain.NodeSuspended, "Suspended"},
	{domain.NodeNeverSeen, "Never seen"}, {domain.NodeNotConnected, "Not connected yet"}, {domain.NodeRevoked, "Revoked"}}

// nodeQuery is which SuperNodes are shown; it is the page's address.
type nodeQuery struct {
	status domain.NodeStatus
	search string
	sort   domain.NodeSort
	after  int64 // cursor
}

func nodeQueryOf(v url.Values) nodeQuery {
	after, _ := strconv.ParseInt(v.Get("after"), 10, 64) // nonsense is the first page
	q := nodeQuery{status: domain.NodeStatus(v.Get("state")), search: domain.Cut(strings.TrimSpace(v.Get("q")), 100),
		sort: domain.NodeSort(v.Get("sort")), after: max(after, 0)}
	if !slices.Contains(domain.NodeStatuses, q.status) {
		q.status = ""
	}
	if !slices.Contains(domain.NodeSorts, q.sort) {
		q.sort = domain.NodesByPartition
	}
	return q
}

// address is the query as an address below a federation's; change alters the query first.
func (q nodeQuery) address(path string, change func(*nodeQuery)) string {
	if change != nil {
		change(&q)
	}
	v := url.Values{}
	for key, text := range map[string]string{"state": string(q.status), "q": q.search} {
		if text != "" {
			v.Set(key, text)
		}
	}
	if q.sort != domain.NodesByPartition {
		v.Set("sort", string(q.sort))
	}
	if q.after != 0 {
		v.Set("after", ui.Itoa64(q.after))
	}
	if len(v) == 0 {
		return path
	}
	return path + "?" + v.Encode()
}

func (q nodeQuery) filter(fedID int64) domain.NodeFilter {
	return domain.NodeFilter{FederationID: fedID, Status: q.status, Search: q.search, Sort: q.sort, AfterID: q.after, Limit: nodesPageSize + 1}
}

// nodeLine is one participant with their SuperNode.
type nodeLine struct {
	domain.NodeRow
	busy bool
}

// rowID is the id of the line's row in the page.
func (n nodeLine) rowID() string {
	if n.Key.ID == 0 {
		return "held-" + n.Holder.Ref
	}
	return fmt.Sprintf("node-%d", n.Key.ID)
}

// lastSeen is when the SuperNode was last seen, to the minute while it is online: its row need not be sent for every heartbeat.
func (n nodeLine) lastSeen() time.Time {
	if n.Key.Seen.Online {
		return n.Key.Seen.LastAt.Truncate(time.Minute)
	}
	return n.Key.Seen.LastAt
}

// nodeList is everything the page of SuperNodes shows.
type nodeList struct {
	fedpage.Head
	q     nodeQuery
	lines []nodeLine
	total int    // that the search finds in this tab
	next  int64  // cursor of the next page
	flwr  string // the version that runs need
	bare  bool   // rows are left empty: what is drawn tells whether anything but a row has changed
}

func (s *Pages) nodeList(ctx context.Context, v *visit.Visit, q nodeQuery) (nodeList, error) {
	head, err := s.Fed.Head(ctx, v, "nodes")
	l := nodeList{Head: head, q: q, flwr: s.Connection().Flwr, total: tabCount(head.Tally, q.status)}
	if err != nil {
		return l, err
	}
	rows, err := s.Onboarding.Nodes(ctx, q.filter(v.Fed.ID))
	if err != nil {
		return l, err
	}
	if len(rows) > nodesPageSize {
		rows = rows[:nodesPageSize]
		l.next = rows[nodesPageSize-1].Cursor
	}
	if q.search != "" {
		if l.total, err = s.Onboarding.CountChosenNodes(ctx, q.filter(v.Fed.ID)); err != nil {
			return l, err
		}
	}
	run, err := s.Fed.Running(ctx, v.Fed.ID, 0)
	if err != nil {
		return l, err
	}
	busy, err := s.Fed.Busy(ctx, run, rows)
	for _, r := range rows {
		l.lines = append(l.lines, nodeLine{r, busy[r.Key.NodeID]})
	}
	return l, err
}

// tabCount is how many SuperNodes a tab has.
func tabCount(t domain.NodeTally, status domain.NodeStatus) int {
	if status == "" {
		return t.Approved
	}
	return t.By[status]
}

// Page is the list of a federation's SuperNodes.
func (s *Pages) Page(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	q := nodeQueryOf(r.URL.Query())
	l, err := s.nodeList(r.Context(), v, q)
	if err != nil {
		return err
	}
	s.Render(w, r, v, http.StatusOK, ui.Page{Title: "SuperNodes · " + v.Fed.Name, Nav: "f",
		Events: q.address("/f/"+v.Fed.Slug+"/nodes/events", nil)}, nodesPage(l))
	return nil
}

// Events keeps the list of SuperNodes live.
func (s *Pages) Events(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	q := nodeQueryOf(r.URL.Query())
	return s.Live.Follow(w, r, visit.Manager, v, live.View{
		Topics: live.FederationTopics(v.Fed.ID),
		Share:  fmt.Sprint("nodes ", v.Fed.ID, " ", q.address("", nil)),
		Poll:   live.PollActive,
		Gap:    live.SharedGap,
		Look: func(ctx context.Context, v *visit.Visit) ([]live.Region, []live.Signal, error) {
			l, err := s.nodeList(ctx, v, q)
			rows := make([]live.Region, len(l.lines))
			for i, n := range l.lines {
				rows[i] = live.Region{ID: n.rowID(), Body: nodeRow(l, n)}
			}
			bare := l
			bare.bare = true
			return []live.Region{{ID: "head", Body: fedpage.Header(l.Head)}, {ID: "tabs", Body: fedpage.Tabs(l.Head)},
				{ID: "chips", Body: nodeChips(l)},
				{ID: "foot", Body: nodesFoot(l)},
				{ID: "list", Body: live.Rowed{Component: nodeRows(l), Bare: nodeRows(bare), Rows: rows}}}, nil, err
		},
	})
}

// Suspend makes a SuperNode wait; it goes on by itself when it is resumed.
func (s *Pages) Suspend(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	req, err := s.nodeOf(r, v)
	if err != nil {
		return err
	}
	if ok, err := s.Confirmed(w, r, v, suspendConfirmation(req, s.backToNodes(r, v))); err != nil || !ok {
		return err
	}
	if _, err := s.Onboarding.Suspend(r.Context(), v.Actor(), req.ID, r.PostForm.Get("reason")); err != nil {
		return err
	}
	return s.Done(w, r, s.backToNodes(r, v), req.Name+" is suspended. They see your reason.")
}

// Resume lets a suspended SuperNode go on.
func (s *Pages) Resume(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	req, err := s.nodeOf(r, v)
	if err != nil {
		return err
	}
	if _, err := s.Onboarding.Resume(r.Context(), v.Actor(), req.ID); err != nil {
		return err
	}
	return s.Done(w, r, s.backToNodes(r, v), req.Name+" continues within half a minute.")
}

// Remind mails one or all of the participants who have never connected that this is left to do.
func (s *Pages) Remind(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	var ids []int64
	if r.PostForm.Get("all") == "" {
		chosen, err := s.Requests(r.Context(), v, r.PostForm["id"])
		if err != nil {
			return err
		}
		for _, c := range chosen {
			ids = append(ids, c.ID)
		}
	}
	done, err := s.Onboarding.RemindToConnect(r.Context(), v.Actor(), v.Fed.ID, ids)
	if err != nil {
		return err
	}
	words := "Reminded " + ui.Plural(done.Mailed, "participant", "participants") + " by mail."
	if done.Skipped > 0 {
		words += fmt.Sprintf(" %d skipped: reminded less than a day ago, or connected.", done.Skipped)
	}
	return s.Done(w, r, s.backToNodes(r, v), words)
}

func (s *Pages) nodeOf(r *http.Request, v *visit.Visit) (domain.Request, error) {
	if err := visit.ParseForm(r); err != nil {
		return domain.Request{}, err
	}
	chosen, err := s.Requests(r.Context(), v, r.PostForm["id"])
	if err != nil {
		return domain.Request{}, err
	}
	return chosen[0], nil
}

// backToNodes is the page of SuperNodes as it was when a form of it was sent.
func (s *Pages) backToNodes(r *http.Request, v *visit.Visit) string {
	was, _ := url.ParseQuery(r.PostForm.Get("back")) // nonsense is the first page
	return nodeQueryOf(was).address("/f/"+v.Fed.Slug+"/nodes", nil)
}

func suspendConfirmation(req domain.Request, back string) visit.Confirmation {
	return visit.Confirmation{Words: fmt.Sprintf("Suspend the SuperNode of %s, partition %d? It takes no part in runs until you resume it. The reason is mailed.", req.Name, req.Partition), Do: "Suspend SuperNode", Back: back}
}

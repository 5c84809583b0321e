package web

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
		v.Set("after", itoa64(q.after))
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
	fedHead
	q     nodeQuery
	lines []nodeLine
	total int    // that the search finds in this tab
	next  int64  // cursor of the next page
	flwr  string // the version that runs need
	bare  bool   // rows are left empty: what is drawn tells whether anything but a row has changed
}

func (s *server) nodeList(ctx context.Context, v *visit, q nodeQuery) (nodeList, error) {
	head, err := s.head(ctx, v, "nodes")
	l := nodeList{fedHead: head, q: q, flwr: s.Connection().Flwr, total: tabCount(head.tally, q.status)}
	if err != nil {
		return l, err
	}
	rows, err := s.Onboarding.Nodes(ctx, q.filter(v.fed.ID))
	if err != nil {
		return l, err
	}
	if len(rows) > nodesPageSize {
		rows = rows[:nodesPageSize]
		l.next = rows[nodesPageSize-1].Cursor
	}
	if q.search != "" {
		if l.total, err = s.Onboarding.CountChosenNodes(ctx, q.filter(v.fed.ID)); err != nil {
			return l, err
		}
	}
	run, err := s.runningRun(ctx, v.fed.ID, 0)
	if err != nil {
		return l, err
	}
	busy, err := s.busyAmong(ctx, run, rows)
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

func (s *server) nodes(w http.ResponseWriter, r *http.Request, v *visit) error {
	q := nodeQueryOf(r.URL.Query())
	l, err := s.nodeList(r.Context(), v, q)
	if err != nil {
		return err
	}
	s.render(w, r, v, http.StatusOK, page{title: "SuperNodes · " + v.fed.Name, nav: "f",
		events: q.address("/f/"+v.fed.Slug+"/nodes/events", nil)}, nodesPage(l))
	return nil
}

func (s *server) nodesEvents(w http.ResponseWriter, r *http.Request, v *visit) error {
	q := nodeQueryOf(r.URL.Query())
	return s.follow(w, r, aManager, v, view{
		topics: fedTopics(v.fed.ID),
		share:  fmt.Sprint("nodes ", v.fed.ID, " ", q.address("", nil)),
		poll:   pollActive,
		gap:    nodesGap,
		look: func(ctx context.Context, v *visit) ([]region, []signal, error) {
			l, err := s.nodeList(ctx, v, q)
			rows := make([]region, len(l.lines))
			for i, n := range l.lines {
				rows[i] = region{n.rowID(), nodeRow(l, n)}
			}
			bare := l
			bare.bare = true
			return []region{{"head", federationHead(l.fedHead)}, {"tabs", federationTabs(l.fedHead)}, {"chips", nodeChips(l)},
				{"foot", nodesFoot(l)},
				{"list", rowed{nodeRows(l), nodeRows(bare), rows}}}, nil, err
		},
	})
}

// suspend makes a SuperNode wait; it goes on by itself when it is resumed.
func (s *server) suspend(w http.ResponseWriter, r *http.Request, v *visit) error {
	req, err := s.nodeOf(r, v)
	if err != nil {
		return err
	}
	if ok, err := s.confirmed(w, r, v, suspendConfirmation(req, s.backToNodes(r, v))); err != nil || !ok {
		return err
	}
	if _, err := s.Onboarding.Suspend(r.Context(), v.actor(), req.ID, r.PostForm.Get("reason")); err != nil {
		return err
	}
	return s.done(w, r, s.backToNodes(r, v), req.Name+" is suspended. They see your reason.")
}

func (s *server) resume(w http.ResponseWriter, r *http.Request, v *visit) error {
	req, err := s.nodeOf(r, v)
	if err != nil {
		return err
	}
	if _, err := s.Onboarding.Resume(r.Context(), v.actor(), req.ID); err != nil {
		return err
	}
	return s.done(w, r, s.backToNodes(r, v), req.Name+" continues within half a minute.")
}

func (s *server) nodeOf(r *http.Request, v *visit) (domain.Request, error) {
	if err := parseForm(r); err != nil {
		return domain.Request{}, err
	}
	chosen, err := s.mineOnly(r.Context(), v, r.PostForm["id"])
	if err != nil {
		return domain.Request{}, err
	}
	return chosen[0], nil
}

// backToNodes is the page of SuperNodes as it was when a form of it was sent.
func (s *server) backToNodes(r *http.Request, v *visit) string {
	was, _ := url.ParseQuery(r.PostForm.Get("back")) // nonsense is the first page
	return nodeQueryOf(was).address("/f/"+v.fed.Slug+"/nodes", nil)
}

func suspendConfirmation(req domain.Request, back string) confirmation {
	return confirmation{fmt.Sprintf("Suspend the SuperNode of %s, partition %d? It takes no part in runs until you resume it. The reason is mailed.", req.Name, req.Partition), "Suspend SuperNode", back}
}

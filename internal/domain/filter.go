package domain

import "time"

// RequestSort is an order of requests.
type RequestSort string

// Orders of requests; the empty one is [SortNewest].
const (
	SortNewest       RequestSort = "newest"
	SortOldest       RequestSort = "oldest"
	SortName         RequestSort = "name"
	SortOrganisation RequestSort = "organisation"
	SortPartition    RequestSort = "partition"
	SortDecided      RequestSort = "decided" // the latest decision first
)

// RequestSorts are all orders.
var RequestSorts = []RequestSort{SortNewest, SortOldest, SortName, SortOrganisation, SortPartition, SortDecided}

// RequestFilter chooses requests and orders them. Zero fields choose all, newest first.
type RequestFilter struct {
	FederationID int64
	States       []RequestState
	Search       string // part of the name, organisation, e-mail or ref, in any case
	Sort         RequestSort
	Limit        int   // 0: 50
	AfterID      int64 // cursor: only what comes after this request in the order
}

// RunFilter chooses runs, newest first. Zero fields choose all.
type RunFilter struct {
	FederationID int64
	States       []RunState
	SeenBy       int64 // a participant: only runs that they may see; 0: all
	Deleted      bool  // only deleted runs that can be restored; false: no deleted ones
	Limit        int   // 0: 50
	BeforeID     int64
}

// AuditFilter chooses audit entries, newest first. Zero fields choose all.
type AuditFilter struct {
	FederationID int64
	Actor        string // part of the name, in any case
	Action       string // the whole of it
	ObjectKind   string
	ObjectID     string
	Object       string    // part of the id, in any case
	From, Until  time.Time // from a moment on, and before one
	Limit        int       // 0: 50
	BeforeID     int64
}

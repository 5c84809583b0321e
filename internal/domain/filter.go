package domain

// RequestFilter chooses requests, newest first. Zero fields choose all.
type RequestFilter struct {
	FederationID int64
	States       []RequestState
	Search       string // part of the name, organisation, e-mail or ref, in any case
	Limit        int    // 0: 50
	BeforeID     int64  // cursor: only requests with a smaller id
}

// RunFilter chooses runs, newest first. Zero fields choose all.
type RunFilter struct {
	FederationID int64
	States       []RunState
	Limit        int // 0: 50
	BeforeID     int64
}

// AuditFilter chooses audit entries, newest first. Zero fields choose all.
type AuditFilter struct {
	FederationID int64
	ObjectKind   string
	ObjectID     string
	Limit        int // 0: 50
	BeforeID     int64
}

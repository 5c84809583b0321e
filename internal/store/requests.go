package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

const requestColumns = `r.id, r.ref, r.federation_id, r.person_id, r.state, r.partition_id, r.name, r.organisation, COALESCE(p.email, ''),
	r.message, r.reason, r.decided_by,
	r.created_at, r.verified_at, r.decided_at, r.expires_at, r.code_hash, r.code_expires_at, r.code_tries, r.code_sent, r.code_sent_at,
	r.invitation_id`

const fromRequest = "SELECT " + requestColumns + " FROM request r JOIN person p ON p.id = r.person_id"

func scanRequest(s scanner) (r domain.Request, err error) {
	var created, verified, decided, expires, codeExpires, codeSent int64
	err = s.Scan(&r.ID, &r.Ref, &r.FederationID, &r.PersonID, &r.State, &r.Partition, &r.Name, &r.Organisation, &r.Email, &r.Message,
		&r.Reason, &r.DecidedBy,
		&created, &verified, &decided, &expires, &r.Code.Hash, &codeExpires, &r.Code.Tries, &r.Code.Sent, &codeSent, &r.InvitationID)
	r.CreatedAt, r.VerifiedAt, r.DecidedAt, r.ExpiresAt = moment(created), moment(verified), moment(decided), moment(expires)
	r.Code.ExpiresAt, r.Code.SentAt = moment(codeExpires), moment(codeSent)
	return r, err
}

// InsertRequest adds a request and sets its id. A second active one of the same person is a [domain.Conflict].
func (tx *Tx) InsertRequest(ctx context.Context, r *domain.Request) error {
	tx.nodes = true
	err := tx.insert(ctx, "request", &r.ID, `INSERT INTO request (ref, federation_id, person_id, state, partition_id, name, organisation,
		message, reason, decided_by,
		created_at, verified_at, decided_at, expires_at, code_hash, code_expires_at, code_tries, code_sent, code_sent_at, invitation_id, search)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
		$19, $20, $21)`, append([]any{r.Ref, r.FederationID, r.PersonID}, requestValues(*r)...)...)
	if unique(err, "request.person_id") || unique(err, "request_active") {
		return domain.Errorf(domain.Conflict, "This person has an active request already.").Because(err)
	}
	return err
}

// searchText is what a search looks through.
func searchText(r domain.Request) string {
	return strings.ToLower(strings.Join([]string{r.Name, r.Organisation, r.Email, r.Ref}, "\n"))
}

func requestValues(r domain.Request) []any {
	return []any{string(r.State), r.Partition, r.Name, r.Organisation, r.Message, r.Reason, r.DecidedBy, millis(r.CreatedAt),
		millis(r.VerifiedAt), millis(r.DecidedAt), millis(r.ExpiresAt),
		r.Code.Hash, millis(r.Code.ExpiresAt), r.Code.Tries, r.Code.Sent, millis(r.Code.SentAt), r.InvitationID, searchText(r)}
}

// UpdateRequest writes a request. A partition that another approved request holds is a [domain.Conflict] at field "partition".
func (tx *Tx) UpdateRequest(ctx context.Context, r domain.Request) error {
	tx.nodes = true
	err := tx.one(ctx, "request", `UPDATE request SET state = $2, partition_id = $3, name = $4, organisation = $5, message = $6, reason = $7,
		decided_by = $8,
		created_at = $9, verified_at = $10, decided_at = $11, expires_at = $12, code_hash = $13, code_expires_at = $14, code_tries = $15,
		code_sent = $16, code_sent_at = $17, invitation_id = $18, search = $19
		WHERE id = $1`, append([]any{r.ID}, requestValues(r)...)...)
	if unique(err, "request.partition_id") || unique(err, "request_holder") {
		return domain.Errorf(domain.Conflict, "Partition %d has a holder already.", r.Partition).At("partition").Because(err)
	}
	return err
}

// RequestByID returns a request.
func (tx *Tx) RequestByID(ctx context.Context, id int64) (domain.Request, error) {
	return get(ctx, tx, "request", scanRequest, fromRequest+" WHERE r.id = $1", id)
}

// RequestByRef returns a request by its readable id.
func (tx *Tx) RequestByRef(ctx context.Context, ref string) (domain.Request, error) {
	return get(ctx, tx, "request", scanRequest, fromRequest+" WHERE r.ref = $1", ref)
}

// ActiveRequest returns the person's unverified, pending or approved request in a federation.
func (tx *Tx) ActiveRequest(ctx context.Context, fedID, personID int64) (domain.Request, error) {
	return get(ctx, tx, "request", scanRequest, fromRequest+
		" WHERE r.federation_id = $1 AND r.person_id = $2 AND r.state IN ('unverified', 'pending', 'approved')", fedID, personID)
}

// LatestRequest returns the person's newest request in a federation.
func (tx *Tx) LatestRequest(ctx context.Context, fedID, personID int64) (domain.Request, error) {
	return get(ctx, tx, "request", scanRequest, fromRequest+" WHERE r.federation_id = $1 AND r.person_id = $2 ORDER BY r.id DESC LIMIT 1",
		fedID, personID)
}

// RequestsOf returns all requests of a person, newest first.
func (tx *Tx) RequestsOf(ctx context.Context, personID int64) ([]domain.Request, error) {
	return list(ctx, tx, "request", scanRequest, fromRequest+" WHERE r.person_id = $1 ORDER BY r.id DESC", personID)
}

// requestOrder is the expression of each order, and whether it falls. The id breaks ties in the same direction.
var requestOrder = map[domain.RequestSort]struct {
	by    string
	falls bool
}{
	domain.SortNewest: {"r.id", true}, domain.SortOldest: {"r.id", false}, domain.SortName: {"LOWER(r.name)", false},
	domain.SortOrganisation: {"LOWER(r.organisation)", false},
	domain.SortPartition:    {"r.partition_id", false}, domain.SortDecided: {"r.decided_at", true},
}

// Requests returns the requests that a filter chooses, in its order.
func (tx *Tx) Requests(ctx context.Context, f domain.RequestFilter) ([]domain.Request, error) {
	w := chooseRequests(f)
	order, known := requestOrder[f.Sort]
	if !known {
		order = requestOrder[domain.SortNewest]
	}
	direction, beyond := "", ">"
	if order.falls {
		direction, beyond = " DESC", "<"
	}
	if f.AfterID != 0 {
		// Two statements, because no index is used for a comparison with what a subquery returns.
		at, err := get(ctx, tx, "request", func(s scanner) (v any, err error) { return v, s.Scan(&v) },
			"SELECT "+order.by+" FROM request r WHERE r.id = $1", f.AfterID)
		if err != nil {
			return nil, err
		}
		w.after(order.by, beyond, at, f.AfterID)
	}
	return list(ctx, tx, "request", scanRequest,
		fmt.Sprintf("%s%s ORDER BY %s%s, r.id%s LIMIT %d", fromRequest, w.String(), order.by, direction, direction, limit(f.Limit)), w.args...)
}

// CountChosen counts the requests that a filter chooses; its order, limit and cursor do not matter.
func (tx *Tx) CountChosen(ctx context.Context, f domain.RequestFilter) (int, error) {
	w := chooseRequests(f)
	return get(ctx, tx, "request", func(s scanner) (n int, err error) { return n, s.Scan(&n) }, "SELECT COUNT(*) FROM request r"+w.String(),
		w.args...)
}

func chooseRequests(f domain.RequestFilter) (w where) {
	if f.FederationID != 0 {
		w.add("r.federation_id = ?", f.FederationID)
	}
	in(&w, "r.state", words(f.States))
	if s := strings.TrimSpace(f.Search); s != "" {
		w.add(`r.search LIKE ? ESCAPE '\'`, like(s))
	}
	return w
}

func words[T ~string](in []T) []string {
	out := make([]string, len(in))
	for i, v := range in {
		out[i] = string(v)
	}
	return out
}

// CountRequests counts a federation's requests by state.
func (tx *Tx) CountRequests(ctx context.Context, fedID int64) (map[domain.RequestState]int, error) {
	type row struct {
		state domain.RequestState
		n     int
	}
	rows, err := list(ctx, tx, "request", func(s scanner) (r row, err error) { return r, s.Scan(&r.state, &r.n) },
		"SELECT state, COUNT(*) FROM request WHERE federation_id = $1 GROUP BY state", fedID)
	out := map[domain.RequestState]int{}
	for _, r := range rows {
		out[r.state] = r.n
	}
	return out, err
}

// HeldPartitions returns a federation's approved requests by their partition.
func (tx *Tx) HeldPartitions(ctx context.Context, fedID int64) (map[int]domain.Request, error) {
	rows, err := list(ctx, tx, "request", scanRequest, fromRequest+" WHERE r.federation_id = $1 AND r.state = 'approved'", fedID)
	out := make(map[int]domain.Request, len(rows))
	for _, r := range rows {
		out[r.Partition] = r
	}
	return out, err
}

// PartitionsHeld returns the numbers of a federation's held partitions, rising.
func (tx *Tx) PartitionsHeld(ctx context.Context, fedID int64) ([]int, error) {
	return list(ctx, tx, "request", func(s scanner) (n int, err error) { return n, s.Scan(&n) },
		"SELECT partition_id FROM request WHERE federation_id = $1 AND state = 'approved' ORDER BY partition_id", fedID)
}

// Holder returns the approved request that holds a partition.
func (tx *Tx) Holder(ctx context.Context, fedID int64, partition int) (domain.Request, error) {
	return get(ctx, tx, "request", scanRequest, fromRequest+" WHERE r.federation_id = $1 AND r.partition_id = $2 AND r.state = 'approved'",
		fedID, partition)
}

// UnverifiedBefore returns the unverified requests that expired before a moment.
func (tx *Tx) UnverifiedBefore(ctx context.Context, at time.Time) ([]domain.Request, error) {
	return list(ctx, tx, "request", scanRequest, fromRequest+" WHERE r.state = 'unverified' AND r.expires_at < $1 ORDER BY r.id", millis(at))
}

func scanJoinToken(s scanner) (v domain.JoinToken, err error) {
	var created, expires, used int64
	err = s.Scan(&v.ID, &v.Public, &v.RequestID, &v.Hash, &created, &expires, &used)
	v.CreatedAt, v.ExpiresAt, v.UsedAt = moment(created), moment(expires), moment(used)
	return v, err
}

// InsertJoinToken adds a join token and sets its id.
func (tx *Tx) InsertJoinToken(ctx context.Context, v *domain.JoinToken) error {
	return tx.insert(ctx, "join token", &v.ID,
		"INSERT INTO join_token (public_id, request_id, hash, created_at, expires_at, used_at) VALUES ($1, $2, $3, $4, $5, $6)",
		v.Public, v.RequestID, v.Hash, millis(v.CreatedAt), millis(v.ExpiresAt), millis(v.UsedAt))
}

// JoinTokenByPublic returns a join token by its public part, used and expired ones too.
func (tx *Tx) JoinTokenByPublic(ctx context.Context, public string) (domain.JoinToken, error) {
	return get(ctx, tx, "join token", scanJoinToken,
		"SELECT id, public_id, request_id, hash, created_at, expires_at, used_at FROM join_token WHERE public_id = $1", public)
}

// UseJoinToken marks a join token as used; a used one is a [domain.NotFound] error.
func (tx *Tx) UseJoinToken(ctx context.Context, id int64, at time.Time) error {
	return tx.one(ctx, "join token", "UPDATE join_token SET used_at = $2 WHERE id = $1 AND used_at = 0", id, millis(at))
}

// DropJoinTokens removes a request's unused join tokens.
func (tx *Tx) DropJoinTokens(ctx context.Context, requestID int64) error {
	return tx.exec(ctx, "join token", "DELETE FROM join_token WHERE request_id = $1 AND used_at = 0", requestID)
}

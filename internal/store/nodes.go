package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

const nodeKeyColumns = `id, federation_id, request_id, partition_id, public_pem, fingerprint, node_id, via, created_at, revoked_at,
	suspended_at, suspend_reason, first_at, last_at, online, bytes_in, bytes_out, flwr, agent, python, clock_off, proxy, shares_logs, stuck,
	approve, ledger_n, ledger_hash, contained, data_folders`

func scanNodeKey(s scanner) (k domain.NodeKey, err error) {
	var node, created, revoked, suspended, first, last, online, off, shares int64
	err = s.Scan(&k.ID, &k.FederationID, &k.RequestID, &k.Partition, &k.PublicPEM, &k.Fingerprint, &node, &k.Via, &created, &revoked,
		&suspended, &k.Reason, &first, &last, &online, &k.Seen.BytesIn, &k.Seen.BytesOut, &k.Seen.Flwr, &k.Seen.Agent, &k.Seen.Python, &off, &k.Seen.Proxy, &shares, &k.Seen.Stuck,
		&k.Seen.Approve, &k.Seen.Ledger.N, &k.Seen.Ledger.Hash, &k.Seen.Contained, &k.Seen.Data)
	k.NodeID, k.CreatedAt, k.RevokedAt, k.SuspendedAt = uint64(node), moment(created), moment(revoked), moment(suspended)
	k.Seen.FirstAt, k.Seen.LastAt, k.Seen.Online, k.Seen.ClockOff = moment(first), moment(last), online == 1, time.Duration(off)*time.Second
	k.Seen.SharesLogs = shares == 1
	return k, err
}

// InsertNodeKey adds a key and sets its id. A key that was ever enrolled, in whatever federation, is a [domain.Conflict], and
// so is a second good key of one request.
func (tx *Tx) InsertNodeKey(ctx context.Context, k *domain.NodeKey) error {
	tx.nodes = true
	err := tx.insert(ctx, "key", &k.ID, `INSERT INTO node_key (federation_id, request_id, partition_id, public_pem, fingerprint, node_id, via, created_at, revoked_at,
		first_at, last_at, online, bytes_in, bytes_out, flwr, agent, python) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0, 0, 0, 0, '', '', '')`,
		k.FederationID, k.RequestID, k.Partition, k.PublicPEM, k.Fingerprint, int64(k.NodeID), k.Via, millis(k.CreatedAt), millis(k.RevokedAt))
	switch {
	case unique(err, "fingerprint"):
		return domain.Errorf(domain.Conflict, "This key has been enrolled before; a key is enrolled once, for ever.").Fix("Make a new key and use that.").At("public_key").Because(err)
	case unique(err, "node_key.request_id"), unique(err, "node_key_of_request"):
		return domain.Errorf(domain.Conflict, "This request has a key already.").At("public_key").Because(err)
	}
	return err
}

// NodeKeyByFingerprint returns a key, revoked ones too.
func (tx *Tx) NodeKeyByFingerprint(ctx context.Context, fp string) (domain.NodeKey, error) {
	return get(ctx, tx, "key", scanNodeKey, "SELECT "+nodeKeyColumns+" FROM node_key WHERE fingerprint = $1", fp)
}

// NodeKeys returns a federation's keys by partition, revoked ones too.
func (tx *Tx) NodeKeys(ctx context.Context, fedID int64) ([]domain.NodeKey, error) {
	return list(ctx, tx, "key", scanNodeKey, "SELECT "+nodeKeyColumns+" FROM node_key WHERE federation_id = $1 ORDER BY partition_id, id", fedID)
}

// SharingKeys returns up to n of a federation's good keys whose owners share their logs, by partition, from a partition on.
func (tx *Tx) SharingKeys(ctx context.Context, fedID int64, from, n int) ([]domain.NodeKey, error) {
	return list(ctx, tx, "key", scanNodeKey, "SELECT "+nodeKeyColumns+` FROM node_key
		WHERE federation_id = $1 AND partition_id >= $2 AND shares_logs = 1 AND revoked_at = 0 ORDER BY partition_id, id LIMIT CAST($3 AS BIGINT)`,
		fedID, from, limit(n))
}

// UnsyncedKeys returns a federation's good keys without a node id, and its revoked ones with one.
func (tx *Tx) UnsyncedKeys(ctx context.Context, fedID int64) ([]domain.NodeKey, error) {
	fresh, err := list(ctx, tx, "key", scanNodeKey,
		"SELECT "+nodeKeyColumns+" FROM node_key WHERE federation_id = $1 AND node_id = 0 AND revoked_at = 0 ORDER BY partition_id", fedID)
	if err != nil {
		return nil, err
	}
	revoked, err := list(ctx, tx, "key", scanNodeKey,
		"SELECT "+nodeKeyColumns+" FROM node_key WHERE federation_id = $1 AND status = 'revoked' AND node_id <> 0 ORDER BY id", fedID)
	return append(fresh, revoked...), err
}

// HaltedKeys returns a federation's keys that are revoked or suspended.
func (tx *Tx) HaltedKeys(ctx context.Context, fedID int64) ([]domain.NodeKey, error) {
	return list(ctx, tx, "key", scanNodeKey,
		"SELECT "+nodeKeyColumns+" FROM node_key WHERE federation_id = $1 AND status IN ('revoked', 'suspended')", fedID)
}

// NodeStates returns the keys of some federations that are not revoked, of each by partition: their node ids and what the gateway last
// saw of them, and nothing else. Of thousands that costs far less than [Tx.NodeKeys].
func (tx *Tx) NodeStates(ctx context.Context, feds []int64) (map[int64][]domain.NodeKey, error) {
	out := map[int64][]domain.NodeKey{}
	if len(feds) == 0 {
		return out, nil
	}
	var w where
	in(&w, "federation_id", feds)
	all, err := list(ctx, tx, "key", scanNodeState,
		"SELECT federation_id, node_id, partition_id, via, suspended_at, last_at, online, stuck FROM node_key"+
			w.String()+" AND revoked_at = 0 ORDER BY federation_id, partition_id, id", w.args...)
	for _, k := range all {
		out[k.FederationID] = append(out[k.FederationID], k)
	}
	return out, err
}

func scanNodeState(s scanner) (k domain.NodeKey, err error) {
	var node, suspended, last, online int64
	err = s.Scan(&k.FederationID, &node, &k.Partition, &k.Via, &suspended, &last, &online, &k.Seen.Stuck)
	k.NodeID, k.SuspendedAt, k.Seen.LastAt, k.Seen.Online = uint64(node), moment(suspended), moment(last), online == 1
	return k, err
}

// NodeKeyOfRequest returns the good key of a request.
func (tx *Tx) NodeKeyOfRequest(ctx context.Context, requestID int64) (domain.NodeKey, error) {
	return get(ctx, tx, "key", scanNodeKey, "SELECT "+nodeKeyColumns+" FROM node_key WHERE request_id = $1 AND revoked_at = 0", requestID)
}

// UpdateNodeKey writes a key's node id, revocation and suspension.
func (tx *Tx) UpdateNodeKey(ctx context.Context, k domain.NodeKey) error {
	tx.nodes = true
	return tx.one(ctx, "key", "UPDATE node_key SET node_id = $2, revoked_at = $3, suspended_at = $4, suspend_reason = $5 WHERE id = $1",
		k.ID, int64(k.NodeID), millis(k.RevokedAt), millis(k.SuspendedAt), k.Reason)
}

// countOnline and countStuck are the columns of a [domain.NodeCount]; goodNode is the condition of what it counts.
const (
	countOnline = "COALESCE(SUM(CASE WHEN status = 'online' THEN 1 ELSE 0 END), 0)"
	countStuck  = "COALESCE(SUM(CASE WHEN status = 'stuck' THEN 1 ELSE 0 END), 0)"
	goodNode    = "status <> 'revoked'"
)

// CountNodes counts a federation's good keys, and those of them that are online or stuck.
func (tx *Tx) CountNodes(ctx context.Context, fedID int64) (domain.NodeCount, error) {
	return get(ctx, tx, "key", func(s scanner) (c domain.NodeCount, err error) { return c, s.Scan(&c.Good, &c.Online, &c.Stuck) },
		"SELECT COUNT(*), "+countOnline+", "+countStuck+" FROM node_key WHERE federation_id = $1 AND "+goodNode, fedID)
}

const seenAtOnce = 100

// UpdateNodesSeen writes what the gateway saw of SuperNodes, by the ids of their keys; unknown ones are left out. Empty versions leave the
// known ones. A heartbeat alone touches no index: where nothing but times and bytes is new, nothing else is written.
func (tx *Tx) UpdateNodesSeen(ctx context.Context, seen map[int64]domain.NodeSeen) error {
	ids := slices.Sorted(maps.Keys(seen)) // always in one order: two that write the same rows do not wait for each other
	for part := range slices.Chunk(ids, seenAtOnce) {
		var traffic, states rowValues
		for _, id := range part {
			v := seen[id]
			traffic.add(id, millis(v.LastAt), v.BytesIn, v.BytesOut)
			states.add(id, millis(v.FirstAt), bit(v.Online), v.Flwr, v.Agent, v.Python, string(v.Stuck))
		}
		err := tx.exec(ctx, "key", "WITH v(id, last_at, bytes_in, bytes_out) AS (VALUES "+traffic.String()+`)
			UPDATE node_key SET last_at = v.last_at, bytes_in = v.bytes_in, bytes_out = v.bytes_out FROM v WHERE node_key.id = v.id`, traffic.args...)
		if err != nil {
			return err
		}
		res, err := tx.q.ExecContext(ctx, "WITH v(id, first_at, online, flwr, agent, python, stuck) AS (VALUES "+states.String()+`)
			UPDATE node_key SET first_at = v.first_at, online = v.online, stuck = v.stuck, flwr = CASE WHEN v.flwr = '' THEN node_key.flwr ELSE v.flwr END,
				agent = CASE WHEN v.agent = '' THEN node_key.agent ELSE v.agent END, python = CASE WHEN v.python = '' THEN node_key.python ELSE v.python END
			FROM v WHERE node_key.id = v.id AND (node_key.first_at <> v.first_at OR node_key.online <> v.online OR node_key.stuck <> v.stuck
				OR v.flwr NOT IN ('', node_key.flwr) OR v.agent NOT IN ('', node_key.agent) OR v.python NOT IN ('', node_key.python))`, states.args...)
		if err != nil {
			return fmt.Errorf("writing keys: %w", err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return err
		}
		tx.nodes = tx.nodes || n > 0
	}
	return nil
}

// rowValues are rows of a VALUES list, of numbers and text.
type rowValues struct {
	rows []string
	args []any
}

func (r *rowValues) add(values ...any) {
	marks := make([]string, len(values))
	for i, v := range values {
		r.args = append(r.args, v)
		kind := "BIGINT"
		if _, text := v.(string); text {
			kind = "TEXT"
		}
		marks[i] = fmt.Sprintf("CAST($%d AS %s)", len(r.args), kind)
	}
	r.rows = append(r.rows, "("+strings.Join(marks, ", ")+")")
}

// String returns the list.
func (r *rowValues) String() string { return strings.Join(r.rows, ", ") }

// UpdateNodeMachine writes what an agent told of its machine. Of its ledger, the highest line that was ever told stays.
func (tx *Tx) UpdateNodeMachine(ctx context.Context, id int64, v domain.NodeSeen) error {
	tx.nodes = true
	return tx.one(ctx, "key", `UPDATE node_key SET flwr = $2, agent = $3, python = $4, clock_off = $5, proxy = $6, shares_logs = $7, approve = $8,
		ledger_hash = CASE WHEN $9 > ledger_n THEN $10 ELSE ledger_hash END, ledger_n = CASE WHEN $9 > ledger_n THEN $9 ELSE ledger_n END,
		contained = $11, data_folders = $12 WHERE id = $1`,
		id, v.Flwr, v.Agent, v.Python, int64(v.ClockOff/time.Second), v.Proxy, bit(v.SharesLogs), v.Approve, v.Ledger.N, v.Ledger.Hash, string(v.Contained), v.Data)
}

const federationColumns = "id, slug, name, description, total_partitions, parallel, engine_wanted, created_at, proof, question, answer_needed, invitations_only, run_limits, idle_stop, engine_idle, no_web, engine"

func scanFederation(s scanner) (f domain.Federation, err error) {
	var wanted, created, needed, only, idle, noWeb int64
	var limits string
	a := &f.Asking
	if err = s.Scan(&f.ID, &f.Slug, &f.Name, &f.Description, &f.TotalPartitions, &f.Parallel, &wanted, &created, &a.Proof, &a.Question,
		&needed, &only, &limits, &f.IdleStop, &idle, &noWeb, &f.Engine); err != nil {
		return f, err
	}
	f.EngineWanted, f.CreatedAt, a.AnswerNeeded, a.InvitationsOnly, f.EngineIdle = wanted == 1, moment(created), needed == 1, only == 1, idle == 1
	f.NoWeb = noWeb == 1
	return f, json.Unmarshal([]byte(limits), &f.Limits)
}

// FederationByID returns a federation.
func (tx *Tx) FederationByID(ctx context.Context, id int64) (domain.Federation, error) {
	return get(ctx, tx, "federation", scanFederation, "SELECT "+federationColumns+" FROM federation WHERE id = $1", id)
}

// FederationBySlug returns a federation by its part of an address.
func (tx *Tx) FederationBySlug(ctx context.Context, slug string) (domain.Federation, error) {
	return get(ctx, tx, "federation", scanFederation, "SELECT "+federationColumns+" FROM federation WHERE slug = $1", slug)
}

// Federations returns all federations by name.
func (tx *Tx) Federations(ctx context.Context) ([]domain.Federation, error) {
	return list(ctx, tx, "federation", scanFederation, "SELECT "+federationColumns+" FROM federation ORDER BY name, id")
}

// InsertFederation adds a federation and sets its id. A taken slug is a [domain.Conflict] at field "slug".
func (tx *Tx) InsertFederation(ctx context.Context, f *domain.Federation) error {
	limits, err := asJSON(f.Limits)
	if err != nil {
		return err
	}
	err = tx.insert(ctx, "federation", &f.ID,
		"INSERT INTO federation (slug, name, description, total_partitions, parallel, engine_wanted, created_at, proof, question, answer_needed, invitations_only, run_limits, idle_stop, engine_idle, no_web, engine) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
		f.Slug, f.Name, f.Description, f.TotalPartitions, max(f.Parallel, 1), bit(f.EngineWanted), millis(f.CreatedAt),
		string(cmp.Or(f.Asking.Proof, domain.ProofBoth)), f.Asking.Question, bit(f.Asking.AnswerNeeded), bit(f.Asking.InvitationsOnly),
		limits, f.IdleStop, bit(f.EngineIdle), bit(f.NoWeb), string(f.Engine))
	if unique(err, "slug") {
		return domain.Errorf(domain.Conflict, "There is a federation %q already.", f.Slug).Fix("Choose another address.").At("slug").Because(err)
	}
	return err
}

// UpdateFederation writes a federation; its slug stays.
func (tx *Tx) UpdateFederation(ctx context.Context, f domain.Federation) error {
	limits, err := asJSON(f.Limits)
	if err != nil {
		return err
	}
	return tx.one(ctx, "federation", `UPDATE federation SET name = $2, description = $3, total_partitions = $4, parallel = $5, engine_wanted = $6,
		proof = $7, question = $8, answer_needed = $9, invitations_only = $10, run_limits = $11, idle_stop = $12, engine_idle = $13, no_web = $14, engine = $15 WHERE id = $1`, f.ID, f.Name, f.Description, f.TotalPartitions, max(f.Parallel, 1), bit(f.EngineWanted),
		string(cmp.Or(f.Asking.Proof, domain.ProofBoth)), f.Asking.Question, bit(f.Asking.AnswerNeeded), bit(f.Asking.InvitationsOnly),
		limits, f.IdleStop, bit(f.EngineIdle), bit(f.NoWeb), string(f.Engine))
}

// Setting returns a stored value, "" if there is none.
func (tx *Tx) Setting(ctx context.Context, key string) (string, error) {
	v, err := get(ctx, tx, "setting", func(s scanner) (v string, err error) { return v, s.Scan(&v) }, "SELECT value FROM setting WHERE key = $1", key)
	if domain.CodeOf(err) == domain.NotFound {
		return "", nil
	}
	return v, err
}

// PutSetting stores a value.
func (tx *Tx) PutSetting(ctx context.Context, key, value string) error {
	return tx.exec(ctx, "setting", "INSERT INTO setting (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, value)
}

// Settings returns the stored values whose keys begin with a prefix.
func (tx *Tx) Settings(ctx context.Context, prefix string) (map[string]string, error) {
	type pair struct{ key, value string }
	all, err := list(ctx, tx, "setting", func(s scanner) (p pair, err error) { return p, s.Scan(&p.key, &p.value) },
		`SELECT key, value FROM setting WHERE key LIKE $1 ESCAPE '\'`, strings.TrimPrefix(like(prefix), "%"))
	out := map[string]string{}
	for _, p := range all {
		out[p.key] = p.value
	}
	return out, err
}

// DropSetting forgets a stored value; one that is not there is no error.
func (tx *Tx) DropSetting(ctx context.Context, key string) error {
	return tx.exec(ctx, "setting", "DELETE FROM setting WHERE key = $1", key)
}

const mailColumns = "id, recipient, subject, body, state, tries, next_at, last_error, created_at, sent_at"

func scanMail(s scanner) (m domain.Mail, err error) {
	var next, created, sent int64
	err = s.Scan(&m.ID, &m.To, &m.Subject, &m.Text, &m.State, &m.Tries, &next, &m.LastError, &created, &sent)
	m.NextAt, m.CreatedAt, m.SentAt = moment(next), moment(created), moment(sent)
	return m, err
}

// InsertMail adds a mail and sets its id.
func (tx *Tx) InsertMail(ctx context.Context, m *domain.Mail) error {
	return tx.insert(ctx, "mail", &m.ID, "INSERT INTO mail (recipient, subject, body, state, tries, next_at, last_error, created_at, sent_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		m.To, m.Subject, m.Text, string(m.State), m.Tries, millis(m.NextAt), m.LastError, millis(m.CreatedAt), millis(m.SentAt))
}

// UpdateMail writes a mail's progress, subject and text.
func (tx *Tx) UpdateMail(ctx context.Context, m domain.Mail) error {
	return tx.one(ctx, "mail", "UPDATE mail SET state = $2, tries = $3, next_at = $4, last_error = $5, sent_at = $6, body = $7, subject = $8 WHERE id = $1",
		m.ID, string(m.State), m.Tries, millis(m.NextAt), m.LastError, millis(m.SentAt), m.Text, m.Subject)
}

// DueMails returns up to n queued mails whose time has come, oldest first.
func (tx *Tx) DueMails(ctx context.Context, now time.Time, n int) ([]domain.Mail, error) {
	return list(ctx, tx, "mail", scanMail, "SELECT "+mailColumns+" FROM mail WHERE state = 'queued' AND next_at <= $1 ORDER BY next_at, id LIMIT CAST($2 AS BIGINT)", millis(now), limit(n))
}

// Mails returns mails, newest first: those older than the one with an id, or the newest ones where that is 0.
func (tx *Tx) Mails(ctx context.Context, beforeID int64, n int) ([]domain.Mail, error) {
	return list(ctx, tx, "mail", scanMail, "SELECT "+mailColumns+
		" FROM mail WHERE CAST($1 AS BIGINT) = 0 OR id < $1 ORDER BY id DESC LIMIT CAST($2 AS BIGINT)", beforeID, limit(n))
}

// MailByID returns a mail.
func (tx *Tx) MailByID(ctx context.Context, id int64) (domain.Mail, error) {
	return get(ctx, tx, "mail", scanMail, "SELECT "+mailColumns+" FROM mail WHERE id = $1", id)
}

package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

// NoticeRules returns a federation's rules of what is notified; the defaults where it has set none.
func (tx *Tx) NoticeRules(ctx context.Context, fedID int64) (domain.NoticeRules, error) {
	r, err := get(ctx, tx, "rules", func(s scanner) (r domain.NoticeRules, err error) {
		var offline, unconnected, waiting, remind int64
		err = s.Scan(&offline, &unconnected, &waiting, &remind)
		r.Offline, r.Unconnected = time.Duration(offline)*time.Millisecond, time.Duration(unconnected)*time.Millisecond
		r.Waiting, r.Remind = time.Duration(waiting)*time.Millisecond, remind == 1
		return r, err
	}, "SELECT offline, unconnected, waiting, remind FROM notice_rules WHERE federation_id = $1", fedID)
	if domain.CodeOf(err) == domain.NotFound {
		return domain.DefaultNoticeRules, nil
	}
	return r, err
}

// PutNoticeRules keeps a federation's rules of what is notified.
func (tx *Tx) PutNoticeRules(ctx context.Context, fedID int64, r domain.NoticeRules) error {
	return tx.exec(ctx, "rules", `INSERT INTO notice_rules (federation_id, offline, unconnected, waiting, remind) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (federation_id) DO UPDATE SET offline = excluded.offline, unconnected = excluded.unconnected, waiting = excluded.waiting,
			remind = excluded.remind`,
		fedID, r.Offline.Milliseconds(), r.Unconnected.Milliseconds(), r.Waiting.Milliseconds(), bit(r.Remind))
}

// OpenNotices returns the subjects of a kind that were notified and whose condition has not ended since.
func (tx *Tx) OpenNotices(ctx context.Context, fedID int64, kind domain.NoticeKind) (map[string]bool, error) {
	all, err := list(ctx, tx, "notice", func(s scanner) (v string, err error) { return v, s.Scan(&v) },
		"SELECT subject FROM notice_open WHERE federation_id = $1 AND kind = $2", fedID, string(kind))
	out := make(map[string]bool, len(all))
	for _, v := range all {
		out[v] = true
	}
	return out, err
}

// OpenNotice notes that some subjects were notified.
func (tx *Tx) OpenNotice(ctx context.Context, fedID int64, kind domain.NoticeKind, subjects []string, at time.Time) error {
	for some := range slices.Chunk(subjects, 500) { // one statement for many: hundreds of SuperNodes may go offline at once
		args, rows := []any{fedID, string(kind), millis(at)}, make([]string, len(some))
		for i, subject := range some {
			args = append(args, subject)
			rows[i] = fmt.Sprintf("($1, $2, $%d, $3)", len(args))
		}
		if err := tx.exec(ctx, "notice", "INSERT INTO notice_open (federation_id, kind, subject, at) VALUES "+strings.Join(rows, ", "),
			args...); err != nil {
			return err
		}
	}
	return nil
}

// CloseNotice notes that the condition of a subject has ended.
func (tx *Tx) CloseNotice(ctx context.Context, fedID int64, kind domain.NoticeKind, subject string) error {
	return tx.exec(ctx, "notice", "DELETE FROM notice_open WHERE federation_id = $1 AND kind = $2 AND subject = $3",
		fedID, string(kind), subject)
}

func scanLasting(s scanner) (v domain.Lasting, err error) {
	var since int64
	err = s.Scan(&v.ID, &v.RequestID, &v.PersonID, &v.Partition, &v.Name, &since)
	v.Since = moment(since)
	return v, err
}

// OfflineNodes returns the SuperNodes of a federation that are offline, since when they were last seen, by partition.
func (tx *Tx) OfflineNodes(ctx context.Context, fedID int64) ([]domain.Lasting, error) {
	return list(ctx, tx, "key", scanLasting, `SELECT k.id, r.id, r.person_id, k.partition_id, r.name, k.last_at
		FROM node_key k JOIN request r ON r.id = k.request_id
		WHERE k.federation_id = $1 AND k.status = 'offline' ORDER BY k.partition_id, k.id`, fedID)
}

const neverConnected = "r.state = 'approved' AND NOT EXISTS (SELECT 1 FROM node_key k WHERE k.request_id = r.id AND k.first_at > 0)"

// UnconnectedPeople returns the people of a federation who hold a partition and whose SuperNode was never seen, since their approval, by
// partition.
func (tx *Tx) UnconnectedPeople(ctx context.Context, fedID int64) ([]domain.Lasting, error) {
	return list(ctx, tx, "request", scanLasting, `SELECT r.id, r.id, r.person_id, r.partition_id, r.name, r.decided_at FROM request r
		WHERE r.federation_id = $1 AND `+neverConnected+" ORDER BY r.partition_id, r.id", fedID)
}

// PendingRequests returns the requests of a federation that wait for a review, since their address was proven, oldest first.
func (tx *Tx) PendingRequests(ctx context.Context, fedID int64) ([]domain.Lasting, error) {
	return list(ctx, tx, "request", scanLasting, `SELECT r.id, r.id, r.person_id, -1, r.name,
			CASE WHEN r.verified_at = 0 THEN r.created_at ELSE r.verified_at END
		FROM request r WHERE r.federation_id = $1 AND r.state = 'pending' ORDER BY r.id`, fedID)
}

// UnremindedPeople returns up to n people of a federation who were approved between two moments, have never connected, and were not
// reminded in this federation.
func (tx *Tx) UnremindedPeople(ctx context.Context, fedID int64, after, before time.Time, n int) ([]int64, error) {
	return list(ctx, tx, "request", func(s scanner) (id int64, err error) { return id, s.Scan(&id) }, `SELECT r.id FROM request r
		WHERE r.federation_id = $1 AND `+neverConnected+` AND r.reminded_at = 0 AND r.decided_at > $2 AND r.decided_at <= $3
		ORDER BY r.id LIMIT CAST($4 AS BIGINT)`, fedID, millis(after), millis(before), limit(n))
}

// RemindedAt returns when a person was last reminded to connect, in any federation; zero: never.
func (tx *Tx) RemindedAt(ctx context.Context, personID int64) (time.Time, error) {
	return get(ctx, tx, "request", func(s scanner) (t time.Time, err error) {
		var at int64
		err = s.Scan(&at)
		return moment(at), err
	}, "SELECT COALESCE(MAX(reminded_at), 0) FROM request WHERE person_id = $1", personID)
}

// NoteReminder keeps when the person of a request was reminded to connect.
func (tx *Tx) NoteReminder(ctx context.Context, requestID int64, at time.Time) error {
	return tx.one(ctx, "request", "UPDATE request SET reminded_at = $2 WHERE id = $1", requestID, millis(at))
}

package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"blossomtune/internal/domain"
)

const noticeColumns = "id, kind, federation_id, about, facts, at"

func scanNotice(s scanner, more ...any) (n domain.Notice, err error) {
	var facts string
	var at int64
	if err = s.Scan(append([]any{&n.ID, &n.Kind, &n.FederationID, &n.About, &facts, &at}, more...)...); err != nil {
		return n, err
	}
	n.At = moment(at)
	if err := json.Unmarshal([]byte(facts), &n.Facts); err != nil {
		return n, fmt.Errorf("reading the facts of notice %d: %w", n.ID, err)
	}
	return n, nil
}

func scanPlainNotice(s scanner) (domain.Notice, error) { return scanNotice(s) }

// InsertNotice adds a notice, to be handed to its recipients after the transaction, and sets its id.
func (tx *Tx) InsertNotice(ctx context.Context, n *domain.Notice) error {
	facts, err := asJSON(n.Facts)
	if err != nil {
		return err
	}
	return tx.insert(ctx, "notice", &n.ID,
		"INSERT INTO notice (kind, federation_id, about, facts, at, sorted_at) VALUES ($1, $2, $3, $4, $5, 0)",
		string(n.Kind), n.FederationID, n.About, facts, millis(n.At))
}

// UnsortedNotices returns up to n notices that were not yet handed to their recipients, in the order in which they were written.
func (tx *Tx) UnsortedNotices(ctx context.Context, n int) ([]domain.Notice, error) {
	return list(ctx, tx, "notice", scanPlainNotice,
		"SELECT "+noticeColumns+" FROM notice WHERE sorted_at = 0 ORDER BY id LIMIT CAST($1 AS BIGINT)", limit(n))
}

// NoticeSorted notes that a notice was handed to its recipients.
func (tx *Tx) NoticeSorted(ctx context.Context, id int64, at time.Time) error {
	return tx.one(ctx, "notice", "UPDATE notice SET sorted_at = $2 WHERE id = $1", id, millis(at))
}

func scanNoticePref(s scanner) (p domain.NoticePref, err error) {
	return p, s.Scan(&p.PersonID, &p.FederationID, &p.Kind, &p.Mode)
}

// NoticePrefs returns what people have chosen for a kind of notice in a federation, 0 for the instance.
func (tx *Tx) NoticePrefs(ctx context.Context, fedID int64, kind domain.NoticeKind) ([]domain.NoticePref, error) {
	return list(ctx, tx, "preference", scanNoticePref,
		"SELECT person_id, federation_id, kind, mode FROM notice_pref WHERE federation_id = $1 AND kind = $2 ORDER BY person_id", fedID,
		string(kind))
}

// NoticePrefsOf returns all that a person has chosen.
func (tx *Tx) NoticePrefsOf(ctx context.Context, personID int64) ([]domain.NoticePref, error) {
	return list(ctx, tx, "preference", scanNoticePref,
		"SELECT person_id, federation_id, kind, mode FROM notice_pref WHERE person_id = $1 ORDER BY federation_id, kind", personID)
}

// PutNoticePref keeps what a person has chosen for a kind of notice.
func (tx *Tx) PutNoticePref(ctx context.Context, p domain.NoticePref) error {
	return tx.exec(ctx, "preference", `INSERT INTO notice_pref (person_id, federation_id, kind, mode) VALUES ($1, $2, $3, $4)
		ON CONFLICT (person_id, federation_id, kind) DO UPDATE SET mode = excluded.mode`, p.PersonID, p.FederationID, string(p.Kind),
		string(p.Mode))
}

// InsertNoticeItem lets a notice wait to be mailed to a person; one that waits already is left as it is.
func (tx *Tx) InsertNoticeItem(ctx context.Context, v domain.NoticeItem) error {
	return tx.exec(ctx, "notice", `INSERT INTO notice_item (person_id, notice_id, due_at, daily) VALUES ($1, $2, $3, $4)
		ON CONFLICT (person_id, notice_id) DO NOTHING`, v.PersonID, v.Notice.ID, millis(v.DueAt), bit(v.Daily))
}

// aboutDeleted is what notices about deleted runs are about; about purged ones there are none. See [domain.AboutRun].
const aboutDeleted = "(SELECT 'run:' || r.id FROM run r WHERE r.deleted_at > 0 AND r.purged_at = 0)"

// AboutDeletedRun reports whether a notice is about a run that is deleted.
func (tx *Tx) AboutDeletedRun(ctx context.Context, n domain.Notice) (bool, error) {
	return get(ctx, tx, "run", func(s scanner) (is bool, err error) { return is, s.Scan(&is) },
		"SELECT CAST($1 AS TEXT) IN "+aboutDeleted, n.About)
}

// PeopleDueNotices returns up to n people for whom a notice is due.
func (tx *Tx) PeopleDueNotices(ctx context.Context, now time.Time, n int) ([]int64, error) {
	return list(ctx, tx, "notice", func(s scanner) (id int64, err error) { return id, s.Scan(&id) },
		"SELECT person_id FROM notice_item WHERE due_at <= $1 GROUP BY person_id ORDER BY MIN(due_at), person_id LIMIT CAST($2 AS BIGINT)",
		millis(now), limit(n))
}

// DueNotices returns up to n notices that are due for a person, in the order in which they were written; none about a deleted run.
func (tx *Tx) DueNotices(ctx context.Context, personID int64, now time.Time, n int) ([]domain.NoticeItem, error) {
	return list(ctx, tx, "notice", func(s scanner) (v domain.NoticeItem, err error) {
		var due, daily int64
		v.Notice, err = scanNotice(s, &v.PersonID, &due, &daily)
		v.DueAt, v.Daily = moment(due), daily == 1
		return v, err
	}, "SELECT "+prefixed("n", noticeColumns)+`, i.person_id, i.due_at, i.daily FROM notice_item i JOIN notice n ON n.id = i.notice_id
		WHERE i.person_id = $1 AND i.due_at <= $2 AND n.about NOT IN `+aboutDeleted+" ORDER BY n.id LIMIT CAST($3 AS BIGINT)",
		personID, millis(now), limit(n))
}

// CountDueNotices counts the notices that [Tx.DueNotices] returns without a limit.
func (tx *Tx) CountDueNotices(ctx context.Context, personID int64, now time.Time) (int, error) {
	return get(ctx, tx, "notice", func(s scanner) (n int, err error) { return n, s.Scan(&n) },
		`SELECT COUNT(*) FROM notice_item i JOIN notice n ON n.id = i.notice_id
		WHERE i.person_id = $1 AND i.due_at <= $2 AND n.about NOT IN `+aboutDeleted, personID, millis(now))
}

// DropDueNotices ends the waiting of all notices that are due for a person.
func (tx *Tx) DropDueNotices(ctx context.Context, personID int64, now time.Time) error {
	return tx.exec(ctx, "notice", "DELETE FROM notice_item WHERE person_id = $1 AND due_at <= $2", personID, millis(now))
}

// PostponeNotices lets the notices that are due for a person wait until a moment.
func (tx *Tx) PostponeNotices(ctx context.Context, personID int64, now, until time.Time) error {
	return tx.exec(ctx, "notice", "UPDATE notice_item SET due_at = $3 WHERE person_id = $1 AND due_at <= $2", personID, millis(now),
		millis(until))
}

// NoticeMeter returns how many notification mails a person got lately; the zero count where none.
func (tx *Tx) NoticeMeter(ctx context.Context, personID int64) (domain.NoticeMeter, error) {
	m, err := get(ctx, tx, "meter", func(s scanner) (m domain.NoticeMeter, err error) {
		var since int64
		err = s.Scan(&m.PersonID, &since, &m.Mails)
		m.Since = moment(since)
		return m, err
	}, "SELECT person_id, since, mails FROM notice_meter WHERE person_id = $1", personID)
	if domain.CodeOf(err) == domain.NotFound {
		return domain.NoticeMeter{PersonID: personID}, nil
	}
	return m, err
}

// PutNoticeMeter keeps how many notification mails a person got.
func (tx *Tx) PutNoticeMeter(ctx context.Context, m domain.NoticeMeter) error {
	return tx.exec(ctx, "meter", `INSERT INTO notice_meter (person_id, since, mails) VALUES ($1, $2, $3)
		ON CONFLICT (person_id) DO UPDATE SET since = excluded.since, mails = excluded.mails`, m.PersonID, millis(m.Since), m.Mails)
}

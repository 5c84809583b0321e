package store

import (
	"context"
	"time"

	"blossomtune/internal/domain"
)

const participantColumns = `run_id, request_id, node_id, person_id, name, organisation, partition_id, partitions, fingerprint, online,
	joined_at, asked_at, taken_at, contributed_at, failed_at`

func scanParticipant(s scanner) (p domain.RunParticipant, err error) {
	var node, online, joined, asked, taken, contributed, failed int64
	err = s.Scan(&p.RunID, &p.RequestID, &node, &p.PersonID, &p.Name, &p.Organisation, &p.Partition, &p.Partitions, &p.Fingerprint, &online,
		&joined, &asked, &taken, &contributed, &failed)
	p.NodeID, p.Online = uint64(node), online == 1
	p.JoinedAt, p.AskedAt, p.TakenAt, p.ContributedAt, p.FailedAt =
		moment(joined), moment(asked), moment(taken), moment(contributed), moment(failed)
	return p, err
}

// RunParticipants returns the participants of a run as they were then, by partition.
func (tx *Tx) RunParticipants(ctx context.Context, runID int64) ([]domain.RunParticipant, error) {
	return list(ctx, tx, "participant", scanParticipant,
		"SELECT "+participantColumns+" FROM run_participant WHERE run_id = $1 ORDER BY partition_id, joined_at, request_id, node_id", runID)
}

// ParticipantPage returns up to n of the participants that follow a place in the order of [Tx.RunParticipants]; nil for the first ones.
func (tx *Tx) ParticipantPage(ctx context.Context, runID int64, after *domain.ParticipantPlace, n int) ([]domain.RunParticipant, error) {
	at, is := domain.ParticipantPlace{}, 0
	if after != nil {
		at, is = *after, 1
	}
	return list(ctx, tx, "participant", scanParticipant, "SELECT "+participantColumns+` FROM run_participant WHERE run_id = $1
		AND (CAST($2 AS BIGINT) = 0 OR (partition_id, joined_at, request_id, node_id) > (CAST($3 AS BIGINT), CAST($4 AS BIGINT),
		CAST($5 AS BIGINT), CAST($6 AS BIGINT)))
		ORDER BY partition_id, joined_at, request_id, node_id LIMIT CAST($7 AS BIGINT)`,
		runID, is, at.Partition, at.JoinedAt, at.RequestID, int64(at.NodeID), limit(n))
}

// CountPeople sums the participants of a run up.
func (tx *Tx) CountPeople(ctx context.Context, runID int64) (domain.PeopleCount, error) {
	return get(ctx, tx, "participant", func(s scanner) (c domain.PeopleCount, err error) {
		return c, s.Scan(&c.Lines, &c.Enrolled, &c.Online, &c.Asked, &c.Contributed)
	}, `SELECT COUNT(*), COUNT(DISTINCT request_id), COALESCE(SUM(online), 0), COALESCE(SUM(CASE WHEN asked_at > 0 THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN contributed_at > 0 THEN 1 ELSE 0 END), 0) FROM run_participant WHERE run_id = $1`, runID)
}

// RunPartitions returns which partition each SuperNode of a run had: only the node IDs and partitions of [Tx.RunParticipants].
func (tx *Tx) RunPartitions(ctx context.Context, runID int64) ([]domain.RunParticipant, error) {
	return list(ctx, tx, "participant", func(s scanner) (p domain.RunParticipant, err error) {
		var node int64
		err = s.Scan(&node, &p.Partition)
		p.NodeID = uint64(node)
		return p, err
	}, "SELECT node_id, partition_id FROM run_participant WHERE run_id = $1 AND node_id <> 0 "+
		"ORDER BY partition_id, joined_at, request_id, node_id", runID)
}

// RunContributors returns the first n participants of a run who gave a reply without an error, by partition.
func (tx *Tx) RunContributors(ctx context.Context, runID int64, n int) ([]domain.NoticeNode, error) {
	return list(ctx, tx, "participant", func(s scanner) (v domain.NoticeNode, err error) { return v, s.Scan(&v.Partition, &v.Name) },
		`SELECT partition_id, name FROM run_participant WHERE run_id = $1 AND contributed_at > 0
		GROUP BY partition_id, name ORDER BY partition_id, name LIMIT CAST($2 AS BIGINT)`, runID, limit(n))
}

// enrolled selects a federation's approved requests ($1) that a run ($2) has not noted with the SuperNode that they have now.
const enrolled = ` FROM request q JOIN federation f ON f.id = q.federation_id LEFT JOIN node_key k ON k.request_id = q.id
	AND k.revoked_at = 0
	WHERE q.federation_id = $1 AND q.state = 'approved' AND NOT EXISTS (SELECT 1 FROM run_participant p
		WHERE p.run_id = $2 AND p.request_id = q.id AND (p.node_id = COALESCE(k.node_id, 0) OR COALESCE(k.node_id, 0) = 0))`

// EnrolParticipants notes with a run who is enrolled in its federation now, and whose SuperNode is online where the run is starting.
// It may be repeated: what is noted stays.
func (tx *Tx) EnrolParticipants(ctx context.Context, run domain.Run, at time.Time) error {
	const key = "FROM node_key k WHERE k.request_id = run_participant.request_id AND k.revoked_at = 0 AND k.node_id <> 0"
	err := tx.exec(ctx, "participant", `UPDATE run_participant SET node_id = (SELECT k.node_id `+key+`), fingerprint = (SELECT k.fingerprint `+
		key+`)
		WHERE run_id = $1 AND node_id = 0 AND EXISTS (SELECT 1 `+key+`)`, run.ID)
	if err != nil {
		return err
	}
	err = tx.exec(ctx, "participant", `INSERT INTO run_participant (`+participantColumns+`)
		SELECT CAST($2 AS BIGINT), q.id, COALESCE(k.node_id, 0), q.person_id, q.name, q.organisation, q.partition_id, f.total_partitions,
		COALESCE(k.fingerprint, ''), 0,
			CAST($3 AS BIGINT), 0, 0, 0, 0`+enrolled, run.FederationID, run.ID, millis(at))
	if err != nil {
		return err
	}
	if !run.RunningAt.IsZero() && !run.RunningAt.Equal(at) {
		return nil // it has started
	}
	return tx.exec(ctx, "participant", `UPDATE run_participant SET online = 1 WHERE run_id = $1 AND online = 0
		AND EXISTS (SELECT 1 FROM node_key k
		WHERE k.request_id = run_participant.request_id AND k.node_id = run_participant.node_id AND k.revoked_at = 0 AND k.suspended_at = 0
		AND k.online = 1)`, run.ID)
}

// Conditions on the exchanges of a participant's SuperNode in the engine run $3 of the federation $1. A subquery with a limit goes
// by the index; PostgreSQL may read every exchange of the run for an EXISTS.
const (
	ofNode      = " FROM exchange e WHERE e.federation_id = $1 AND e.engine_run_id = $3 AND e.node_id = run_participant.node_id"
	goodReply   = " AND e.replied_at <> 0 AND e.failed = 0"
	wasAsked    = "run_participant.asked_at = 0 AND (SELECT 1" + ofNode + " LIMIT 1) IS NOT NULL"
	contributed = "run_participant.contributed_at = 0 AND (SELECT 1" + ofNode + goodReply + " LIMIT 1) IS NOT NULL"
	hasFailed   = `run_participant.failed_at = 0 AND run_participant.node_id IN (
		SELECT e.node_id FROM exchange e WHERE e.federation_id = $1 AND e.engine_run_id = $3 AND e.failed = 1)`
	takenBy = ` FROM exchange e JOIN timing t ON t.federation_id = e.federation_id AND t.engine_run_id = e.engine_run_id
		AND t.message_id = e.message_id
		WHERE e.federation_id = $1 AND e.engine_run_id = $3 AND e.node_id = run_participant.node_id AND t.taken_at > 0`
	hasTaken = `run_participant.taken_at = 0 AND run_participant.asked_at > 0 AND run_participant.contributed_at = 0
		AND run_participant.failed_at = 0
		AND (SELECT 1` + takenBy + ` LIMIT 1) IS NOT NULL`
)

// ParticipantsChanged reports whether [Tx.FollowParticipants] would note anything new.
func (tx *Tx) ParticipantsChanged(ctx context.Context, run domain.Run) (bool, error) {
	yes := func(s scanner) (is bool, err error) { return is, s.Scan(&is) }
	is, err := get(ctx, tx, "participant", yes, "SELECT EXISTS (SELECT 1"+enrolled+")", run.FederationID, run.ID)
	if err != nil || is || run.EngineRunID == 0 {
		return is, err
	}
	return get(ctx, tx, "participant", yes, `SELECT EXISTS (SELECT 1 FROM run_participant WHERE run_id = $2 AND node_id <> 0
		AND (`+wasAsked+" OR "+contributed+" OR "+hasFailed+" OR "+hasTaken+"))", run.FederationID, run.ID, int64(run.EngineRunID))
}

// FollowParticipants notes with a run that has started who came to it since, and what was asked of whom and came back. It may be repeated.
func (tx *Tx) FollowParticipants(ctx context.Context, run domain.Run, at time.Time) error {
	if err := tx.EnrolParticipants(ctx, run, at); err != nil || run.EngineRunID == 0 {
		return err
	}
	return tx.noteReplies(ctx, run)
}

func (tx *Tx) noteReplies(ctx context.Context, run domain.Run) error {
	for _, note := range []struct{ column, value, when string }{
		{"asked_at", "SELECT COALESCE(MIN(NULLIF(e.asked_at, 0)), NULLIF(MAX(e.replied_at), 0), 1)" + ofNode, wasAsked},
		{"taken_at", "SELECT MIN(t.taken_at)" + takenBy, hasTaken},
		{"contributed_at", "SELECT MIN(e.replied_at)" + ofNode + goodReply, contributed},
		{"failed_at", "SELECT COALESCE(NULLIF(MIN(e.replied_at), 0), 1)" + ofNode + " AND e.failed = 1", hasFailed},
	} {
		err := tx.exec(ctx, "participant", "UPDATE run_participant SET "+note.column+" = ("+note.value+
			") WHERE run_id = $2 AND node_id <> 0 AND "+note.when,
			run.FederationID, run.ID, int64(run.EngineRunID))
		if err != nil {
			return err
		}
	}
	return nil
}

// SettleParticipants does [Tx.FollowParticipants] for the last time, notes SuperNodes that were asked and are not known any more, and
// returns how many were asked and how many gave a reply without an error.
func (tx *Tx) SettleParticipants(ctx context.Context, run domain.Run, at time.Time) (asked, gave int, err error) {
	if run.EngineRunID == 0 {
		return 0, 0, nil
	}
	if err = tx.EnrolParticipants(ctx, run, at); err != nil {
		return 0, 0, err
	}
	// From one SuperNode to the next in the index, as in RepliedNodes.
	err = tx.exec(ctx, "participant", `INSERT INTO run_participant (`+participantColumns+`)
		WITH RECURSIVE node(id) AS (
			SELECT MIN(node_id) FROM exchange WHERE federation_id = $1
			UNION ALL SELECT (SELECT MIN(e.node_id) FROM exchange e WHERE e.federation_id = $1 AND e.node_id > node.id) FROM node
			WHERE node.id IS NOT NULL)
		SELECT CAST($2 AS BIGINT), COALESCE(q.id, 0), node.id, COALESCE(q.person_id, 0), COALESCE(q.name, ''), COALESCE(q.organisation, ''),
		COALESCE(k.partition_id, -1), CAST($4 AS BIGINT),
			COALESCE(k.fingerprint, ''), 0, CAST($5 AS BIGINT), 0, 0, 0, 0
		FROM node LEFT JOIN node_key k ON k.federation_id = $1 AND k.node_id = node.id LEFT JOIN request q ON q.id = k.request_id
		WHERE node.id <> 0 AND (SELECT 1 FROM exchange e WHERE e.federation_id = $1 AND e.node_id = node.id AND e.engine_run_id = $3
		LIMIT 1) IS NOT NULL
			AND NOT EXISTS (SELECT 1 FROM run_participant p WHERE p.run_id = $2 AND p.node_id = node.id)`,
		run.FederationID, run.ID, int64(run.EngineRunID), run.TotalPartitions, millis(at))
	if err != nil {
		return 0, 0, err
	}
	if err := tx.noteReplies(ctx, run); err != nil {
		return 0, 0, err
	}
	n, err := get(ctx, tx, "participant", func(s scanner) (n [2]int, err error) { return n, s.Scan(&n[0], &n[1]) },
		`SELECT COALESCE(SUM(CASE WHEN asked_at > 0 THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN contributed_at > 0 THEN 1 ELSE 0 END), 0)
		FROM run_participant WHERE run_id = $1`, run.ID)
	return n[0], n[1], err
}

// RunsAsking returns the newest runs in which the SuperNode of a request was asked, with the request's part in each.
func (tx *Tx) RunsAsking(ctx context.Context, requestID int64, n int) ([]domain.RunPartOf, error) {
	return list(ctx, tx, "run", func(s scanner) (v domain.RunPartOf, err error) {
		var taken, contributed, failed int64
		v.Run, err = scanRun(also{s, []any{&taken, &contributed, &failed}})
		v.Part = domain.RunParticipant{RunID: v.Run.ID, RequestID: requestID, TakenAt: moment(taken), ContributedAt: moment(contributed),
			FailedAt: moment(failed)}
		return v, err
	}, "SELECT "+prefixed("r", runColumns)+`, p.taken, p.contributed, p.failed FROM run r JOIN (
			SELECT run_id, MAX(taken_at) AS taken, MAX(contributed_at) AS contributed, MAX(failed_at) AS failed FROM run_participant
			WHERE request_id = $1 AND asked_at > 0 GROUP BY run_id ORDER BY run_id DESC LIMIT CAST($2 AS BIGINT)) p ON p.run_id = r.id
		WHERE r.deleted_at = 0 ORDER BY r.id DESC`, requestID, limit(n))
}

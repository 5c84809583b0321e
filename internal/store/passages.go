package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

// SaveTimings stores what the gateway saw: of each time the first that is known (of the last object the last), and adds the bytes.
func (tx *Tx) SaveTimings(ctx context.Context, ts []domain.Timing) error {
	for _, t := range ts {
		err := tx.exec(ctx, "timing", `INSERT INTO timing (federation_id, engine_run_id, message_id, node_id, taken_at, get_at, got_at, put_at,
				sent_at, reply_object, bytes_up, bytes_down)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
			ON CONFLICT (federation_id, engine_run_id, message_id) DO UPDATE SET
				taken_at = CASE WHEN timing.taken_at = 0 THEN excluded.taken_at ELSE timing.taken_at END,
				get_at = CASE WHEN timing.get_at = 0 THEN excluded.get_at ELSE timing.get_at END,
				got_at = CASE WHEN timing.got_at = 0 THEN excluded.got_at ELSE timing.got_at END,
				put_at = CASE WHEN timing.put_at = 0 THEN excluded.put_at ELSE timing.put_at END,
				sent_at = CASE WHEN excluded.sent_at > timing.sent_at THEN excluded.sent_at ELSE timing.sent_at END,
				reply_object = CASE WHEN excluded.reply_object = '' THEN timing.reply_object ELSE excluded.reply_object END,
				bytes_up = timing.bytes_up + excluded.bytes_up, bytes_down = timing.bytes_down + excluded.bytes_down`,
			t.FederationID, int64(t.EngineRunID), t.MessageID, int64(t.NodeID), millis(t.TakenAt), millis(t.GetAt), millis(t.GotAt), millis(t.PutAt),
			millis(t.SentAt), t.Reply, t.Up, t.Down)
		if err != nil {
			return err
		}
		if t.Up == 0 && t.Down == 0 {
			continue
		}
		err = tx.exec(ctx, "traffic", `INSERT INTO traffic (federation_id, engine_run_id, node_id, bytes_up, bytes_down)
			VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (federation_id, engine_run_id, node_id) DO UPDATE
			SET bytes_up = traffic.bytes_up + excluded.bytes_up, bytes_down = traffic.bytes_down + excluded.bytes_down`,
			t.FederationID, int64(t.EngineRunID), int64(t.NodeID), t.Up, t.Down)
		if err != nil {
			return err
		}
	}
	return nil
}

// Traffic returns what went to and from each SuperNode because of a run.
func (tx *Tx) Traffic(ctx context.Context, fedID int64, engineRunID uint64) ([]domain.Traffic, error) {
	return list(ctx, tx, "traffic", func(s scanner) (t domain.Traffic, err error) {
		var node int64
		err = s.Scan(&node, &t.Up, &t.Down)
		t.NodeID = uint64(node)
		return t, err
	}, "SELECT node_id, bytes_up, bytes_down FROM traffic WHERE federation_id = $1 AND engine_run_id = $2 ORDER BY node_id", fedID,
		int64(engineRunID))
}

// Passages returns the exchanges of one round with what the gateway saw of them, by the time of asking.
func (tx *Tx) Passages(ctx context.Context, fedID int64, engineRunID uint64, round int) ([]domain.Passage, error) {
	return list(ctx, tx, "exchange", func(s scanner) (p domain.Passage, err error) {
		var t [5]int64
		p.Exchange, err = scanExchange(s, &t[0], &t[1], &t[2], &t[3], &t[4])
		p.TakenAt, p.GetAt, p.GotAt, p.PutAt, p.SentAt = moment(t[0]), moment(t[1]), moment(t[2]), moment(t[3]), moment(t[4])
		return p, err
	}, `SELECT e.federation_id, e.engine_run_id, e.message_id, e.round, e.phase, e.node_id, e.asked_at, e.replied_at, e.failed, e.error,
			COALESCE(t.taken_at, 0), COALESCE(t.get_at, 0), COALESCE(t.got_at, 0), COALESCE(t.put_at, 0), COALESCE(t.sent_at, 0)
		FROM exchange e LEFT JOIN timing t ON t.federation_id = e.federation_id AND t.engine_run_id = e.engine_run_id
		AND t.message_id = e.message_id
		WHERE e.federation_id = $1 AND e.engine_run_id = $2 AND e.round = $3
		ORDER BY e.asked_at, e.node_id, e.message_id`, fedID, int64(engineRunID), round)
}

// LastRound returns the newest round in which somebody was asked; 0 before the first.
func (tx *Tx) LastRound(ctx context.Context, fedID int64, engineRunID uint64) (n int, err error) {
	row := tx.q.QueryRowContext(ctx, "SELECT COALESCE(MAX(round), 0) FROM exchange WHERE federation_id = $1 AND engine_run_id = $2", fedID,
		int64(engineRunID))
	if err = row.Scan(&n); err != nil {
		err = fmt.Errorf("reading rounds: %w", err)
	}
	return n, err
}

// WaitingAmong returns which of some SuperNodes were asked in a round and have not replied.
func (tx *Tx) WaitingAmong(ctx context.Context, fedID int64, engineRunID uint64, round int, nodes []uint64) ([]uint64, error) {
	if len(nodes) == 0 {
		return nil, nil
	}
	var w where
	w.add("federation_id = ?", fedID)
	w.add("engine_run_id = ?", int64(engineRunID))
	w.add("round = ?", round)
	ids := make([]int64, len(nodes))
	for i, id := range nodes {
		ids[i] = int64(id)
	}
	in(&w, "node_id", ids)
	return list(ctx, tx, "exchange", scanNode, "SELECT DISTINCT node_id FROM exchange"+w.String()+" AND replied_at = 0", w.args...)
}

func scanNode(s scanner) (uint64, error) {
	var id int64
	err := s.Scan(&id)
	return uint64(id), err
}

// RoundStarts returns when some rounds began; those that have not are missing.
func (tx *Tx) RoundStarts(ctx context.Context, fedID int64, engineRunID uint64, rounds []int) (map[int]time.Time, error) {
	if len(rounds) == 0 {
		return nil, nil
	}
	args, places := []any{fedID, int64(engineRunID)}, make([]string, len(rounds))
	for i, n := range rounds {
		args, places[i] = append(args, n), fmt.Sprintf("(CAST($%d AS BIGINT))", i+3)
	}
	type start struct{ round, at int64 }
	starts, err := list(ctx, tx, "round", func(s scanner) (r start, err error) { return r, s.Scan(&r.round, &r.at) },
		// One look into an index for each, however many were asked in the round.
		"WITH wanted(n) AS (VALUES "+strings.Join(places, ", ")+`) SELECT n, at FROM (
			SELECT n, (SELECT asked_at FROM exchange WHERE federation_id = $1 AND engine_run_id = $2 AND round = n ORDER BY phase DESC
			LIMIT 1) AS at FROM wanted) AS began
		WHERE at IS NOT NULL`, args...)
	out := map[int]time.Time{}
	for _, r := range starts {
		out[int(r.round)] = moment(r.at)
	}
	return out, err
}

// RoundSpans returns when the rounds from one on began and had their last reply.
func (tx *Tx) RoundSpans(ctx context.Context, fedID int64, engineRunID uint64, from int) ([]domain.RoundSpan, error) {
	return list(ctx, tx, "round", scanSpan, "SELECT round, MIN(asked_at), MAX(replied_at) FROM exchange WHERE federation_id = $1 "+
		"AND engine_run_id = $2 AND round >= $3 GROUP BY round ORDER BY round", fedID, int64(engineRunID), from)
}

func scanSpan(s scanner) (r domain.RoundSpan, err error) {
	var first, last int64
	err = s.Scan(&r.Round, &first, &last)
	r.FirstAsk, r.LastReply = moment(first), moment(last)
	return r, err
}

// cells by the rank that the query below gives them.
var cells = map[int]domain.Cell{1: domain.CellEvaluated, 2: domain.CellTrained, 3: domain.CellAsked, 5: domain.CellNoReply,
	6: domain.CellFailed}

// Participation tells the worst that happened to each of some SuperNodes in each bin of size rounds, the first being from round 1
// on. A round before open in which one did not reply counts as one without a reply.
func (tx *Tx) Participation(ctx context.Context, fedID int64, engineRunID uint64, nodes []uint64, size,
	open int) (map[uint64]map[int]domain.Cell, error) {
	out := map[uint64]map[int]domain.Cell{}
	for _, node := range nodes { // all that is read of each is in an index, side by side
		of := map[int]domain.Cell{}
		out[node] = of
		rows, err := list(ctx, tx, "exchange", func(s scanner) (r [2]int, err error) { return r, s.Scan(&r[0], &r[1]) },
			`SELECT bin, MAX(worst) FROM (
				SELECT (round - 1) / CAST($4 AS BIGINT) AS bin, CASE WHEN MAX(failed) = 1 THEN 6 WHEN MIN(replied_at) = 0 AND MAX(round) < $5 THEN 5
				WHEN MIN(replied_at) = 0 THEN 3
					WHEN MAX(CASE WHEN phase = 'evaluate' THEN 1 ELSE 0 END) = 1 THEN 1 ELSE 2 END AS worst
				FROM exchange WHERE federation_id = $1 AND engine_run_id = $2 AND node_id = $3 AND round > 0 GROUP BY round
			) AS rounds GROUP BY bin`, fedID, int64(engineRunID), int64(node), size, open)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			of[r[0]] = cells[r[1]]
		}
	}
	return out, nil
}

// keptPresence is how many comings and goings of one SuperNode are kept.
const keptPresence = 1000

// InsertPresence notes that a SuperNode came or went.
func (tx *Tx) InsertPresence(ctx context.Context, p domain.Presence) error {
	err := tx.exec(ctx, "presence", "INSERT INTO presence (federation_id, node_id, at, online) VALUES ($1, $2, $3, $4) "+
		"ON CONFLICT (federation_id, node_id, at) DO UPDATE SET online = excluded.online",
		p.FederationID, int64(p.NodeID), millis(p.At), bit(p.Online))
	if err != nil {
		return err
	}
	return tx.exec(ctx, "presence", `DELETE FROM presence WHERE federation_id = $1 AND node_id = $2 AND at <= (
		SELECT at FROM presence WHERE federation_id = $1 AND node_id = $2 ORDER BY at DESC
		LIMIT 1 OFFSET $3)`, p.FederationID, int64(p.NodeID), keptPresence)
}

// Presences returns when some SuperNodes came and went, each in the order of time.
func (tx *Tx) Presences(ctx context.Context, fedID int64, nodes []uint64) (map[uint64][]domain.Presence, error) {
	out := map[uint64][]domain.Presence{}
	for _, node := range nodes {
		ps, err := list(ctx, tx, "presence", func(s scanner) (p domain.Presence, err error) {
			var at, online int64
			err = s.Scan(&at, &online)
			return domain.Presence{FederationID: fedID, NodeID: node, At: moment(at), Online: online == 1}, err
		}, "SELECT at, online FROM presence WHERE federation_id = $1 AND node_id = $2 ORDER BY at", fedID, int64(node))
		if err != nil {
			return nil, err
		}
		out[node] = ps
	}
	return out, nil
}

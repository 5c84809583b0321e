package store

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strings"

	"blossomtune/internal/domain"
)

// Record stores what was observed of a run, in one transaction. It is all that a keeper writes. What comes again, because an answer
// got lost, changes nothing.
func (db *DB) Record(ctx context.Context, o domain.Observation) error {
	return db.InTx(ctx, func(tx *Tx) error {
		o := o
		o.Metrics = slices.Clone(o.Metrics) // they are renamed, and fn may run again
		known, err := tx.replied(ctx, o.Exchanges)
		if err != nil {
			return err
		}
		if err := tx.UpsertExchanges(ctx, o.Exchanges); err != nil {
			return err
		}
		if len(o.Metrics) == 0 && o.Dropped == 0 {
			return nil
		}
		if err := tx.nameMetrics(ctx, &o); err != nil {
			return err
		}
		added, over, err := tx.insertBounded(ctx, o)
		if err != nil || added == 0 && known {
			return err
		}
		dropped := int64(o.Dropped + over)
		if known {
			dropped = 0
		}
		return tx.exec(ctx, "metric meter", `INSERT INTO metric_meter (federation_id, engine_run_id, kept, dropped, log_dropped, rolled) VALUES ($1, $2, $3, $4, 0, 0)
			ON CONFLICT (federation_id, engine_run_id) DO UPDATE SET kept = metric_meter.kept + excluded.kept, dropped = metric_meter.dropped + excluded.dropped`,
			o.FederationID, int64(o.EngineRunID), added, dropped)
	})
}

// replied reports whether a reply of an observation, all of whose exchanges are of one run, is stored already.
func (tx *Tx) replied(ctx context.Context, es []domain.Exchange) (bool, error) {
	es = slices.DeleteFunc(slices.Clone(es), func(e domain.Exchange) bool { return e.RepliedAt.IsZero() })
	for part := range slices.Chunk(es, exchangesAtOnce) {
		args := []any{part[0].FederationID, int64(part[0].EngineRunID)}
		var in strings.Builder
		for i, e := range part {
			if i > 0 {
				in.WriteString(", ")
			}
			args = append(args, e.MessageID)
			fmt.Fprintf(&in, "$%d", len(args))
		}
		n, err := get(ctx, tx, "exchange", func(s scanner) (n int, err error) { return n, s.Scan(&n) },
			"SELECT COUNT(*) FROM exchange WHERE federation_id = $1 AND engine_run_id = $2 AND message_id IN ("+in.String()+") AND replied_at <> 0", args...)
		if err != nil || n > 0 {
			return n > 0, err
		}
	}
	return false, nil
}

// insertBounded stores an observation's metrics up to [domain.MaxMetrics] of the run, and tells how many were new and how many over.
func (tx *Tx) insertBounded(ctx context.Context, o domain.Observation) (added, over int, err error) {
	kept, err := get(ctx, tx, "metric meter", func(s scanner) (n int64, err error) { return n, s.Scan(&n) },
		"SELECT COALESCE(MAX(kept), 0) FROM metric_meter WHERE federation_id = $1 AND engine_run_id = $2", o.FederationID, int64(o.EngineRunID))
	if err != nil {
		return 0, 0, err
	}
	ms := o.Metrics
	if room := max(maxMetrics-kept, 0); int64(len(ms)) > room {
		ms, over = ms[:room], len(ms)-int(room)
	}
	added, err = tx.InsertMetrics(ctx, ms)
	return added, over, err
}

// maxMetrics is a variable for tests.
var maxMetrics int64 = domain.MaxMetrics

// NoteLogDropped stores how many of the log's metrics were left out since its first line.
func (tx *Tx) NoteLogDropped(ctx context.Context, fedID int64, engineRunID uint64, n int) error {
	return tx.exec(ctx, "metric meter", `INSERT INTO metric_meter (federation_id, engine_run_id, kept, dropped, log_dropped, rolled) VALUES ($1, $2, 0, 0, $3, 0)
		ON CONFLICT (federation_id, engine_run_id) DO UPDATE SET log_dropped = excluded.log_dropped`, fedID, int64(engineRunID), n)
}

// InsertMetrics stores metrics, each (round, phase, node, name) of a run once, and returns how many were new.
func (tx *Tx) InsertMetrics(ctx context.Context, ms []domain.Metric) (int, error) {
	added := 0
	var people []domain.Metric
	for _, m := range ms {
		if m.NodeID != 0 {
			people = append(people, m)
			continue
		}
		n, err := tx.insertMetrics(ctx, []domain.Metric{m})
		if err == nil && n == 1 {
			err = tx.summarise(ctx, m)
		}
		if err != nil {
			return added, err
		}
		added += n
	}
	for len(people) > 0 {
		n, err := tx.insertMetrics(ctx, people[:min(len(people), metricsAtOnce)])
		if err != nil {
			return added, err
		}
		added, people = added+n, people[min(len(people), metricsAtOnce):]
	}
	return added, nil
}

const metricsAtOnce = 100

func (tx *Tx) insertMetrics(ctx context.Context, ms []domain.Metric) (int, error) {
	var q strings.Builder
	q.WriteString("INSERT INTO metric (federation_id, engine_run_id, round, phase, node_id, name, value, at) VALUES ")
	args := make([]any, 0, 8*len(ms))
	for i, m := range ms {
		if i > 0 {
			q.WriteString(", ")
		}
		n := len(args)
		fmt.Fprintf(&q, "($%d, $%d, $%d, $%d, $%d, $%d, $%d, $%d)", n+1, n+2, n+3, n+4, n+5, n+6, n+7, n+8)
		args = append(args, m.FederationID, int64(m.EngineRunID), m.Round, string(m.Phase), int64(m.NodeID), m.Name, nullNaN(m.Value), millis(m.At))
	}
	q.WriteString(" ON CONFLICT (federation_id, engine_run_id, round, phase, node_id, name) DO NOTHING")
	res, err := tx.q.ExecContext(ctx, q.String(), args...)
	if err != nil {
		return 0, fmt.Errorf("writing metrics: %w", err)
	}
	n, err := res.RowsAffected()
	return int(n), err
}

const metricColumns = "id, federation_id, engine_run_id, round, phase, node_id, name, value, at"

func scanMetric(s scanner) (m domain.Metric, err error) {
	var engine, node, at int64
	var value sql.NullFloat64
	err = s.Scan(&m.ID, &m.FederationID, &engine, &m.Round, &m.Phase, &node, &m.Name, &value, &at)
	m.EngineRunID, m.NodeID, m.Value, m.At = uint64(engine), uint64(node), value.Float64, moment(at)
	if !value.Valid {
		m.Value = math.NaN()
	}
	return m, err
}

// Metrics returns a run's metrics with an id above afterID, by id; at most most of them, or all with 0.
func (tx *Tx) Metrics(ctx context.Context, fedID int64, engineRunID uint64, afterID int64, most int) ([]domain.Metric, error) {
	if most <= 0 {
		most = math.MaxInt32
	}
	return list(ctx, tx, "metric", scanMetric, "SELECT "+metricColumns+" FROM metric WHERE federation_id = $1 AND engine_run_id = $2 AND id > $3 ORDER BY id LIMIT $4",
		fedID, int64(engineRunID), afterID, most)
}

const exchangesAtOnce = 100

// UpsertExchanges stores what was asked of SuperNodes, and completes it with the replies.
func (tx *Tx) UpsertExchanges(ctx context.Context, es []domain.Exchange) error {
	for len(es) > 0 {
		n, seen := 0, map[string]bool{} // one statement changes no row twice
		for n < min(len(es), exchangesAtOnce) && !seen[es[n].MessageID] {
			seen[es[n].MessageID] = true
			n++
		}
		if err := tx.upsertExchanges(ctx, es[:n]); err != nil {
			return err
		}
		es = es[n:]
	}
	return nil
}

func (tx *Tx) upsertExchanges(ctx context.Context, es []domain.Exchange) error {
	var rows strings.Builder
	args := make([]any, 0, 11*len(es))
	for i, e := range es {
		if i > 0 {
			rows.WriteString(", ")
		}
		n := len(args)
		fmt.Fprintf(&rows, "($%d, $%d, $%d, $%d, $%d, $%d, $%d, $%d, $%d, $%d, $%d)", n+1, n+2, n+3, n+4, n+5, n+6, n+7, n+8, n+9, n+10, n+11)
		args = append(args, e.FederationID, int64(e.EngineRunID), e.MessageID, e.Round, string(e.Phase), int64(e.NodeID), millis(e.AskedAt), millis(e.RepliedAt), bit(e.Failed), e.Error, e.ReplyObject)
	}
	return tx.exec(ctx, "exchange", `INSERT INTO exchange (federation_id, engine_run_id, message_id, round, phase, node_id, asked_at, replied_at, failed, error, reply_object) VALUES `+rows.String()+`
			ON CONFLICT (federation_id, engine_run_id, message_id) DO UPDATE SET
				reply_object = CASE WHEN exchange.replied_at = 0 THEN excluded.reply_object ELSE exchange.reply_object END,
				replied_at = CASE WHEN exchange.replied_at = 0 THEN excluded.replied_at ELSE exchange.replied_at END,
				failed = CASE WHEN exchange.replied_at = 0 THEN excluded.failed ELSE exchange.failed END,
				error = CASE WHEN exchange.replied_at = 0 THEN excluded.error ELSE exchange.error END`, args...)
}

func scanExchange(s scanner, more ...any) (e domain.Exchange, err error) {
	var engine, node, asked, replied, failed int64
	err = s.Scan(append([]any{&e.FederationID, &engine, &e.MessageID, &e.Round, &e.Phase, &node, &asked, &replied, &failed, &e.Error}, more...)...)
	e.EngineRunID, e.NodeID, e.AskedAt, e.RepliedAt, e.Failed = uint64(engine), uint64(node), moment(asked), moment(replied), failed == 1
	return e, err
}

func scanPlainExchange(s scanner) (domain.Exchange, error) { return scanExchange(s) }

// AnyExchange reports whether anything was asked of a SuperNode in a run.
func (tx *Tx) AnyExchange(ctx context.Context, fedID int64, engineRunID uint64) (bool, error) {
	return get(ctx, tx, "exchange", func(s scanner) (any bool, err error) { return any, s.Scan(&any) },
		"SELECT EXISTS (SELECT 1 FROM exchange WHERE federation_id = $1 AND engine_run_id = $2)", fedID, int64(engineRunID))
}

// Part returns what a SuperNode has taken part in: a round counts when a reply of its came and was no error. Deleted runs do not count.
func (tx *Tx) Part(ctx context.Context, fedID int64, nodeID uint64) (domain.Part, error) {
	return get(ctx, tx, "part", func(s scanner) (p domain.Part, err error) { return p, s.Scan(&p.Rounds, &p.Runs) },
		`SELECT COUNT(*), COUNT(DISTINCT engine_run_id) FROM (SELECT DISTINCT engine_run_id, round FROM exchange
		WHERE federation_id = $1 AND node_id = $2 AND replied_at > 0 AND failed = 0) AS taken
		WHERE NOT EXISTS (SELECT 1 FROM run r WHERE r.federation_id = $1 AND r.engine_run_id = taken.engine_run_id AND r.deleted_at > 0)`,
		fedID, int64(nodeID))
}

// NewestContributions returns what a SuperNode contributed to the newest n rounds in which something was asked of it, over all runs but
// deleted ones, the newest first.
func (tx *Tx) NewestContributions(ctx context.Context, fedID int64, nodeID uint64, n int) ([]domain.Contribution, error) {
	return list(ctx, tx, "exchange", func(s scanner) (c domain.Contribution, err error) {
		var at int64
		err = s.Scan(&c.Run, &c.Round, &at, &c.Replies, &c.Errors, &c.Up, &c.Down)
		c.AskedAt = moment(at)
		return c, err
	}, fmt.Sprintf(`WITH newest AS (SELECT engine_run_id, round, MAX(asked_at) AS at FROM exchange WHERE federation_id = $1 AND node_id = $2
			GROUP BY engine_run_id, round
			HAVING NOT EXISTS (SELECT 1 FROM run d WHERE d.federation_id = $1 AND d.engine_run_id = exchange.engine_run_id AND d.deleted_at > 0)
			ORDER BY MAX(asked_at) DESC, engine_run_id, round DESC LIMIT %d)
		SELECT r.name, n.round, n.at, SUM(CASE WHEN e.replied_at > 0 AND e.failed = 0 THEN 1 ELSE 0 END), SUM(e.failed),
			SUM(COALESCE(t.bytes_up, 0)), SUM(COALESCE(t.bytes_down, 0))
		FROM newest n JOIN run r ON r.federation_id = $1 AND r.engine_run_id = n.engine_run_id
			JOIN exchange e ON e.federation_id = $1 AND e.node_id = $2 AND e.engine_run_id = n.engine_run_id AND e.round = n.round
			LEFT JOIN timing t ON t.federation_id = $1 AND t.engine_run_id = e.engine_run_id AND t.message_id = e.message_id
		GROUP BY r.name, n.engine_run_id, n.round, n.at ORDER BY n.at DESC, n.engine_run_id, n.round DESC`, limit(n)), fedID, int64(nodeID))
}

// newestRound is the query of the round in which a run asked last: the highest of those asked at that time.
func newestRound(fedID, engineRunID string) string {
	return "SELECT round FROM exchange WHERE federation_id = " + fedID + " AND engine_run_id = " + engineRunID + " ORDER BY asked_at DESC, round DESC LIMIT 1"
}

// NewestExchanges returns the exchanges of the round in which a run asked last, by node. That need not be its highest round: an app
// with several phases may count from 1 again.
func (tx *Tx) NewestExchanges(ctx context.Context, fedID int64, engineRunID uint64) ([]domain.Exchange, error) {
	last, err := get(ctx, tx, "exchange", func(s scanner) (n int, err error) { return n, s.Scan(&n) },
		"SELECT COALESCE(("+newestRound("$1", "$2")+"), 0)", fedID, int64(engineRunID))
	if err != nil {
		return nil, err
	}
	return list(ctx, tx, "exchange", scanPlainExchange, `SELECT federation_id, engine_run_id, message_id, round, phase, node_id, asked_at, replied_at, failed, error
		FROM exchange WHERE federation_id = $1 AND engine_run_id = $2 AND round = $3 ORDER BY +node_id, message_id`, fedID, int64(engineRunID), last) // +: else SQLite goes by an index by SuperNode, through all rounds of all runs
}

// FailedExchanges returns the exchanges of a run whose reply is an error, by round and node, at most 1000.
func (tx *Tx) FailedExchanges(ctx context.Context, fedID int64, engineRunID uint64) ([]domain.Exchange, error) {
	return list(ctx, tx, "exchange", scanPlainExchange, `SELECT federation_id, engine_run_id, message_id, round, phase, node_id, asked_at, replied_at, failed, error
		FROM exchange WHERE federation_id = $1 AND engine_run_id = $2 AND failed = 1 ORDER BY round, node_id, message_id LIMIT 1000`, fedID, int64(engineRunID))
}

// RoundActivity returns when the messages of the round in which a run asked last were sent and answered, as [Tx.NewestExchanges] has them.
func (tx *Tx) RoundActivity(ctx context.Context, fedID int64, engineRunID uint64) (domain.RoundActivity, error) {
	return get(ctx, tx, "exchange", func(s scanner) (a domain.RoundActivity, err error) {
		var began, asked, replied int64
		err = s.Scan(&began, &asked, &replied)
		return domain.RoundActivity{Began: moment(began), Last: moment(max(asked, replied))}, err
	}, `SELECT COALESCE(MIN(NULLIF(asked_at, 0)), 0), COALESCE(MAX(asked_at), 0), COALESCE(MAX(replied_at), 0)
		FROM exchange WHERE federation_id = $1 AND engine_run_id = $2 AND round = (`+newestRound("$1", "$2")+")", fedID, int64(engineRunID))
}

package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"blossomtune/internal/domain"
)

const webhookColumns = "id, federation_id, name, shape, kinds, host, private, paused, sealed, created_by, created_at"

func scanWebhook(s scanner) (w domain.Webhook, err error) {
	var kinds string
	var private, paused, created int64
	err = s.Scan(&w.ID, &w.FederationID, &w.Name, &w.Shape, &kinds, &w.Host, &private, &paused, &w.Sealed, &w.CreatedBy, &created)
	if err != nil {
		return w, err
	}
	w.Private, w.Paused, w.CreatedAt = private == 1, paused == 1, moment(created)
	if err := json.Unmarshal([]byte(kinds), &w.Kinds); err != nil {
		return w, fmt.Errorf("reading the kinds of webhook %d: %w", w.ID, err)
	}
	return w, nil
}

// InsertWebhook adds a webhook and sets its id.
func (tx *Tx) InsertWebhook(ctx context.Context, w *domain.Webhook) error {
	kinds, err := asJSON(w.Kinds)
	if err != nil {
		return err
	}
	return tx.insert(ctx, "webhook", &w.ID,
		`INSERT INTO webhook (federation_id, name, shape, kinds, host, private, paused, sealed, created_by, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		w.FederationID, w.Name, string(w.Shape), kinds, w.Host, bit(w.Private), bit(w.Paused), w.Sealed, w.CreatedBy, millis(w.CreatedAt))
}

// UpdateWebhook writes what can change of a webhook.
func (tx *Tx) UpdateWebhook(ctx context.Context, w domain.Webhook) error {
	kinds, err := asJSON(w.Kinds)
	if err != nil {
		return err
	}
	return tx.one(ctx, "webhook", "UPDATE webhook SET name = $2, kinds = $3, host = $4, private = $5, paused = $6, sealed = $7 WHERE id = $1",
		w.ID, w.Name, kinds, w.Host, bit(w.Private), bit(w.Paused), w.Sealed)
}

// DeleteWebhook removes a webhook with its deliveries.
func (tx *Tx) DeleteWebhook(ctx context.Context, id int64) error {
	if err := tx.exec(ctx, "delivery", "DELETE FROM delivery WHERE webhook_id = $1", id); err != nil {
		return err
	}
	return tx.one(ctx, "webhook", "DELETE FROM webhook WHERE id = $1", id)
}

// WebhookByID returns a webhook.
func (tx *Tx) WebhookByID(ctx context.Context, id int64) (domain.Webhook, error) {
	return get(ctx, tx, "webhook", scanWebhook, "SELECT "+webhookColumns+" FROM webhook WHERE id = $1", id)
}

// Webhooks returns the webhooks of a federation, 0 for those of the instance.
func (tx *Tx) Webhooks(ctx context.Context, fedID int64) ([]domain.Webhook, error) {
	return list(ctx, tx, "webhook", scanWebhook, "SELECT "+webhookColumns+" FROM webhook WHERE federation_id = $1 ORDER BY id", fedID)
}

// InsertDelivery adds a delivery and sets its id.
func (tx *Tx) InsertDelivery(ctx context.Context, d *domain.Delivery) error {
	return tx.insert(ctx, "delivery", &d.ID,
		`INSERT INTO delivery (webhook_id, notice_id, about, state, tries, next_at, status, last_error, took, created_at, sent_at)
		VALUES ($1, $2, $3, $4, 0, $5, 0, '', 0, $6, 0)`, d.WebhookID, d.Notice.ID, d.Notice.About, string(d.State), millis(d.NextAt),
		millis(d.CreatedAt))
}

// UpdateDelivery writes what became of a delivery.
func (tx *Tx) UpdateDelivery(ctx context.Context, d domain.Delivery) error {
	return tx.one(ctx, "delivery",
		"UPDATE delivery SET state = $2, tries = $3, next_at = $4, status = $5, last_error = $6, took = $7, sent_at = $8 WHERE id = $1",
		d.ID, string(d.State), d.Tries, millis(d.NextAt), d.Status, d.LastError, d.Took.Milliseconds(), millis(d.SentAt))
}

const deliveryColumns = "d.id, d.webhook_id, d.state, d.tries, d.next_at, d.status, d.last_error, d.took, d.created_at, d.sent_at"

func scanDelivery(s scanner) (d domain.Delivery, err error) {
	var next, took, created, sent int64
	d.Notice, err = scanNotice(s, &d.ID, &d.WebhookID, &d.State, &d.Tries, &next, &d.Status, &d.LastError, &took, &created, &sent)
	d.NextAt, d.Took, d.CreatedAt, d.SentAt = moment(next), time.Duration(took)*time.Millisecond, moment(created), moment(sent)
	return d, err
}

func selectDeliveries() string {
	return "SELECT " + prefixed("n", noticeColumns) + ", " + deliveryColumns + " FROM delivery d JOIN notice n ON n.id = d.notice_id "
}

// WebhooksDue returns the webhooks, without paused ones, for which a delivery is due.
func (tx *Tx) WebhooksDue(ctx context.Context, now time.Time) ([]int64, error) {
	return list(ctx, tx, "delivery", func(s scanner) (id int64, err error) { return id, s.Scan(&id) },
		"SELECT id FROM webhook w WHERE paused = 0 AND EXISTS (SELECT 1 FROM delivery d WHERE d.webhook_id = w.id AND d.state = 'queued' "+
			"AND d.next_at <= $1) ORDER BY id", millis(now))
}

// DueDelivery returns the oldest delivery of a webhook that is due: none before it about the same thing is still queued. None is a
// [domain.NotFound] error.
func (tx *Tx) DueDelivery(ctx context.Context, webhookID int64, now time.Time) (domain.Delivery, error) {
	return get(ctx, tx, "delivery", scanDelivery, selectDeliveries()+`WHERE d.webhook_id = $1 AND d.state = 'queued' AND d.next_at <= $2
		AND NOT EXISTS (SELECT 1 FROM delivery e WHERE e.webhook_id = d.webhook_id AND e.about = d.about AND e.state = 'queued' AND e.id < d.id)
		ORDER BY d.id LIMIT 1`, webhookID, millis(now))
}

// DropDelivery removes a delivery.
func (tx *Tx) DropDelivery(ctx context.Context, id int64) error {
	return tx.exec(ctx, "delivery", "DELETE FROM delivery WHERE id = $1", id)
}

// HoldDeliveries lets the queued deliveries of a webhook that are due before a moment wait until then.
func (tx *Tx) HoldDeliveries(ctx context.Context, webhookID int64, until time.Time) error {
	return tx.exec(ctx, "delivery", "UPDATE delivery SET next_at = $2 WHERE webhook_id = $1 AND state = 'queued' AND next_at < $2",
		webhookID, millis(until))
}

// HurryDeliveries makes the queued deliveries of a webhook that wait for another try due now.
func (tx *Tx) HurryDeliveries(ctx context.Context, webhookID int64, now time.Time) error {
	return tx.exec(ctx, "delivery", "UPDATE delivery SET next_at = $2 WHERE webhook_id = $1 AND state = 'queued' AND next_at > $2",
		webhookID, millis(now))
}

// Deliveries returns the newest deliveries of a webhook with a lower id than before; 0 for any.
func (tx *Tx) Deliveries(ctx context.Context, webhookID, before int64, n int) ([]domain.Delivery, error) {
	var w where
	w.add("d.webhook_id = ?", webhookID)
	if before > 0 {
		w.add("d.id < ?", before)
	}
	return list(ctx, tx, "delivery", scanDelivery, fmt.Sprintf("%s%s ORDER BY d.id DESC LIMIT %d", selectDeliveries(), w.String(), limit(n)),
		w.args...)
}

// DropNoticesBefore removes the notices that were written before a moment and wait for no one, with their deliveries.
func (tx *Tx) DropNoticesBefore(ctx context.Context, at time.Time) error {
	const old = `SELECT n.id FROM notice n WHERE n.at < $1 AND n.sorted_at > 0 AND NOT EXISTS (SELECT 1 FROM notice_item i
		WHERE i.notice_id = n.id)
		AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.notice_id = n.id AND d.state = 'queued')`
	if err := tx.exec(ctx, "delivery", "DELETE FROM delivery WHERE state <> 'queued' AND notice_id IN ("+old+")", millis(at)); err != nil {
		return err
	}
	return tx.exec(ctx, "notice", "DELETE FROM notice WHERE id IN ("+old+")", millis(at))
}

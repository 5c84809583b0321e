package notify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"blossomtune/internal/domain"
)

const (
	senders      = 8 // webhooks at once; each gets one delivery after another
	hookRate     = 60
	hookWindow   = time.Minute
	firstRetry   = 15 * time.Second
	lastRetry    = time.Hour
	giveUpAfter  = 36 * time.Hour
	agentName    = "BlossomTune"
	keepNotices  = 30 * 24 * time.Hour
	tidyInterval = time.Hour
)

// wakeHooks makes [Service.Deliver] check for due deliveries at once.
func (s *Service) wakeHooks() {
	select {
	case s.hookWake <- struct{}{}:
	default: // one wake is pending already
	}
}

// Deliver sends what is queued for webhooks until ctx ends. A webhook that is slow holds up no other one.
func (s *Service) Deliver(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	busy, free := map[int64]bool{}, make(chan int64)
	for ctx.Err() == nil {
		var due []int64
		err := s.Store.View(ctx, func(tx Tx) (err error) { due, err = tx.WebhooksDue(ctx, s.now()); return err })
		if err != nil && ctx.Err() == nil {
			s.Log.Error("reading which webhooks are due", "err", err)
		}
		for _, id := range due {
			if busy[id] || len(busy) >= senders {
				continue
			}
			busy[id] = true
			wg.Go(func() {
				if err := s.drain(ctx, id); err != nil && ctx.Err() == nil {
					s.Log.Error("sending to a webhook", "webhook", id, "err", err)
					pause(ctx)
				}
				select {
				case free <- id:
				case <-ctx.Done():
				}
			})
		}
		timer := time.NewTimer(lookEvery)
		select {
		case <-ctx.Done():
		case id := <-free:
			delete(busy, id)
		case <-s.hookWake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

func pause(ctx context.Context) {
	timer := time.NewTimer(lookEvery)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// drain sends what is due for one webhook, one after another, until nothing is or the receiver does not answer.
func (s *Service) drain(ctx context.Context, id int64) error {
	for {
		again, err := s.next(ctx, id)
		if err != nil || !again {
			return err
		}
	}
}

// next sends the next delivery of a webhook, or drops it where it is about a run that was deleted meanwhile. It reports whether another one
// may be sent now.
func (s *Service) next(ctx context.Context, id int64) (again bool, err error) {
	var w domain.Webhook
	var d domain.Delivery
	v, deleted := item{}, false
	now := s.now()
	err = s.Store.View(ctx, func(tx Tx) error {
		if w, err = tx.WebhookByID(ctx, id); err != nil {
			return err
		}
		if d, err = tx.DueDelivery(ctx, id, now); err != nil || d.Notice.FederationID == 0 {
			return err
		}
		if v.fed, err = tx.FederationByID(ctx, d.Notice.FederationID); err != nil {
			return err
		}
		deleted, err = tx.AboutDeletedRun(ctx, d.Notice)
		return err
	})
	if domain.CodeOf(err) == domain.NotFound || err == nil && w.Paused {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if deleted {
		return true, s.Store.InTx(ctx, func(tx Tx) error { return tx.DropDelivery(ctx, d.ID) })
	}
	if !s.pace.Allow(strconv.FormatInt(id, 10), now) {
		return false, s.Store.InTx(ctx, func(tx Tx) error { return tx.HoldDeliveries(ctx, id, now.Add(hookWindow/4)) })
	}
	v.Notice = d.Notice
	began := time.Now()
	status, sendErr := s.send(ctx, w, d, v)
	if ctx.Err() != nil {
		return false, nil // the server stops: it is sent by the next one
	}
	d.Took, d.Status = time.Since(began), status
	return s.noteDelivery(ctx, w, d, sendErr)
}

// noteDelivery keeps what became of a try.
func (s *Service) noteDelivery(ctx context.Context, w domain.Webhook, d domain.Delivery, sendErr error) (again bool, err error) {
	now := s.now()
	d.Tries++
	switch {
	case sendErr == nil:
		d.State, d.SentAt, d.LastError = domain.DeliverySent, now, ""
	case now.Sub(d.CreatedAt) >= giveUpAfter:
		d.State, d.LastError = domain.DeliveryDead, reason(sendErr)
	default:
		d.NextAt, d.LastError = now.Add(min(firstRetry<<min(d.Tries-1, 10), lastRetry)), reason(sendErr)
	}
	// A receiver that is away would refuse the rest too; one that refuses this one may take the next.
	away := sendErr != nil && (d.Status == 0 || d.Status >= 500 || d.Status == http.StatusTooManyRequests ||
		d.Status == http.StatusRequestTimeout)
	err = s.Store.InTx(ctx, func(tx Tx) error {
		if err := tx.UpdateDelivery(ctx, d); err != nil {
			return err
		}
		switch {
		case sendErr == nil && d.Tries > 1:
			if err := tx.HurryDeliveries(ctx, w.ID, now); err != nil {
				return err
			}
		case away && d.State == domain.DeliveryQueued:
			if err := tx.HoldDeliveries(ctx, w.ID, d.NextAt); err != nil {
				return err
			}
		}
		if d.State != domain.DeliveryDead {
			return nil
		}
		return tx.InsertAudit(ctx, s.webhookEntry(domain.System, w, "webhook.gave_up"))
	})
	if domain.CodeOf(err) == domain.NotFound {
		return false, nil // the webhook was removed meanwhile
	}
	return !away, err
}

// send makes one try. It returns the answer's status, 0 for none, and an error unless that is 2xx.
func (s *Service) send(ctx context.Context, w domain.Webhook, d domain.Delivery, v item) (status int, err error) {
	t, err := s.Sealer.open(w)
	if err != nil {
		return 0, err
	}
	text, contentType, err := s.body(w.Shape, v)
	if err != nil {
		return 0, err
	}
	id := s.messageID(d)
	method, at := http.MethodPost, t.URL
	if w.Shape == domain.WebhookMatrix {
		method, at = http.MethodPut, t.URL+"/"+id
	}
	ctx, cancel := context.WithTimeout(ctx, sendLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, at, bytes.NewReader(text))
	if err != nil {
		return 0, domain.Errorf(domain.Invalid, "The URL cannot be used.") // without the URL, which is a secret
	}
	now := s.now()
	signature, err := sign(t.Secret, id, now, text)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("User-Agent", agentName)
	req.Header.Set("webhook-id", id)
	req.Header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	req.Header.Set("webhook-signature", signature)
	if w.Shape == domain.WebhookMatrix {
		req.Header.Set("Authorization", "Bearer "+t.Token)
	}
	res, err := s.clients[w.Private].Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, answerLimit) // only so that the connection can be used again
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return res.StatusCode, domain.Errorf(domain.Unavailable, "The receiver answered %d %s.", res.StatusCode, http.StatusText(res.StatusCode))
	}
	return res.StatusCode, nil
}

// messageID is the same at each try of a delivery, and another one for each server's.
func (s *Service) messageID(d domain.Delivery) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %d", s.PublicURL(), d.ID, d.CreatedAt.UnixMilli()))
	return "msg_" + hex.EncodeToString(sum[:16])
}

// reason is why a try failed, for managers: what their webhook's address says of the network of this server is left out.
func reason(err error) string {
	var refused refusedAddress
	var known *domain.Error
	switch {
	case errors.As(err, &refused):
		return refused.err.Message + " " + refused.err.Remedy
	case errors.As(err, &known):
		return known.Message
	case errors.Is(err, context.DeadlineExceeded):
		return "The receiver did not answer within 10 seconds."
	}
	return "The receiver cannot be reached."
}

package notify

import (
	"context"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

// WebhookInput is what a webhook is made of.
type WebhookInput struct {
	Name    string
	URL     string // of a change: empty keeps it
	Token   string // of Matrix: the access token; of a change: empty keeps it
	Shape   domain.WebhookShape
	Kinds   []domain.NoticeKind
	Private bool // may reach private addresses and plain HTTP; for instance admins
	Paused  bool
}

const matrixEnd = "/send/m.room.message"

// check returns the errors of the fields.
func (in WebhookInput) check(actor domain.Actor, fedID int64, needURL bool) error {
	var errs domain.Errors
	if in.Name == "" || len(in.Name) > domain.MaxWebhookName {
		errs = append(errs, domain.Errorf(domain.Invalid, "The name is missing or too long.").Fix("Use 1 to %d bytes.",
			domain.MaxWebhookName).At("name"))
	}
	if !slices.Contains(domain.WebhookShapes, in.Shape) {
		errs = append(errs, domain.Errorf(domain.Invalid, "%q is not a form of webhook.",
			in.Shape).Fix("Use json, slack, matrix or text.").At("shape"))
	}
	for _, k := range in.Kinds {
		if !slices.Contains(domain.FederationNotices, k) && (fedID != 0 || !k.OfInstance()) {
			errs = append(errs, domain.Errorf(domain.Invalid, "There are no notifications of the kind %q here.", k).At("kinds"))
		}
	}
	if len(in.Kinds) == 0 || len(in.Kinds) > 40 {
		errs = append(errs, domain.Errorf(domain.Invalid, "Choose at least one event.").At("kinds"))
	}
	if in.Private && !actor.Admin {
		errs = append(errs, domain.Errorf(domain.Forbidden, "Only instance admins may let a webhook reach private addresses.").At("private"))
	}
	if needURL && in.Shape == domain.WebhookMatrix && in.Token == "" {
		errs = append(errs, domain.Errorf(domain.Invalid,
			"Matrix needs an access token.").Fix("Use that of a user who is in the room.").At("token"))
	}
	if len(in.Token) > 1000 || strings.ContainsFunc(in.Token, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		errs = append(errs, domain.Errorf(domain.Invalid, "This is not an access token.").At("token"))
	}
	if needURL {
		errs = errs.With(checkURL(in.URL, in.Shape, in.Private))
	}
	if len(errs) > 0 {
		return errs
	}
	return nil
}

// checkURL returns an [domain.Invalid] error at "url" for what surely cannot be a webhook's. Where its name leads is checked at each
// delivery.
func checkURL(text string, shape domain.WebhookShape, private bool) error {
	bad := func(why, fix string) error { return domain.Errorf(domain.Invalid, "%s", why).Fix("%s", fix).At("url") }
	u, err := url.Parse(text)
	switch {
	case err != nil || len(text) > domain.MaxWebhookURL || u.Hostname() == "" || u.Opaque != "" ||
		strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return bad("This is not a web address.", "Enter it as https://hooks.example.org/…")
	case u.User != nil || u.Fragment != "":
		return bad("The address has a user name or a fragment.", "Leave them out.")
	case u.Scheme != "https" && (u.Scheme != "http" || !private):
		return bad("The address does not begin with https://.", "Use HTTPS. An instance admin can allow plain HTTP for private addresses.")
	case shape == domain.WebhookMatrix && (!strings.Contains(u.Path, "/_matrix/client/v3/rooms/") || !strings.HasSuffix(u.Path, matrixEnd)):
		return bad("This is not the address of a Matrix room.",
			"Enter it as https://matrix.example.org/_matrix/client/v3/rooms/!room:example.org"+matrixEnd)
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return bad("The port is not a number from 1 to 65535.", "Correct it.")
		}
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && !private && !public(a) {
		return bad("The address is not a public one.", "An instance admin can allow private addresses for this webhook.")
	}
	return nil
}

func host(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Host
}

// sameServer reports whether two URLs are of one server.
func sameServer(a, b string) bool {
	u, err := url.Parse(a)
	v, err2 := url.Parse(b)
	return err == nil && err2 == nil && u.Scheme == v.Scheme && u.Host == v.Host
}

// AddWebhook adds a webhook to a federation, 0 for the instance, and returns its secret, which is shown this once.
func (s *Service) AddWebhook(ctx context.Context, actor domain.Actor, fedID int64, in WebhookInput) (w domain.Webhook, secret string,
	err error) {
	in.Name = oneLine(in.Name)
	if err := in.check(actor, fedID, true); err != nil {
		return w, "", err
	}
	secret = newSecret()
	sealed, err := s.Sealer.seal(fedID, target{URL: in.URL, Secret: secret, Token: in.Token})
	if err != nil {
		return w, "", err
	}
	w = domain.Webhook{FederationID: fedID, Name: in.Name, Shape: in.Shape, Kinds: in.Kinds, Host: host(in.URL), Private: in.Private,
		Paused: in.Paused,
		Sealed: sealed, CreatedBy: actor.Name, CreatedAt: s.now()}
	err = s.Store.InTx(ctx, func(tx Tx) error {
		all, err := tx.Webhooks(ctx, fedID)
		if err != nil {
			return err
		}
		if len(all) >= domain.MaxWebhooks {
			return domain.Errorf(domain.Limited, "There are %d webhooks already.", len(all)).Fix("Remove one first.")
		}
		if err := tx.InsertWebhook(ctx, &w); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, s.webhookEntry(actor, w, "webhook.added"))
	})
	return w, secret, err
}

// ChangeWebhook changes a webhook of a federation. The shape stays; without a URL or a token, these stay too.
func (s *Service) ChangeWebhook(ctx context.Context, actor domain.Actor, fedID, id int64, in WebhookInput) (domain.Webhook, error) {
	in.Name = oneLine(in.Name)
	return s.changeWebhook(ctx, actor, fedID, id, "webhook.changed", func(w *domain.Webhook, t *target) error {
		if in.URL != "" {
			if !sameServer(t.URL, in.URL) {
				t.Token = "" // who changes the address need not know it, and must not learn it at another one
			}
			t.URL = in.URL
		}
		if in.Token != "" {
			t.Token = in.Token
		}
		if !actor.Admin && in.URL == "" {
			in.Private = w.Private // what an admin allowed stays allowed for that address
			if err := (WebhookInput{Name: in.Name, Shape: w.Shape, Kinds: in.Kinds}).check(actor, fedID, false); err != nil {
				return err
			}
		} else {
			checked := in
			checked.URL, checked.Token, checked.Shape = t.URL, t.Token, w.Shape
			if err := checked.check(actor, fedID, true); err != nil {
				return err
			}
		}
		w.Name, w.Kinds, w.Host, w.Private, w.Paused = in.Name, in.Kinds, host(t.URL), in.Private, in.Paused
		return nil
	})
}

// RenewSecret gives a webhook another secret and returns it; the old one signs nothing any more.
func (s *Service) RenewSecret(ctx context.Context, actor domain.Actor, fedID, id int64) (w domain.Webhook, secret string, err error) {
	secret = newSecret()
	w, err = s.changeWebhook(ctx, actor, fedID, id, "webhook.secret_renewed", func(_ *domain.Webhook, t *target) error {
		t.Secret = secret
		return nil
	})
	return w, secret, err
}

func (s *Service) changeWebhook(ctx context.Context, actor domain.Actor, fedID, id int64, action string,
	change func(*domain.Webhook, *target) error) (w domain.Webhook, err error) {
	err = s.Store.InTx(ctx, func(tx Tx) error {
		if w, err = webhookOf(ctx, tx, fedID, id); err != nil {
			return err
		}
		t, err := s.Sealer.open(w)
		if err != nil {
			t = target{Secret: newSecret()} // the key was lost: all is entered again
		}
		if err := change(&w, &t); err != nil {
			return err
		}
		if w.Sealed, err = s.Sealer.seal(fedID, t); err != nil {
			return err
		}
		if err := tx.UpdateWebhook(ctx, w); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, s.webhookEntry(actor, w, action))
	})
	s.wakeHooks()
	return w, err
}

// DropWebhook removes a webhook with its deliveries, the queued ones too.
func (s *Service) DropWebhook(ctx context.Context, actor domain.Actor, fedID, id int64) error {
	return s.Store.InTx(ctx, func(tx Tx) error {
		w, err := webhookOf(ctx, tx, fedID, id)
		if err != nil {
			return err
		}
		if err := tx.DeleteWebhook(ctx, id); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, s.webhookEntry(actor, w, "webhook.removed"))
	})
}

// TestWebhook queues a test notification for one webhook and returns its delivery.
func (s *Service) TestWebhook(ctx context.Context, actor domain.Actor, fedID, id int64) (d domain.Delivery, err error) {
	now := s.now()
	if !s.tests.Allow(strconv.FormatInt(id, 10), now) {
		return d, domain.Errorf(domain.Limited, "This webhook was tested %d times in the last 10 minutes.", maxTests).Fix("Wait a few minutes.")
	}
	err = s.Store.InTx(ctx, func(tx Tx) error {
		w, err := webhookOf(ctx, tx, fedID, id)
		if err != nil {
			return err
		}
		if w.Paused {
			return domain.Errorf(domain.Conflict, "This webhook is paused.").Fix("Turn it on first.")
		}
		n := domain.Notice{Kind: domain.NoticeTest, FederationID: fedID, About: "test:" + strconv.FormatInt(id, 10), At: now,
			Facts: domain.NoticeFacts{Text: "Someone tests the webhook " + w.Name + "."}}
		if err := tx.InsertNotice(ctx, &n); err != nil {
			return err
		}
		if err := tx.NoticeSorted(ctx, n.ID, now); err != nil {
			return err
		}
		d = domain.Delivery{WebhookID: id, Notice: n, State: domain.DeliveryQueued, NextAt: now, CreatedAt: now}
		if err := tx.InsertDelivery(ctx, &d); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, s.webhookEntry(actor, w, "webhook.tested"))
	})
	s.wakeHooks()
	return d, err
}

// Webhooks returns the webhooks of a federation, 0 for those of the instance.
func (s *Service) Webhooks(ctx context.Context, fedID int64) (all []domain.Webhook, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { all, err = tx.Webhooks(ctx, fedID); return err })
	return all, err
}

// Deliveries returns the newest deliveries of a webhook with a lower id than before, 0 for any.
func (s *Service) Deliveries(ctx context.Context, fedID, id, before int64, n int) (w domain.Webhook, all []domain.Delivery, err error) {
	err = s.Store.View(ctx, func(tx Tx) error {
		if w, err = webhookOf(ctx, tx, fedID, id); err != nil {
			return err
		}
		all, err = tx.Deliveries(ctx, id, before, n)
		return err
	})
	return w, all, err
}

func webhookOf(ctx context.Context, tx Tx, fedID, id int64) (domain.Webhook, error) {
	w, err := tx.WebhookByID(ctx, id)
	if err == nil && w.FederationID != fedID {
		err = domain.Errorf(domain.NotFound, "There is no such webhook.")
	}
	return w, err
}

func (s *Service) webhookEntry(actor domain.Actor, w domain.Webhook, action string) domain.AuditEntry {
	detail := map[string]string{"host": w.Host, "shape": string(w.Shape)}
	if w.Private {
		detail["private"] = "allowed"
	}
	return domain.AuditEntry{At: s.now(), Actor: actor, Action: action, ObjectKind: "webhook", ObjectID: w.Name,
		FederationID: w.FederationID, Detail: detail}
}

const (
	maxTests   = 10
	testWindow = 10 * time.Minute
)

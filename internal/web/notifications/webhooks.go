package notifications

import (
	"context"
	"net/http"
	"strconv"

	"blossomtune/internal/domain"
	"blossomtune/internal/notify"
	"blossomtune/internal/web/fedpage"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// webhooksView is the page of the webhooks of a federation, or of the server.
type webhooksView struct {
	fedpage.Head        // fed.ID 0: of the server
	base         string // the address of the page
	kinds        []domain.NoticeKind
	list         []domain.Webhook
	logs         map[int64][]domain.Delivery // the newest of each
	admin        bool
	rules        rulesForm           // of a federation
	secret       string              // of a new webhook or a renewed secret, this once
	named        string              // whose secret it is
	in           notify.WebhookInput // kept input
	errs         ui.FormErrors
}

const deliveriesShown = 10

// hooksBase is where the webhooks of the visit are: a federation's, or the server's.
func hooksBase(v *visit.Visit) string {
	if v.Fed.ID == 0 {
		return "/admin/webhooks"
	}
	return "/f/" + v.Fed.Slug + "/webhooks"
}

func (s *Pages) webhooksView(ctx context.Context, v *visit.Visit) (hv webhooksView, err error) {
	hv = webhooksView{base: hooksBase(v), kinds: domain.FederationNotices, admin: v.Person.Admin, logs: map[int64][]domain.Delivery{},
		in: notify.WebhookInput{Shape: domain.WebhookJSON, Kinds: []domain.NoticeKind{domain.NoticeRunCompleted, domain.NoticeRunFailed,
			domain.NoticeNothingTrained}}}
	if v.Fed.ID == 0 {
		hv.kinds = append(append([]domain.NoticeKind(nil), domain.InstanceNotices...), domain.FederationNotices...)
	} else if hv.Head, err = s.Fed.Head(ctx, v, "settings"); err != nil {
		return hv, err
	}
	if v.Fed.ID != 0 {
		rules, err := s.Notify.Rules(ctx, v.Fed.ID)
		if err != nil {
			return hv, err
		}
		hv.rules = rulesFormOf(rules)
	}
	if hv.list, err = s.Notify.Webhooks(ctx, v.Fed.ID); err != nil {
		return hv, err
	}
	for _, w := range hv.list {
		_, all, err := s.Notify.Deliveries(ctx, v.Fed.ID, w.ID, 0, deliveriesShown)
		if err != nil && domain.CodeOf(err) != domain.NotFound {
			return hv, err
		}
		hv.logs[w.ID] = all
	}
	return hv, nil
}

func (s *Pages) showWebhooks(w http.ResponseWriter, r *http.Request, v *visit.Visit, status int, change func(*webhooksView)) error {
	hv, err := s.webhooksView(r.Context(), v)
	if err != nil {
		return err
	}
	if change != nil {
		change(&hv)
	}
	p, content := ui.Page{Title: "Webhooks", Nav: "admin", Mid: true}, webhooksPage(hv)
	if v.Fed.ID != 0 {
		p = ui.Page{Title: "Webhooks · " + v.Fed.Name, Nav: "f"}
	}
	s.Render(w, r, v, status, p, content)
	return nil
}

// Webhooks is the page of the webhooks of a federation, or of the server.
func (s *Pages) Webhooks(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	return s.showWebhooks(w, r, v, http.StatusOK, nil)
}

// AddWebhook adds a webhook; its secret is in this answer only.
func (s *Pages) AddWebhook(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	f := r.PostForm
	in := notify.WebhookInput{Name: f.Get("name"), URL: f.Get("url"), Token: f.Get("token"), Shape: domain.WebhookShape(f.Get("shape")),
		Private: f.Get("private") != ""}
	for _, k := range f["kinds"] {
		in.Kinds = append(in.Kinds, domain.NoticeKind(k))
	}
	hook, secret, err := s.Notify.AddWebhook(r.Context(), v.Actor(), v.Fed.ID, in)
	if err == nil {
		return s.showWebhooks(w, r, v, http.StatusOK, func(hv *webhooksView) { hv.secret, hv.named = secret, hook.Name })
	}
	errs, status, err := visit.FormError(err, "name", "url", "token", "shape", "kinds", "private")
	if err != nil {
		return err
	}
	return s.showWebhooks(w, r, v, status, func(hv *webhooksView) { hv.in, hv.errs = in, errs })
}

// ActOnWebhook tests, pauses, turns on or removes a webhook, or renews its secret.
func (s *Pages) ActOnWebhook(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := visit.ParseForm(r); err != nil {
		return err
	}
	ctx, base := r.Context(), hooksBase(v)
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64) // none has the id 0
	hook, _, err := s.Notify.Deliveries(ctx, v.Fed.ID, id, 0, 1)
	if err != nil {
		return err
	}
	switch r.PathValue("action") {
	case "test":
		if _, err := s.Notify.TestWebhook(ctx, v.Actor(), v.Fed.ID, id); err != nil {
			return err
		}
		return s.Done(w, r, base, "A test notification is on its way to "+hook.Host+". Reload the page to see the result.")
	case "pause", "resume":
		in := notify.WebhookInput{Name: hook.Name, Kinds: hook.Kinds, Private: hook.Private, Paused: r.PathValue("action") == "pause"}
		if _, err := s.Notify.ChangeWebhook(ctx, v.Actor(), v.Fed.ID, id, in); err != nil {
			return err
		}
		return s.Done(w, r, base, "Saved.")
	case "secret":
		if ok, err := s.Confirmed(w, r, v, renewSecretConfirmation(hook, base)); err != nil || !ok {
			return err
		}
		_, secret, err := s.Notify.RenewSecret(ctx, v.Actor(), v.Fed.ID, id)
		if err != nil {
			return err
		}
		return s.showWebhooks(w, r, v, http.StatusOK, func(hv *webhooksView) { hv.secret, hv.named = secret, hook.Name })
	case "delete":
		if ok, err := s.Confirmed(w, r, v, deleteWebhookConfirmation(hook, base)); err != nil || !ok {
			return err
		}
		if err := s.Notify.DropWebhook(ctx, v.Actor(), v.Fed.ID, id); err != nil {
			return err
		}
		return s.Done(w, r, base, "Deleted the webhook "+hook.Name+".")
	}
	return domain.Errorf(domain.NotFound, "There is no such page.")
}

func renewSecretConfirmation(w domain.Webhook, back string) visit.Confirmation {
	return visit.Confirmation{Words: "Replace the secret of " + w.Name + "? The receiver must get the new one to verify signatures.",
		Do: "Replace secret", Back: back}
}

func deleteWebhookConfirmation(w domain.Webhook, back string) visit.Confirmation {
	return visit.Confirmation{Words: "Delete the webhook " + w.Name + "? What is queued for it is not sent.", Do: "Delete webhook", Back: back}
}

func deliveryTone(d domain.Delivery) ui.Tone {
	switch d.State {
	case domain.DeliverySent:
		return ui.Tone{Class: "is-ok", Icon: "ok", Word: "delivered"}
	case domain.DeliveryDead:
		return ui.Tone{Class: "is-bad", Icon: "bad", Word: "given up"}
	}
	return ui.Tone{Class: "is-wait", Icon: "wait", Word: "queued"}
}

// shapeWords name a shape, and say which one it is.
func shapeWords(shape domain.WebhookShape) string {
	return map[domain.WebhookShape]string{
		domain.WebhookJSON: "JSON", domain.WebhookSlack: "Slack: incoming webhook", domain.WebhookMatrix: "Matrix: client-server API",
		domain.WebhookText: "plain text",
	}[shape]
}

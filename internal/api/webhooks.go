package api

import (
	"context"
	"net/http"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
	"blossomtune/internal/notify"
)

// WebhooksPath names whose webhooks are meant.
type WebhooksPath struct {
	Slug string `path:"federation" maxLength:"40" doc:"The federation's part of an address, or - for the webhooks of the server"`
}

// WebhookPath names a webhook.
type WebhookPath struct {
	WebhooksPath
	ID int64 `path:"id" minimum:"1"`
}

type addWebhookInput struct {
	WebhooksPath
	Body client.NewWebhook
}

type changeWebhookInput struct {
	WebhookPath
	Body client.WebhookFields
}

type deliveriesInput struct {
	WebhookPath
	Before int64 `query:"before" minimum:"0" doc:"Only deliveries with a lower id: the last one of the page before"`
	Limit  int   `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

func (a *api) webhooks() {
	const all, one = "/federations/{federation}/webhooks", "/federations/{federation}/webhooks/{id}"
	add(a, op("list-webhooks", http.MethodGet, all, "Webhooks, oldest first", signedIn), a.listWebhooks)
	add(a, holdsSecret(op("add-webhook", http.MethodPost, all, "Add a webhook", signedIn)), a.addWebhook)
	add(a, op("change-webhook", http.MethodPut, one, "Change a webhook", signedIn), a.changeWebhook)
	add(a, op("delete-webhook", http.MethodDelete, one, "Delete a webhook with its deliveries", signedIn), a.deleteWebhook)
	add(a, op("test-webhook", http.MethodPost, one+"/test", "Queue a test notification", signedIn), a.testWebhook)
	add(a, holdsSecret(op("renew-webhook-secret", http.MethodPost, one+"/secret", "Replace the secret of a webhook", signedIn)), a.renewSecret)
	add(a, op("list-deliveries", http.MethodGet, one+"/deliveries", "Deliveries of a webhook, newest first", signedIn), a.listDeliveries)
}

// hooksOf returns the federation whose webhooks the caller may manage, 0 for the server's.
func (a *api) hooksOf(ctx context.Context, slug string) (int64, error) {
	if slug == "-" {
		return 0, a.admin(ctx)
	}
	f, _, err := a.federation(ctx, slug, domain.RoleManager)
	return f.ID, err
}

func kindsOf(names []string) []domain.NoticeKind {
	out := make([]domain.NoticeKind, len(names))
	for i, n := range names {
		out[i] = domain.NoticeKind(n)
	}
	return out
}

func webhookView(w domain.Webhook, secret string) client.Webhook {
	v := client.Webhook{ID: w.ID, Name: w.Name, Format: string(w.Shape), Kinds: make([]string, len(w.Kinds)), Host: w.Host,
		Private: w.Private, Paused: w.Paused, Secret: secret, CreatedBy: w.CreatedBy, CreatedAt: w.CreatedAt}
	for i, k := range w.Kinds {
		v.Kinds[i] = string(k)
	}
	return v
}

func deliveryView(d domain.Delivery) client.Delivery {
	v := client.Delivery{ID: d.ID, Event: d.Notice.ID, Kind: string(d.Notice.Kind), State: string(d.State), Tries: d.Tries,
		Status: d.Status, Error: d.LastError, Took: d.Took.Seconds(), CreatedAt: d.CreatedAt}
	if d.State == domain.DeliveryQueued {
		v.NextAt = &d.NextAt
	}
	if !d.SentAt.IsZero() {
		v.SentAt = &d.SentAt
	}
	return v
}

func (a *api) listWebhooks(ctx context.Context, in *WebhooksPath) (*body[[]client.Webhook], error) {
	fedID, err := a.hooksOf(ctx, in.Slug)
	if err != nil {
		return nil, err
	}
	all, err := a.Notify.Webhooks(ctx, fedID)
	out := make([]client.Webhook, len(all))
	for i, w := range all {
		out[i] = webhookView(w, "")
	}
	return answer(out), err
}

func webhookInput(f client.WebhookFields) notify.WebhookInput {
	return notify.WebhookInput{Name: f.Name, URL: f.URL, Token: f.Token, Kinds: kindsOf(f.Kinds), Private: f.Private, Paused: f.Paused}
}

func (a *api) addWebhook(ctx context.Context, in *addWebhookInput) (*body[client.Webhook], error) {
	fedID, err := a.hooksOf(ctx, in.Slug)
	if err != nil {
		return nil, err
	}
	fields := webhookInput(in.Body.WebhookFields)
	fields.Shape = domain.WebhookShape(in.Body.Format)
	w, secret, err := a.Notify.AddWebhook(ctx, callerOf(ctx).actor, fedID, fields)
	if err != nil {
		return nil, err
	}
	return answer(webhookView(w, secret)), nil
}

func (a *api) changeWebhook(ctx context.Context, in *changeWebhookInput) (*body[client.Webhook], error) {
	fedID, err := a.hooksOf(ctx, in.Slug)
	if err != nil {
		return nil, err
	}
	w, err := a.Notify.ChangeWebhook(ctx, callerOf(ctx).actor, fedID, in.ID, webhookInput(in.Body))
	if err != nil {
		return nil, err
	}
	return answer(webhookView(w, "")), nil
}

func (a *api) deleteWebhook(ctx context.Context, in *WebhookPath) (*none, error) {
	fedID, err := a.hooksOf(ctx, in.Slug)
	if err != nil {
		return nil, err
	}
	return nil, a.Notify.DropWebhook(ctx, callerOf(ctx).actor, fedID, in.ID)
}

func (a *api) testWebhook(ctx context.Context, in *WebhookPath) (*body[client.Delivery], error) {
	fedID, err := a.hooksOf(ctx, in.Slug)
	if err != nil {
		return nil, err
	}
	d, err := a.Notify.TestWebhook(ctx, callerOf(ctx).actor, fedID, in.ID)
	if err != nil {
		return nil, err
	}
	return answer(deliveryView(d)), nil
}

func (a *api) renewSecret(ctx context.Context, in *WebhookPath) (*body[client.Webhook], error) {
	fedID, err := a.hooksOf(ctx, in.Slug)
	if err != nil {
		return nil, err
	}
	w, secret, err := a.Notify.RenewSecret(ctx, callerOf(ctx).actor, fedID, in.ID)
	if err != nil {
		return nil, err
	}
	return answer(webhookView(w, secret)), nil
}

func (a *api) listDeliveries(ctx context.Context, in *deliveriesInput) (*body[[]client.Delivery], error) {
	fedID, err := a.hooksOf(ctx, in.Slug)
	if err != nil {
		return nil, err
	}
	_, all, err := a.Notify.Deliveries(ctx, fedID, in.ID, in.Before, in.Limit)
	if err != nil {
		return nil, err
	}
	out := make([]client.Delivery, len(all))
	for i, d := range all {
		out[i] = deliveryView(d)
	}
	return answer(out), nil
}

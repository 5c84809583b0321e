package api

import (
	"context"
	"net/http"
	"time"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
)

type chooseInput struct{ Body client.NotificationChoice }

func (a *api) notifications() {
	add(a, op("get-notifications", http.MethodGet, "/me/notifications", "How the caller is notified by mail", signedIn), a.getNotifications)
	add(a, op("choose-notifications", http.MethodPatch, "/me/notifications", "Choose how to be notified by mail", signedIn),
		a.chooseNotifications)
	const rules = "/federations/{federation}/notification-rules"
	add(a, op("get-notification-rules", http.MethodGet, rules, "The delays before managers are notified", signedIn), a.getRules)
	add(a, op("set-notification-rules", http.MethodPatch, rules, "Change the delays before managers are notified", signedIn), a.setRules)
}

func (a *api) getNotifications(ctx context.Context, _ *none) (*body[[]client.Notifications], error) {
	all, err := a.Notify.Preferences(ctx, callerOf(ctx).person)
	if err != nil {
		return nil, err
	}
	out := make([]client.Notifications, len(all))
	for i, c := range all {
		out[i] = client.Notifications{Federation: c.Fed.Slug, Kinds: make([]client.Notification, len(c.All))}
		for j, k := range c.All {
			out[i].Kinds[j] = client.Notification{Kind: string(k.Kind), Label: k.Kind.Label(), Mode: string(k.Mode), Chosen: k.Chosen}
		}
	}
	return answer(out), nil
}

func (a *api) chooseNotifications(ctx context.Context, in *chooseInput) (*body[[]client.Notifications], error) {
	c := callerOf(ctx)
	fedID := int64(0)
	if in.Body.Federation != "" {
		f, _, err := a.federation(ctx, in.Body.Federation, domain.RoleViewer)
		if err != nil {
			return nil, err
		}
		fedID = f.ID
	} else if err := a.admin(ctx); err != nil {
		return nil, err
	}
	modes := map[domain.NoticeKind]domain.NoticeMode{}
	for k, m := range in.Body.Modes {
		modes[domain.NoticeKind(k)] = domain.NoticeMode(m)
	}
	if err := a.Notify.Choose(ctx, c.actor, c.person, fedID, modes); err != nil {
		return nil, err
	}
	return a.getNotifications(ctx, nil)
}

type rulesInput struct {
	FederationPath
	Body client.NotificationRulesChange
}

func rulesView(r domain.NoticeRules) client.NotificationRules {
	return client.NotificationRules{Offline: int(r.Offline / time.Minute), Unconnected: int(r.Unconnected / time.Hour),
		Waiting: int(r.Waiting / time.Hour), Remind: r.Remind}
}

func (a *api) getRules(ctx context.Context, in *FederationPath) (*body[client.NotificationRules], error) {
	f, _, err := a.federation(ctx, in.Slug, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	r, err := a.Notify.Rules(ctx, f.ID)
	if err != nil {
		return nil, err
	}
	return answer(rulesView(r)), nil
}

func (a *api) setRules(ctx context.Context, in *rulesInput) (*body[client.NotificationRules], error) {
	f, _, err := a.federation(ctx, in.Slug, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	r, err := a.Notify.SetRules(ctx, callerOf(ctx).actor, f.ID, func(r *domain.NoticeRules) {
		lasting := func(to *time.Duration, n *int, unit time.Duration) {
			if n != nil {
				*to = time.Duration(*n) * unit
			}
		}
		lasting(&r.Offline, in.Body.Offline, time.Minute)
		lasting(&r.Unconnected, in.Body.Unconnected, time.Hour)
		lasting(&r.Waiting, in.Body.Waiting, time.Hour)
		if in.Body.Remind != nil {
			r.Remind = *in.Body.Remind
		}
	})
	if err != nil {
		return nil, err
	}
	return answer(rulesView(r)), nil
}

package api

import (
	"context"
	"net/http"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
	"blossomtune/internal/site"
)

type settingsInput struct {
	Body client.SettingsChange
}

func (a *api) settings() {
	add(a, op("get-settings", http.MethodGet, "/settings", "Name, logo, colours and texts of this server", signedIn), a.getSettings)
	add(a, op("change-settings", http.MethodPut, "/settings", "Change some of them, all or none", signedIn), a.changeSettings)
	add(a, op("get-containment", http.MethodGet, "/containment", "How ServerApps are contained on this server", signedIn), a.getContainment)
	add(a, op("set-containment", http.MethodPut, "/containment", "Accept apps that this server cannot contain, or end that", signedIn), a.setContainment)
}

func (a *api) getSettings(ctx context.Context, _ *none) (*body[[]client.Setting], error) {
	if err := a.admin(ctx); err != nil {
		return nil, err
	}
	return answer(settingViews(a.Site.Settings())), nil
}

func (a *api) changeSettings(ctx context.Context, in *settingsInput) (*body[[]client.Setting], error) {
	if err := a.admin(ctx); err != nil {
		return nil, err
	}
	values := map[string]*string{}
	for key, value := range in.Body.Values {
		values[key] = &value
	}
	for _, key := range in.Body.Reset {
		if values[key] != nil {
			return nil, domain.Errorf(domain.Invalid, "%s is both set and reset.", key).Fix("Take it out of one.").At(key)
		}
		values[key] = nil
	}
	if err := a.Site.Change(ctx, callerOf(ctx).actor, values); err != nil {
		return nil, err
	}
	return answer(settingViews(a.Site.Settings())), nil
}

func settingViews(all []site.Setting) []client.Setting {
	out := make([]client.Setting, len(all))
	for i, s := range all {
		out[i] = client.Setting{Key: s.Key, Label: s.Label, Kind: string(s.Kind), Value: s.Value, Default: s.Default, Set: s.Set, From: s.From}
	}
	return out
}

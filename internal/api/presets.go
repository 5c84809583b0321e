package api

import (
	"context"
	"net/http"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
)

// PresetPath names a preset of an app.
type PresetPath struct {
	AppPath
	Name string `path:"name" maxLength:"60"`
}

type savePreset struct {
	PresetPath
	Body client.PresetConfig
}

func (a *api) presets() {
	add(a, op("list-presets", http.MethodGet, "/apps/{hash}/presets", "Presets that an app version can be launched with: its own, and those that managers saved for the app", signedIn), a.listPresets)
	add(a, op("save-preset", http.MethodPut, "/apps/{hash}/presets/{name}", "Save a preset for all versions of an app", signedIn), a.savePreset)
	add(a, op("delete-preset", http.MethodDelete, "/apps/{hash}/presets/{name}", "Delete a saved preset", signedIn), a.dropPreset)
}

// presetApp is the app version of a path, for those who may launch it.
func (a *api) presetApp(ctx context.Context, hash string) (domain.AppVersion, error) {
	if err := a.adds(ctx); err != nil {
		return domain.AppVersion{}, err
	}
	v, _, err := a.app(ctx, hash)
	return v, err
}

func presetView(p domain.Preset) client.Preset {
	return client.Preset{Name: p.Name, Config: p.Config, Saved: p.CreatedBy != "", By: p.CreatedBy}
}

func (a *api) listPresets(ctx context.Context, in *AppPath) (*body[[]client.Preset], error) {
	v, err := a.presetApp(ctx, in.Hash)
	if err != nil {
		return nil, err
	}
	all, err := a.Catalog.Presets(ctx, v)
	out := []client.Preset{}
	for _, p := range all {
		out = append(out, presetView(p))
	}
	return answer(out), err
}

func (a *api) savePreset(ctx context.Context, in *savePreset) (*body[client.Preset], error) {
	v, err := a.presetApp(ctx, in.Hash)
	if err != nil {
		return nil, err
	}
	p, err := a.Catalog.SavePreset(ctx, callerOf(ctx).actor, v, in.Name, client.ConfigTexts(in.Body.Config))
	return answer(presetView(p)), err
}

func (a *api) dropPreset(ctx context.Context, in *PresetPath) (*none, error) {
	v, err := a.presetApp(ctx, in.Hash)
	if err != nil {
		return nil, err
	}
	return &none{}, a.Catalog.DropPreset(ctx, callerOf(ctx).actor, v.ID(), in.Name)
}

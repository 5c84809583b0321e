package api

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"blossomtune/internal/domain"
)

// App is one app version.
type App struct {
	Hash      string      `json:"hash" doc:"SHA-256 of the FAB"`
	ID        string      `json:"id" doc:"publisher/name"`
	Version   string      `json:"version"`
	Summary   string      `json:"summary"`
	Source    string      `json:"source"`
	Config    []ConfigKey `json:"config"`
	CreatedAt time.Time   `json:"created_at"`
}

// ConfigKey is one key of an app's run config.
type ConfigKey struct {
	Key     string   `json:"key"`
	Kind    string   `json:"kind" enum:"string,int,float,bool"`
	Default any      `json:"default"`
	Help    string   `json:"help,omitempty"`
	Choices []any    `json:"choices,omitempty"`
	Min     *float64 `json:"min,omitempty"`
	Max     *float64 `json:"max,omitempty"`
}

func appView(v domain.AppVersion) App {
	out := App{Hash: v.Hash, ID: v.ID(), Version: v.Version, Summary: v.Summary, Source: v.Source, CreatedAt: v.CreatedAt, Config: []ConfigKey{}}
	for _, k := range v.Config {
		out.Config = append(out.Config, ConfigKey{Key: k.Key, Kind: string(k.Kind), Default: k.Default, Help: k.Help, Choices: k.Choices, Min: k.Min, Max: k.Max})
	}
	return out
}

type uploadApp struct {
	Filename string `query:"filename" maxLength:"200"`
	RawBody  []byte `contentType:"application/octet-stream"`
}

func (a *api) apps() {
	add(a, op("list-apps", http.MethodGet, "/apps", "App versions, newest first", signedIn), a.listApps)
	upload := op("upload-app", http.MethodPost, "/apps", "Add an app: a FAB, or a zip of its folder (at most 10 MB)", signedIn)
	upload.MaxBodyBytes = domain.MaxFAB + 1
	add(a, upload, a.uploadApp)
}

func (a *api) listApps(ctx context.Context, _ *none) (*body[[]App], error) {
	if err := a.manager(ctx); err != nil {
		return nil, err
	}
	all, err := a.Catalog.List(ctx)
	if err != nil {
		return nil, err
	}
	out := []App{}
	for _, v := range all {
		out = append(out, appView(v))
	}
	return answer(out), nil
}

func (a *api) uploadApp(ctx context.Context, in *uploadApp) (*body[App], error) {
	if err := a.manager(ctx); err != nil {
		return nil, err
	}
	v, err := a.Catalog.Upload(ctx, callerOf(ctx).actor, in.Filename, bytes.NewReader(in.RawBody))
	if err != nil {
		return nil, err
	}
	return answer(appView(v)), nil
}

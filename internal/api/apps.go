package api

import (
	"bytes"
	"context"
	"net/http"

	"blossomtune/internal/catalog"
	"blossomtune/internal/client"
	"blossomtune/internal/domain"
)

func appView(v domain.AppVersion) client.App {
	out := client.App{Hash: v.Hash, ID: v.ID(), Version: v.Version, Summary: v.Summary, Source: v.Source, CreatedAt: v.CreatedAt,
		Config: []client.ConfigKey{}, Presets: []client.Preset{}}
	for _, k := range v.Config {
		v := client.ConfigKey{Key: k.Key, Kind: string(k.Kind), Default: domain.JSONValue(k.Default), Help: k.Help, Long: k.Long, Min: k.Min,
			Max: k.Max}
		for _, c := range k.Choices {
			v.Choices = append(v.Choices, domain.JSONValue(c))
		}
		out.Config = append(out.Config, v)
	}
	for _, p := range v.Presets {
		out.Presets = append(out.Presets, client.Preset{Name: p.Name, Config: p.Config})
	}
	return out
}

// AppPath names an app version.
type AppPath struct {
	Hash string `path:"hash" maxLength:"64" doc:"SHA-256 of the FAB"`
}

type gitApp struct {
	Body client.GitApp
}

type uploadApp struct {
	Filename string `query:"filename" maxLength:"200"`
	RawBody  []byte `contentType:"application/octet-stream"`
}

type listAppsInput struct {
	After string `query:"after" maxLength:"64" doc:"Only versions that come after this one: the last hash of the page before"`
	Limit int    `query:"limit" minimum:"1" maximum:"500" default:"500" doc:"Ask again with after for more"`
}

func (a *api) apps() {
	add(a, op("list-apps", http.MethodGet, "/apps", "App versions that you may see, newest first", signedIn), a.listApps)
	upload := op("upload-app", http.MethodPost, "/apps", "Add an app: a FAB, or a zip of its folder (at most 10 MB)", signedIn)
	upload.MaxBodyBytes = domain.MaxFAB + 1
	add(a, upload, a.uploadApp)
	add(a, op("add-git-app", http.MethodPost, "/apps/git", "Add an app from a git repository at one commit", signedIn), a.gitApp)
	add(a, op("get-app", http.MethodGet, "/apps/{hash}", "One app version", signedIn), a.getApp)
	fab := op("download-app", http.MethodGet, "/apps/{hash}/fab", "The FAB: the exact bytes that the hash stands for", signedIn)
	fab.Responses = fileResponses("The FAB", "application/octet-stream", bytesSchema)
	add(a, fab, a.appFAB)
	add(a, op("list-app-files", http.MethodGet, "/apps/{hash}/files", "The files of an app version", signedIn), a.appFiles)
	add(a, op("get-app-file", http.MethodGet, "/apps/{hash}/file", "One file of an app version as text, at most 5000 lines", signedIn), a.appFile)
	add(a, op("diff-app", http.MethodGet, "/apps/{hash}/diff", "What differs from another version", signedIn), a.appDiff)
	a.presets()
}

// sight is what of the apps the caller may see.
func (a *api) sight(ctx context.Context) (catalog.Sight, error) {
	return a.Catalog.Sight(ctx, callerOf(ctx).person)
}

// adds lets through who may add apps and presets: admins, and managers of any federation.
func (a *api) adds(ctx context.Context) error {
	sight, err := a.sight(ctx)
	if err == nil && !sight.Manages {
		err = domain.Errorf(domain.Forbidden, "This needs the role of a manager.")
	}
	return err
}

// app returns the app version of a path, if the caller may see it.
func (a *api) app(ctx context.Context, hash string) (domain.AppVersion, catalog.Sight, error) {
	sight, err := a.sight(ctx)
	if err != nil {
		return domain.AppVersion{}, sight, err
	}
	v, err := a.Catalog.FindHash(ctx, sight, hash)
	return v, sight, err
}

func (a *api) listApps(ctx context.Context, in *listAppsInput) (*body[[]client.App], error) {
	sight, err := a.sight(ctx)
	if err != nil {
		return nil, err
	}
	all, err := a.Catalog.Versions(ctx, sight)
	if err != nil {
		return nil, err
	}
	all, err = pageAfter(all, in.After, in.Limit, func(v domain.AppVersion) string { return v.Hash })
	if err != nil {
		return nil, err
	}
	out := []client.App{}
	for _, v := range all {
		out = append(out, appView(v))
	}
	return answer(out), nil
}

func (a *api) getApp(ctx context.Context, in *AppPath) (*body[client.App], error) {
	v, sight, err := a.app(ctx, in.Hash)
	if err != nil {
		return nil, err
	}
	origins, err := a.Catalog.Origins(ctx, v.Hash)
	if err != nil {
		return nil, err
	}
	out := appView(v)
	for _, o := range origins {
		if !sight.All {
			o.By = "" // participants see no names
		}
		out.Origins = append(out.Origins, client.AppOrigin{Kind: string(o.Kind), Place: o.Place, Ref: o.Ref, Commit: o.Commit, Folder: o.Folder,
			By: o.By, At: o.At})
	}
	return answer(out), nil
}

func (a *api) uploadApp(ctx context.Context, in *uploadApp) (*body[client.App], error) {
	if err := a.adds(ctx); err != nil {
		return nil, err
	}
	v, err := a.Catalog.Upload(ctx, callerOf(ctx).actor, in.Filename, bytes.NewReader(in.RawBody))
	if err != nil {
		return nil, err
	}
	return answer(appView(v)), nil
}

func (a *api) gitApp(ctx context.Context, in *gitApp) (*body[client.App], error) {
	if err := a.adds(ctx); err != nil {
		return nil, err
	}
	v, err := a.Catalog.FromGit(ctx, callerOf(ctx).actor, catalog.GitInput{Repository: in.Body.Repository, Ref: in.Body.Ref, Folder: in.Body.Folder})
	if err != nil {
		return nil, err
	}
	return answer(appView(v)), nil
}

//go:build !participant

package main

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
)

type appCmd struct {
	List   appListCmd   `cmd:"" op:"list-apps" help:"List app versions, newest first."`
	Show   appShowCmd   `cmd:"" op:"get-app" help:"Show one app version and its run config."`
	Add    appAddCmd    `cmd:"" op:"upload-app,add-git-app" help:"Add an app: a FAB, a folder, a zip, or a git repository."`
	Pull   appPullCmd   `cmd:"" op:"download-app" help:"Download the FAB of an app version."`
	Files  appFilesCmd  `cmd:"" op:"list-app-files" help:"List the files of an app version."`
	Cat    appCatCmd    `cmd:"" op:"get-app-file" help:"Print a file of an app version."`
	Diff   appDiffCmd   `cmd:"" op:"diff-app" help:"Print what differs from another version."`
	New    appNewCmd    `cmd:"" help:"Make a folder with a small Flower App that works."`
	Check  appCheckCmd  `cmd:"" help:"Check an app without a server: it builds, its components and imports exist in the pinned flwr, its dependencies resolve, and the run config keys that it reads are in pyproject.toml. Exit codes: 0 no problems, 3 warnings, 4 failures."`
	Try    appTryCmd    `cmd:"" help:"Run an app in a federation on this machine, which lasts as long as the command, and print its metrics. Needs no server. Exit codes: 0 the run completed, 11 it failed or nothing was trained, 130 interrupted."`
	Preset appPresetCmd `cmd:"" help:"Presets: named choices of run config values."`
}

type appPresetCmd struct {
	List   presetListCmd   `cmd:"" op:"list-presets" help:"List the presets of an app version."`
	Save   presetSaveCmd   `cmd:"" op:"save-preset" help:"Save a preset for all versions of an app."`
	Delete presetDeleteCmd `cmd:"" op:"delete-preset" help:"Delete a saved preset."`
}

// appArg names an app version.
type appArg struct {
	Hash string `arg:"" help:"SHA-256 of the app version, or publisher/name for its newest version."`
	remoteFlags
}

// with opens the server and returns the path of the app version.
func (c appArg) with(ctx context.Context, t *terminal) (*remote, string, error) {
	r, err := c.open(ctx, t)
	if err != nil {
		return nil, "", err
	}
	hash, err := r.appHash(ctx, c.Hash)
	return r, client.Path("/apps/%s", hash), err
}

// callApp calls an operation on an app version and prints its answer.
func callApp[T any](ctx context.Context, t *terminal, c appArg, path string, text func(io.Writer, T)) error {
	r, base, err := c.with(ctx, t)
	if err != nil {
		return err
	}
	var out T
	if err := r.do(ctx, http.MethodGet, base+path, nil, &out); err != nil {
		return err
	}
	return r.show(out, func(w io.Writer) { text(w, out) })
}

func listApps(w io.Writer, all []client.App) {
	var rows [][]any
	for _, a := range all {
		rows = append(rows, []any{a.ID, a.Version, a.Hash, a.Source, a.CreatedAt})
	}
	table(w, "APP VERSION HASH SOURCE ADDED", rows)
}

type appListCmd struct {
	Limit int `help:"How many at most." default:"500"`
	remoteFlags
}

// Run lists apps.
func (c *appListCmd) Run(ctx context.Context, t *terminal) error {
	return pages(ctx, t, c.remoteFlags, "/apps", url.Values{}, c.Limit, 500,
		func(a client.App) (string, string) { return "after", a.Hash }, listApps)
}

type appShowCmd struct{ appArg }

// Run shows an app version.
func (c *appShowCmd) Run(ctx context.Context, t *terminal) error {
	return callApp(ctx, t, c.appArg, "", func(w io.Writer, a client.App) {
		facts(w, "app", a.ID, "version", a.Version, "hash", a.Hash, "summary", a.Summary, "added", a.CreatedAt)
		for _, o := range a.Origins {
			facts(w, "from", strings.TrimSpace(o.Kind+" "+o.Place+" "+o.Commit+" "+o.Folder))
		}
		var rows [][]any
		for _, k := range a.Config {
			rows = append(rows, []any{k.Key, k.Kind, fmt.Sprint(k.Default), k.Help})
		}
		if len(rows) > 0 {
			fmt.Fprintln(w)
			table(w, "KEY KIND DEFAULT MEANING", rows)
		}
	})
}

type appAddCmd struct {
	Source string `arg:"" help:"A FAB, a zip or a folder on this machine, or https://… of a git repository."`
	Ref    string `help:"Commit, tag or branch of the repository. Default: its main branch."`
	Folder string `help:"The app's folder in the repository. Default: its top."`
	Git    bool   `help:"SOURCE is a git repository on the server (for admins)."`
	remoteFlags
}

// Run adds an app.
func (c *appAddCmd) Run(ctx context.Context, t *terminal) error {
	show := func(w io.Writer, a client.App) { listApps(w, []client.App{a}) }
	if c.Git || strings.HasPrefix(c.Source, "https://") {
		return call(ctx, t, c.remoteFlags, http.MethodPost, "/apps/git", client.GitApp{Repository: c.Source, Ref: c.Ref, Folder: c.Folder}, show)
	}
	r, err := c.open(ctx, t)
	if err != nil {
		return err
	}
	file, name, err := appFile(c.Source)
	if err != nil {
		return err
	}
	var a client.App
	if err := r.reached(r.Upload(ctx, "/apps?filename="+url.QueryEscape(name), file, &a)); err != nil {
		return err
	}
	return r.show(a, func(w io.Writer) { show(w, a) })
}

// appFile reads a FAB or zip, or packs a folder.
func appFile(path string) (file []byte, name string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, "", err
	}
	if info.IsDir() {
		file, err = zipFolder(path)
		return file, filepath.Base(path) + ".zip", err
	}
	if info.Size() > domain.MaxFAB {
		return nil, "", domain.Errorf(domain.TooLarge, "%s is larger than an app can be.",
			path).Fix("An app has at most %d MB. Keep data and models out of it.", domain.MaxFAB/1_000_000)
	}
	file, err = os.ReadFile(path)
	return file, filepath.Base(path), err
}

// leftOut are folders that are never part of an app.
var leftOut = map[string]bool{".git": true, "__pycache__": true, ".venv": true, "venv": true, "node_modules": true, ".pytest_cache": true,
	".ruff_cache": true, "dist": true, "build": true}

// zipFolder packs an app's folder. The server leaves out what Flower leaves out.
func zipFolder(dir string) ([]byte, error) {
	root, err := os.OpenRoot(dir) // a link does not lead out of it
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != dir && leftOut[d.Name()]:
			return filepath.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		text, err := root.ReadFile(name)
		if err != nil {
			return err
		}
		if out.Len()+len(text) > 2*domain.MaxFAB {
			return domain.Errorf(domain.TooLarge, "%s has too much for an app.", dir).Fix("Keep data, models and environments out of the folder.")
		}
		w, err := z.Create(filepath.ToSlash(name))
		if err == nil {
			_, err = w.Write(text)
		}
		return err
	})
	if err == nil {
		err = z.Close()
	}
	return out.Bytes(), err
}

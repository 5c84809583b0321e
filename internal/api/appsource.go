package api

import (
	"context"
	"net/http"

	"blossomtune/internal/catalog"
	"blossomtune/internal/client"
	"blossomtune/internal/domain"
	"blossomtune/internal/download"

	"github.com/danielgtaylor/huma/v2"
)

type appFilePath struct {
	AppPath
	File string `query:"path" maxLength:"500" doc:"As in the list of files"`
}

type appDiffPath struct {
	AppPath
	Against string `query:"against" maxLength:"64" doc:"Hash of the older version; left out: the one added before"`
}

func (a *api) appFAB(ctx context.Context, in *AppPath) (*huma.StreamResponse, error) {
	v, _, err := a.app(ctx, in.Hash)
	if err != nil {
		return nil, err
	}
	if v, err = a.Catalog.FAB(ctx, v.Hash); err != nil {
		return nil, err
	}
	return fileAnswer(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Disposition", `attachment; filename="`+v.FABName()+`"`)
		download.Bytes(w, r, v.FAB)
	}), nil
}

func (a *api) appFiles(ctx context.Context, in *AppPath) (*body[[]client.AppFile], error) {
	v, _, err := a.app(ctx, in.Hash)
	if err != nil {
		return nil, err
	}
	files, err := a.Catalog.Source(ctx, v.Hash)
	if err != nil {
		return nil, err
	}
	out := []client.AppFile{}
	for _, f := range files {
		out = append(out, client.AppFile(f))
	}
	return answer(out), nil
}

func (a *api) appFile(ctx context.Context, in *appFilePath) (*body[client.AppText], error) {
	v, _, err := a.app(ctx, in.Hash)
	if err != nil {
		return nil, err
	}
	t, err := a.Catalog.Text(ctx, v.Hash, in.File)
	if err != nil {
		return nil, err
	}
	return answer(client.AppText{AppFile: client.AppFile(t.File), Lines: append([]string{}, t.Lines...), Binary: t.Binary, Cut: t.Cut,
		Special: t.Special}), nil
}

func (a *api) appDiff(ctx context.Context, in *appDiffPath) (*body[client.AppDiff], error) {
	v, sight, err := a.app(ctx, in.Hash)
	if err != nil {
		return nil, err
	}
	var older domain.AppVersion
	if in.Against != "" {
		older, err = a.Catalog.FindHash(ctx, sight, in.Against)
	} else {
		older, err = a.Catalog.Before(ctx, sight, v)
	}
	if err != nil {
		return nil, err
	}
	d, err := a.Catalog.Diff(ctx, older.Hash, v.Hash)
	if err != nil {
		return nil, err
	}
	out := client.AppDiff{Older: older.Hash, Newer: v.Hash, Files: []client.AppFileDiff{}, Same: d.Same, Cut: d.Cut}
	for _, f := range d.Files {
		out.Files = append(out.Files, client.AppFileDiff{Path: f.Path, Change: string(f.Change), OldSize: f.OldSize, NewSize: f.NewSize,
			Binary: f.Binary, Large: f.Large, Added: f.Added, Removed: f.Removed, Lines: diffLines(f)})
	}
	return answer(out), nil
}

func diffLines(f catalog.FileDiff) []client.DiffLine {
	out := []client.DiffLine{}
	for _, p := range f.Parts {
		if p.Folded {
			continue
		}
		for _, l := range p.Lines {
			out = append(out, client.DiffLine{Op: string(l.Op), Old: l.Old, New: l.New, Text: l.Text})
		}
	}
	return out
}

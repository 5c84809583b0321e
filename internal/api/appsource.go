package api

import (
	"context"
	"net/http"

	"blossomtune/internal/catalog"
	"blossomtune/internal/domain"
	"blossomtune/internal/download"

	"github.com/danielgtaylor/huma/v2"
)

// AppFile is one file of an app version.
type AppFile struct {
	Path string `json:"path"`
	Size int64  `json:"size" doc:"Bytes"`
}

// AppText is a file as text.
type AppText struct {
	AppFile
	Lines   []string `json:"lines" doc:"Characters that one does not see are written by number; very long lines are cut, and say so"`
	Binary  bool     `json:"binary" doc:"No text: there are no lines"`
	Cut     bool     `json:"cut" doc:"The file has more than is here; the FAB has all of it"`
	Special int      `json:"special" doc:"How many characters were written by number"`
}

// AppDiff is what differs between two versions.
type AppDiff struct {
	Older string        `json:"older" doc:"Hash"`
	Newer string        `json:"newer" doc:"Hash"`
	Files []AppFileDiff `json:"files"`
	Same  int           `json:"same" doc:"How many files do not differ"`
	Cut   bool          `json:"cut" doc:"More differs than is here line by line"`
}

// AppFileDiff is one file that differs.
type AppFileDiff struct {
	Path    string     `json:"path"`
	Change  string     `json:"change" enum:"added,removed,changed"`
	OldSize int64      `json:"old_size"`
	NewSize int64      `json:"new_size"`
	Binary  bool       `json:"binary"`
	Large   bool       `json:"large" doc:"Too large for lines"`
	Added   int        `json:"added"`
	Removed int        `json:"removed"`
	Lines   []DiffLine `json:"lines" doc:"Those that changed, with up to 3 unchanged ones around"`
}

// DiffLine is one line of a comparison.
type DiffLine struct {
	Op   string `json:"op" enum:" ,-,+"`
	Old  int    `json:"old,omitempty"`
	New  int    `json:"new,omitempty"`
	Text string `json:"text"`
}

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

func (a *api) appFiles(ctx context.Context, in *AppPath) (*body[[]AppFile], error) {
	v, _, err := a.app(ctx, in.Hash)
	if err != nil {
		return nil, err
	}
	files, err := a.Catalog.Source(ctx, v.Hash)
	if err != nil {
		return nil, err
	}
	out := []AppFile{}
	for _, f := range files {
		out = append(out, AppFile(f))
	}
	return answer(out), nil
}

func (a *api) appFile(ctx context.Context, in *appFilePath) (*body[AppText], error) {
	v, _, err := a.app(ctx, in.Hash)
	if err != nil {
		return nil, err
	}
	t, err := a.Catalog.Text(ctx, v.Hash, in.File)
	if err != nil {
		return nil, err
	}
	return answer(AppText{AppFile(t.File), append([]string{}, t.Lines...), t.Binary, t.Cut, t.Special}), nil
}

func (a *api) appDiff(ctx context.Context, in *appDiffPath) (*body[AppDiff], error) {
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
	out := AppDiff{Older: older.Hash, Newer: v.Hash, Files: []AppFileDiff{}, Same: d.Same, Cut: d.Cut}
	for _, f := range d.Files {
		out.Files = append(out.Files, AppFileDiff{f.Path, string(f.Change), f.OldSize, f.NewSize, f.Binary, f.Large, f.Added, f.Removed, diffLines(f)})
	}
	return answer(out), nil
}

func diffLines(f catalog.FileDiff) []DiffLine {
	out := []DiffLine{}
	for _, p := range f.Parts {
		if p.Folded {
			continue
		}
		for _, l := range p.Lines {
			out = append(out, DiffLine{string(l.Op), l.Old, l.New, l.Text})
		}
	}
	return out
}

package apps

import (
	"context"
	"net/http"
	"path"
	"strings"

	"blossomtune/internal/catalog"
	"blossomtune/internal/domain"
	"blossomtune/internal/download"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// appDetail is the page of one app version.
type appDetail struct {
	sight   catalog.Sight
	app     domain.AppVersion
	others  []domain.AppVersion // of the same app, in sight
	origins []domain.AppOrigin
	runs    []domain.AppUse
	tree    []treeRow
	text    catalog.Text
	problem string // why there is no source to show
}

// treeRow is a folder or file of the tree.
type treeRow struct {
	name  string
	path  string // empty for folders
	size  int64
	depth int
}

func treeOf(files []catalog.File) []treeRow {
	var out []treeRow
	var open []string
	for _, f := range files {
		dirs := strings.Split(f.Path, "/")
		dirs = dirs[:len(dirs)-1]
		same := 0
		for same < len(dirs) && same < len(open) && dirs[same] == open[same] {
			same++
		}
		for i := same; i < len(dirs); i++ {
			out = append(out, treeRow{name: dirs[i] + "/", depth: i})
		}
		open = dirs
		out = append(out, treeRow{name: path.Base(f.Path), path: f.Path, size: f.Size, depth: len(dirs)})
	}
	return out
}

// findApp returns the app version of the address, if the visitor may see it.
func (s *Pages) findApp(ctx context.Context, r *http.Request, v *visit.Visit) (domain.AppVersion, catalog.Sight, error) {
	sight, err := s.Catalog.Sight(ctx, v.Person)
	if err != nil {
		return domain.AppVersion{}, sight, err
	}
	a, err := s.Catalog.Find(ctx, sight, r.PathValue("publisher"), r.PathValue("name"), r.PathValue("hash"))
	return a, sight, err
}

// Source is the page of one app version, with its files.
func (s *Pages) Source(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	ctx := r.Context()
	a, sight, err := s.findApp(ctx, r, v)
	if err != nil {
		return err
	}
	d := appDetail{sight: sight, app: a}
	if d.others, err = s.Catalog.Siblings(ctx, sight, a); err != nil {
		return err
	}
	if d.origins, err = s.Catalog.Origins(ctx, a.Hash); err != nil {
		return err
	}
	if d.runs, err = s.Catalog.RunsOf(ctx, sight, a.Hash, 20); err != nil {
		return err
	}
	if err := s.readSource(ctx, &d, r.URL.Query().Get("file")); err != nil {
		return err
	}
	s.Render(w, r, v, http.StatusOK, ui.Page{Title: a.ID() + " " + a.Version, Nav: "apps"}, appPage(d))
	return nil
}

func (s *Pages) readSource(ctx context.Context, d *appDetail, file string) error {
	files, err := s.Catalog.Source(ctx, d.app.Hash)
	if domain.CodeOf(err) == domain.Invalid {
		d.problem = visit.Problems(err)[0].Message
		return nil
	}
	if err != nil {
		return err
	}
	d.tree = treeOf(files)
	if file == "" {
		file = "pyproject.toml"
	}
	d.text, err = s.Catalog.Text(ctx, d.app.Hash, file)
	return err
}

// FAB sends the exact bytes that the hash stands for, under the name that Flower gives them.
func (s *Pages) FAB(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	a, _, err := s.findApp(r.Context(), r, v)
	if err != nil {
		return err
	}
	if a, err = s.Catalog.FAB(r.Context(), a.Hash); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", `attachment; filename="`+a.FABName()+`"`)
	h.Set("Cache-Control", "private, no-cache")
	download.Bytes(w, r, a.FAB)
	return nil
}

// appCompare is the page of what differs between two versions of an app.
type appCompare struct {
	app, against domain.AppVersion // against has Hash "" where there is only one version
	others       []domain.AppVersion
	diff         catalog.Diff
	split        bool
}

// Diff is what differs between two versions of an app.
func (s *Pages) Diff(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	ctx := r.Context()
	a, sight, err := s.findApp(ctx, r, v)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	if to := q.Get("version"); to != "" { // chosen in the form; the address holds it
		if a, err = s.Catalog.Find(ctx, sight, a.Publisher, a.Name, to); err != nil {
			return err
		}
		q.Del("version")
		http.Redirect(w, r, ui.AppURL(a)+"/diff?"+q.Encode(), http.StatusSeeOther)
		return nil
	}
	d := appCompare{app: a, split: q.Get("view") == "split"}
	if d.others, err = s.Catalog.Siblings(ctx, sight, a); err != nil {
		return err
	}
	if prefix := q.Get("against"); prefix != "" {
		if d.against, err = s.Catalog.Find(ctx, sight, a.Publisher, a.Name, prefix); err != nil {
			return err
		}
	} else if d.against, err = s.Catalog.Before(ctx, sight, a); err != nil && domain.CodeOf(err) != domain.Invalid {
		return err // there may be one version only
	}
	if d.against.Hash != "" {
		if d.diff, err = s.Catalog.Diff(ctx, d.against.Hash, a.Hash); err != nil {
			return err
		}
	}
	s.Render(w, r, v, http.StatusOK, ui.Page{Title: a.ID() + " " + a.Version + ", what changed", Nav: "apps"}, appDiffPage(d))
	return nil
}

// diffRow is a line of the split view: what was beside what is.
type diffRow struct{ old, new catalog.Line }

// sideBySide puts removed lines beside those that were added in their place.
func sideBySide(all []catalog.Line) []diffRow {
	var out []diffRow
	for i := 0; i < len(all); {
		if all[i].Op == catalog.Same {
			out = append(out, diffRow{all[i], all[i]})
			i++
			continue
		}
		var gone, come []catalog.Line
		for ; i < len(all) && all[i].Op != catalog.Same; i++ {
			if all[i].Op == catalog.Removed {
				gone = append(gone, all[i])
			} else {
				come = append(come, all[i])
			}
		}
		for k := range max(len(gone), len(come)) {
			var row diffRow
			if k < len(gone) {
				row.old = gone[k]
			}
			if k < len(come) {
				row.new = come[k]
			}
			out = append(out, row)
		}
	}
	return out
}

//go:build !participant

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"blossomtune/internal/client"
)

type appPullCmd struct {
	appArg
	To string `help:"File to write the FAB to." required:"" type:"path"`
}

// Run downloads a FAB.
func (c *appPullCmd) Run(ctx context.Context, t *terminal) error {
	r, path, err := c.with(ctx, t)
	if err != nil {
		return err
	}
	var fab strings.Builder
	if err := r.download(ctx, path+"/fab", &fab); err != nil {
		return err
	}
	if err := os.WriteFile(c.To, []byte(fab.String()), 0o644); err != nil {
		return err
	}
	return r.done(map[string]any{"file": c.To, "size": fab.Len()}, "The FAB is in %s.", c.To)
}

type appFilesCmd struct{ appArg }

// Run lists files.
func (c *appFilesCmd) Run(ctx context.Context, t *terminal) error {
	return callApp(ctx, t, c.appArg, "/files", func(w io.Writer, all []client.AppFile) {
		var rows [][]any
		for _, f := range all {
			rows = append(rows, []any{f.Path, f.Size})
		}
		table(w, "PATH BYTES", rows)
	})
}

type appCatCmd struct {
	appArg
	File string `arg:"" help:"The file, as in app files."`
}

// Run prints a file.
func (c *appCatCmd) Run(ctx context.Context, t *terminal) error {
	return callApp(ctx, t, c.appArg, "/file?path="+url.QueryEscape(c.File), func(w io.Writer, f client.AppText) {
		for _, line := range f.Lines {
			fmt.Fprintln(w, line)
		}
		if f.Binary || f.Cut {
			fmt.Fprintf(t.Err, "%s has %d bytes; not all of it is shown. app pull downloads the FAB.\n", f.Path, f.Size)
		}
	})
}

type appDiffCmd struct {
	appArg
	Against string `help:"Hash of the older version. Default: the one added before."`
}

// Run prints a comparison.
func (c *appDiffCmd) Run(ctx context.Context, t *terminal) error {
	path := "/diff"
	if c.Against != "" {
		path += "?against=" + url.QueryEscape(c.Against)
	}
	return callApp(ctx, t, c.appArg, path, func(w io.Writer, d client.AppDiff) {
		for _, f := range d.Files {
			fmt.Fprintf(w, "=== %s (%s, +%d -%d)\n", plain(f.Path), f.Change, f.Added, f.Removed)
			for _, l := range f.Lines {
				fmt.Fprintf(w, "%s%s\n", l.Op, plain(l.Text))
			}
		}
		fmt.Fprintf(w, "%d files are the same.\n", d.Same)
	})
}

func listPresets(w io.Writer, all []client.Preset) {
	var rows [][]any
	for _, p := range all {
		config := map[string]any{}
		for k, v := range p.Config {
			config[k] = v
		}
		rows = append(rows, []any{p.Name, p.Saved, p.By, configWords(config)})
	}
	table(w, "PRESET SAVED BY CONFIG", rows)
}

type presetListCmd struct{ appArg }

// Run lists presets.
func (c *presetListCmd) Run(ctx context.Context, t *terminal) error {
	return callApp(ctx, t, c.appArg, "/presets", listPresets)
}

type presetSaveCmd struct {
	appArg
	Name   string            `arg:"" help:"The preset's name."`
	Config map[string]string `help:"A run config value. Repeat it for several." short:"c" placeholder:"KEY=VALUE" mapsep:"none" required:""`
}

// Run saves a preset.
func (c *presetSaveCmd) Run(ctx context.Context, t *terminal) error {
	r, path, err := c.with(ctx, t)
	if err != nil {
		return err
	}
	var p client.Preset
	if err := r.do(ctx, http.MethodPut, path+client.Path("/presets/%s", c.Name), client.PresetConfig{Config: configValues(c.Config)},
		&p); err != nil {
		return err
	}
	return r.show(p, func(w io.Writer) { listPresets(w, []client.Preset{p}) })
}

type presetDeleteCmd struct {
	appArg
	Name string `arg:"" help:"The preset's name."`
}

// Run deletes a preset.
func (c *presetDeleteCmd) Run(ctx context.Context, t *terminal) error {
	r, path, err := c.with(ctx, t)
	if err == nil {
		err = r.do(ctx, http.MethodDelete, path+client.Path("/presets/%s", c.Name), nil, nil)
	}
	if err != nil {
		return err
	}
	return r.done(nil, "The preset is deleted.")
}

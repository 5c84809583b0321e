//go:build !participant

package main

import (
	"context"
	"io"
	"net/http"

	"blossomtune/internal/client"
)

type siteCmd struct {
	Show        siteShowCmd        `cmd:"" op:"get-settings" help:"Show the name, colours and texts of a server."`
	Set         siteSetCmd         `cmd:"" op:"change-settings" help:"Change some of them, all or none."`
	Containment siteContainmentCmd `cmd:"" op:"get-containment,set-containment" help:"Show how ServerApps are contained; with a flag, accept apps that cannot be, or end that."`
}

func listSettings(w io.Writer, all []client.Setting) {
	var rows [][]any
	for _, s := range all {
		value := s.Value
		if len(value) > 60 {
			value = value[:60] + "…"
		}
		rows = append(rows, []any{s.Key, s.Set, s.From, value})
	}
	table(w, "KEY SET FROM VALUE", rows)
}

type siteShowCmd struct{ remoteFlags }

// Run shows the settings of the site.
func (c *siteShowCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodGet, "/settings", nil, listSettings)
}

type siteSetCmd struct {
	Values map[string]string `arg:"" optional:"" help:"KEY=VALUE." mapsep:"none"`
	Reset  []string          `help:"A key that goes back to its default. Repeat it for several."`
	remoteFlags
}

// Run changes settings of the site.
func (c *siteSetCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodPut, "/settings", client.SettingsChange{Values: c.Values, Reset: c.Reset}, listSettings)
}

type siteContainmentCmd struct {
	remoteFlags
	Accept *bool `help:"Accept apps although the server cannot contain them, or end that (--no-accept)." negatable:""`
}

// Run shows or changes whether apps that cannot be contained are accepted.
func (c *siteContainmentCmd) Run(ctx context.Context, t *terminal) error {
	method, body := http.MethodGet, any(nil)
	if c.Accept != nil {
		method, body = http.MethodPut, client.ContainmentChange{Accept: *c.Accept}
	}
	return call(ctx, t, c.remoteFlags, method, "/containment", body, func(w io.Writer, v client.Containment) {
		facts(w, "level", string(v.Level), "uncontained apps accepted", v.Accepted)
	})
}

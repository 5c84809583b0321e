//go:build !participant

package main

import (
	"context"
	"io"
	"net/http"

	"blossomtune/internal/client"
)

type notificationCmd struct {
	List notificationListCmd `cmd:"" op:"get-notifications" help:"List how you are notified by mail."`
	Set  notificationSetCmd  `cmd:"" op:"choose-notifications" help:"Choose how you are notified by mail."`
}

func listNotifications(w io.Writer, all []client.Notifications) {
	var rows [][]any
	for _, f := range all {
		slug := f.Federation
		if slug == "" {
			slug = "(server)"
		}
		for _, k := range f.Kinds {
			rows = append(rows, []any{slug, k.Kind, k.Mode, k.Chosen})
		}
	}
	table(w, "FEDERATION EVENT MODE CHOSEN", rows)
}

type notificationListCmd struct{ remoteFlags }

// Run lists the caller's preferences.
func (c *notificationListCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodGet, "/me/notifications", nil, listNotifications)
}

type notificationSetCmd struct {
	Modes      map[string]string `arg:"" help:"A kind of event and off, now or daily, such as run_failed=now." placeholder:"KIND=MODE"`
	Federation string            `help:"The federation's part of an address. Without it: events about the server, for admins."`
	remoteFlags
}

// Run changes the caller's preferences.
func (c *notificationSetCmd) Run(ctx context.Context, t *terminal) error {
	in := client.NotificationChoice{Federation: c.Federation, Modes: c.Modes}
	return call(ctx, t, c.remoteFlags, http.MethodPatch, "/me/notifications", in, listNotifications)
}

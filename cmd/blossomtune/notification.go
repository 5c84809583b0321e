//go:build !participant

package main

import (
	"context"
	"io"
	"net/http"

	"blossomtune/internal/client"
)

type notificationCmd struct {
	List  notificationListCmd  `cmd:"" op:"get-notifications" help:"List how you are notified by mail."`
	Set   notificationSetCmd   `cmd:"" op:"choose-notifications" help:"Choose how you are notified by mail."`
	Rules notificationRulesCmd `cmd:"" op:"get-notification-rules,set-notification-rules" help:"Show the delays before managers are notified, for example of an offline SuperNode. Flags change them."`
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

type notificationRulesCmd struct {
	fedArg
	Offline     *int  `help:"Notify of SuperNodes that are offline for this many minutes; 0: never." placeholder:"MINUTES"`
	Unconnected *int  `help:"Notify of people who were approved this many hours ago and have never connected; 0: never." placeholder:"HOURS"`
	Waiting     *int  `help:"Notify of requests that wait for this many hours; 0: never." placeholder:"HOURS"`
	Remind      *bool `help:"Remind people once who have not connected by then." negatable:""`
}

// Run shows or changes the rules.
func (c *notificationRulesCmd) Run(ctx context.Context, t *terminal) error {
	in := client.NotificationRulesChange{Offline: c.Offline, Unconnected: c.Unconnected, Waiting: c.Waiting, Remind: c.Remind}
	method := http.MethodPatch
	var body any = in
	if in == (client.NotificationRulesChange{}) {
		method, body = http.MethodGet, nil
	}
	return call(ctx, t, c.remoteFlags, method, c.path("/notification-rules"), body, func(w io.Writer, r client.NotificationRules) {
		facts(w, "offline (minutes)", r.Offline, "unconnected (hours)", r.Unconnected, "waiting (hours)", r.Waiting, "remind", r.Remind)
	})
}

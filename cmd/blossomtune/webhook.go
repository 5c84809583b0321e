//go:build !participant

package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
)

type webhookCmd struct {
	List       webhookListCmd       `cmd:"" op:"list-webhooks" help:"List the webhooks of a federation."`
	Add        webhookAddCmd        `cmd:"" op:"add-webhook" help:"Add a webhook. Its URL, and on a second line the access token for Matrix, are read from standard input. Its secret is shown only here."`
	Change     webhookChangeCmd     `cmd:"" op:"change-webhook" help:"Change a webhook. Flags that are not given change nothing."`
	Delete     webhookDeleteCmd     `cmd:"" op:"delete-webhook" help:"Delete a webhook with its deliveries."`
	Test       webhookTestCmd       `cmd:"" op:"test-webhook" help:"Queue a test notification."`
	Secret     webhookSecretCmd     `cmd:"" op:"renew-webhook-secret" help:"Replace the secret of a webhook. It is shown only here."`
	Deliveries webhookDeliveriesCmd `cmd:"" op:"list-deliveries" help:"List the deliveries of a webhook, newest first."`
}

// hooksArg names whose webhooks are meant.
type hooksArg struct {
	Federation string `arg:"" help:"The federation's part of an address, or - for the webhooks of the server."`
	remoteFlags
}

func (a hooksArg) path(format string, args ...any) string {
	return client.Path("/federations/%s/webhooks", a.Federation) + client.Path(format, args...)
}

// hookArg names a webhook.
type hookArg struct {
	hooksArg
	ID int64 `arg:"" help:"The webhook's id, as in webhook list."`
}

func showWebhook(w io.Writer, h client.Webhook) {
	facts(w, "webhook", h.ID, "name", h.Name, "host", h.Host, "format", h.Format, "events", strings.Join(h.Kinds, ", "),
		"private addresses", h.Private, "paused", h.Paused, "secret", h.Secret)
}

// readURL reads a webhook's URL, and its access token if there is one: both are secrets, so they are no arguments.
func readURL(t *terminal) (address, token string, err error) {
	lines := bufio.NewScanner(io.LimitReader(t.In, 8<<10))
	var got [2]string
	for i := range got {
		if lines.Scan() {
			got[i] = strings.TrimSpace(lines.Text())
		}
	}
	if err := lines.Err(); err != nil {
		return "", "", err
	}
	if got[0] == "" {
		return "", "", domain.Errorf(domain.Invalid, "Standard input has no URL.").Fix("Write the URL on the first line.")
	}
	return got[0], got[1], nil
}

type webhookListCmd struct{ hooksArg }

// Run lists webhooks.
func (c *webhookListCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodGet, c.path(""), nil, func(w io.Writer, all []client.Webhook) {
		var rows [][]any
		for _, h := range all {
			rows = append(rows, []any{h.ID, h.Name, h.Host, h.Format, h.Paused, strings.Join(h.Kinds, ",")})
		}
		table(w, "ID NAME HOST FORMAT PAUSED EVENTS", rows)
	})
}

type webhookAddCmd struct {
	hooksArg
	Name    string   `help:"Its name." required:""`
	Format  string   `help:"What it is sent." enum:"json,slack,matrix,text" default:"json"`
	Event   []string `help:"A kind of event, such as run_failed. Repeat it for several." required:"" placeholder:"KIND"`
	Private bool     `help:"Let it reach private addresses and plain HTTP. Only instance admins can."`
}

// Run adds a webhook.
func (c *webhookAddCmd) Run(ctx context.Context, t *terminal) error {
	address, token, err := readURL(t)
	if err != nil {
		return err
	}
	in := client.NewWebhook{Format: c.Format, WebhookFields: client.WebhookFields{Name: c.Name, URL: address, Token: token, Kinds: c.Event,
		Private: c.Private}}
	return call(ctx, t, c.remoteFlags, http.MethodPost, c.path(""), in, showWebhook)
}

type webhookChangeCmd struct {
	hookArg
	Name    *string  `help:"Its name."`
	Event   []string `help:"A kind of event that it is sent from now on, instead of the present ones. Repeat it for several." placeholder:"KIND"`
	NewURL  bool     `name:"new-url" help:"Read another URL, and on a second line another access token, from standard input."`
	Private *bool    `help:"Let it reach private addresses and plain HTTP. Only instance admins can." negatable:""`
	Paused  *bool    `help:"Send it nothing for now." negatable:""`
}

// Run changes a webhook.
func (c *webhookChangeCmd) Run(ctx context.Context, t *terminal) error {
	r, err := c.open(ctx, t)
	if err != nil {
		return err
	}
	var all []client.Webhook
	if err := r.do(ctx, http.MethodGet, c.path(""), nil, &all); err != nil {
		return err
	}
	for _, h := range all {
		if h.ID != c.ID {
			continue
		}
		in := client.WebhookFields{Name: h.Name, Kinds: h.Kinds, Private: h.Private, Paused: h.Paused}
		set(&in.Name, c.Name)
		set(&in.Private, c.Private)
		set(&in.Paused, c.Paused)
		if len(c.Event) > 0 {
			in.Kinds = c.Event
		}
		if c.NewURL {
			if in.URL, in.Token, err = readURL(t); err != nil {
				return err
			}
		}
		if err := r.do(ctx, http.MethodPut, c.path("/%d", c.ID), in, &h); err != nil {
			return err
		}
		return r.show(h, func(w io.Writer) { showWebhook(w, h) })
	}
	return domain.Errorf(domain.NotFound, "There is no webhook %d.", c.ID).Fix("blossomtune webhook list %s lists them.", c.Federation)
}

type webhookDeleteCmd struct{ hookArg }

// Run deletes a webhook.
func (c *webhookDeleteCmd) Run(ctx context.Context, t *terminal) error {
	return act(ctx, t, c.remoteFlags, http.MethodDelete, c.path("/%d", c.ID), nil, "The webhook is deleted.")
}

type webhookTestCmd struct{ hookArg }

// Run tests a webhook.
func (c *webhookTestCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodPost, c.path("/%d/test", c.ID), nil,
		func(w io.Writer, d client.Delivery) { listDeliveries(w, []client.Delivery{d}) })
}

type webhookSecretCmd struct{ hookArg }

// Run replaces a webhook's secret.
func (c *webhookSecretCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodPost, c.path("/%d/secret", c.ID), nil, showWebhook)
}

type webhookDeliveriesCmd struct {
	hookArg
	Limit int `help:"How many at most." default:"50"`
}

// Run lists deliveries.
func (c *webhookDeliveriesCmd) Run(ctx context.Context, t *terminal) error {
	return pages(ctx, t, c.remoteFlags, c.path("/%d/deliveries", c.ID), url.Values{}, c.Limit, 200,
		func(d client.Delivery) (string, string) { return "before", strconv.FormatInt(d.ID, 10) }, listDeliveries)
}

func listDeliveries(w io.Writer, all []client.Delivery) {
	var rows [][]any
	for _, d := range all {
		rows = append(rows, []any{d.ID, d.Kind, d.State, d.Tries, d.Status, d.Error, d.CreatedAt})
	}
	table(w, "ID EVENT STATE TRIES STATUS ERROR CREATED", rows)
}

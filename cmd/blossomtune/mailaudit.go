//go:build !participant

package main

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"blossomtune/internal/client"
)

type mailCmd struct {
	List   mailListCmd   `cmd:"" op:"list-mails" help:"List the newest mails of the outbox."`
	Resend mailResendCmd `cmd:"" op:"resend-mail" help:"Send a mail of the outbox again."`
}

type mailListCmd struct {
	Limit int `help:"How many at most." default:"100"`
	remoteFlags
}

// Run lists mails.
func (c *mailListCmd) Run(ctx context.Context, t *terminal) error {
	after := func(m client.Mail) (string, string) { return "after", strconv.FormatInt(m.ID, 10) }
	return pages(ctx, t, c.remoteFlags, "/mails", url.Values{}, c.Limit, 500, after, func(w io.Writer, all []client.Mail) {
		var rows [][]any
		for _, m := range all {
			rows = append(rows, []any{m.ID, m.State, m.To, m.Subject, m.LastError, m.CreatedAt})
		}
		table(w, "ID STATE TO SUBJECT ERROR CREATED", rows)
	})
}

type mailResendCmd struct {
	ID int64 `arg:"" help:"The mail's id, as in mail list."`
	remoteFlags
}

// Run sends a mail again.
func (c *mailResendCmd) Run(ctx context.Context, t *terminal) error {
	return act(ctx, t, c.remoteFlags, http.MethodPost, client.Path("/mails/%d/resend", c.ID), nil, "The mail is queued again.")
}

type auditCmd struct {
	List  auditListCmd  `cmd:"" op:"list-audit" help:"List audit entries, newest first."`
	Check auditCheckCmd `cmd:"" op:"check-audit" help:"Check the audit's chain of hashes. Exit code 1: it is broken."`
}

type auditListCmd struct {
	remoteFlags
	Search string `help:"Part of the name of who did it."`
	Action string `help:"Only this action, such as run.launched."`
	Limit  int    `help:"How many at most." default:"100"`
}

// Run lists audit entries.
func (c *auditListCmd) Run(ctx context.Context, t *terminal) error {
	return pages(ctx, t, c.remoteFlags, "/audit", url.Values{"search": {c.Search}, "action": {c.Action}}, c.Limit, 200,
		func(e client.AuditEntry) (string, string) { return "before", strconv.FormatInt(e.ID, 10) },
		func(w io.Writer, all []client.AuditEntry) {
			var rows [][]any
			for _, e := range all {
				rows = append(rows, []any{e.ID, e.At, e.Actor, e.Action, e.Kind + " " + e.Object, detailWords(e.Detail)})
			}
			table(w, "ID AT ACTOR ACTION TARGET DETAIL", rows)
		})
}

type auditCheckCmd struct{ remoteFlags }

// Run checks the audit.
func (c *auditCheckCmd) Run(ctx context.Context, t *terminal) error {
	whole := false
	err := call(ctx, t, c.remoteFlags, http.MethodGet, "/audit/check", nil, func(w io.Writer, a client.AuditChain) {
		whole = a.Whole
		fault := any(nil)
		if a.Fault != 0 {
			fault = a.Fault
		}
		facts(w, "whole", a.Whole, "entries", a.Entries, "chained since", a.Since, "newest hash", a.Hash, "first bad entry", fault)
	})
	if err == nil && !whole && c.Output == "table" {
		err = withExit{errQuiet, 1}
	}
	return err
}

func detailWords(detail map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(detail)) {
		out = append(out, k+"="+detail[k])
	}
	return strings.Join(out, " ")
}

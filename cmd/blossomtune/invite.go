//go:build !participant

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"blossomtune/internal/client"
)

type inviteCmd struct {
	List   inviteListCmd   `cmd:"" op:"list-invitations" help:"List a federation's invitations."`
	Create inviteCreateCmd `cmd:"" op:"invite" help:"Create an invitation. Its link is shown only here."`
	Import inviteImportCmd `cmd:"" op:"import-invitations" help:"Invite people by mail: one address a line on standard input."`
	Revoke inviteRevokeCmd `cmd:"" op:"revoke-invitation" help:"Revoke an invitation."`
	Rules  inviteRulesCmd  `cmd:"" help:"Rules that approve requests without a review."`
}

type inviteRulesCmd struct {
	List ruleListCmd `cmd:"" op:"list-rules" help:"List the rules."`
	Add  ruleAddCmd  `cmd:"" op:"add-rule" help:"Approve requests of a domain or organisation without a review."`
	Drop ruleDropCmd `cmd:"" op:"drop-rule" help:"Remove a rule."`
}

type inviteListCmd struct {
	fedArg
	Limit int `help:"How many at most." default:"1000"`
}

// Run lists invitations.
func (c *inviteListCmd) Run(ctx context.Context, t *terminal) error {
	q := url.Values{"limit": {"none"}} // pages have 100 each
	return pages(ctx, t, c.remoteFlags, c.path("/invitations"), q, c.Limit, 100,
		func(i client.Invitation) (string, string) { return "before", strconv.FormatInt(i.ID, 10) },
		func(w io.Writer, all []client.Invitation) {
			var rows [][]any
			for _, i := range all {
				rows = append(rows, []any{i.ID, i.Note, i.Email + i.Domain, fmt.Sprintf("%d/%d", i.Used, i.Uses), i.Auto, i.Ended, i.ExpiresAt})
			}
			table(w, "ID NOTE FOR USED AUTO ENDED EXPIRES", rows)
		})
}

type inviteCreateCmd struct {
	fedArg
	Note   string `help:"What it is for."`
	Domain string `help:"Only for this e-mail domain."`
	Uses   int    `help:"How often it can be used." default:"1"`
	Days   int    `help:"How long it works." default:"14"`
	Auto   bool   `help:"Approve people who use it without a review."`
}

// Run creates an invitation.
func (c *inviteCreateCmd) Run(ctx context.Context, t *terminal) error {
	in := client.NewInvitation{Note: c.Note, Domain: c.Domain, Uses: c.Uses, Days: c.Days, Auto: c.Auto}
	return call(ctx, t, c.remoteFlags, http.MethodPost, c.path("/invitations"), in, func(w io.Writer, i client.Invitation) {
		facts(w, "invitation", i.ID, "link", i.Link, "expires", i.ExpiresAt)
	})
}

type inviteImportCmd struct {
	fedArg
	Days int  `help:"How long the invitations work." default:"14"`
	Auto bool `help:"Approve people who use them without a review."`
}

// Run invites a list of addresses.
func (c *inviteImportCmd) Run(ctx context.Context, t *terminal) error {
	text, err := io.ReadAll(io.LimitReader(t.In, 1<<20))
	if err != nil {
		return err
	}
	in := client.InvitationImport{Emails: string(text), Days: c.Days, Auto: c.Auto}
	return call(ctx, t, c.remoteFlags, http.MethodPost, c.path("/invitations/import"), in, func(w io.Writer, d client.Imported) {
		facts(w, "invited", strings.Join(d.Invited, ", "), "already known", strings.Join(d.Known, ", "))
	})
}

// idArg names something of a federation by its number.
type idArg struct {
	fedArg
	ID int64 `arg:"" help:"Its id, as in the list."`
}

type inviteRevokeCmd struct{ idArg }

// Run revokes an invitation.
func (c *inviteRevokeCmd) Run(ctx context.Context, t *terminal) error {
	return act(ctx, t, c.remoteFlags, http.MethodDelete, c.path("/invitations/%d", c.ID), nil, "The invitation is revoked.")
}

type ruleListCmd struct{ fedArg }

// Run lists rules.
func (c *ruleListCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodGet, c.path("/rules"), nil, listRules)
}

func listRules(w io.Writer, all []client.Rule) {
	var rows [][]any
	for _, r := range all {
		rows = append(rows, []any{r.ID, r.Kind, r.Value})
	}
	table(w, "ID KIND VALUE", rows)
}

type ruleAddCmd struct {
	fedArg
	Kind  string `arg:"" help:"domain or organisation." enum:"domain,organisation"`
	Value string `arg:"" help:"The domain, like uni.example, or the organisation, like huggingface:acme."`
}

// Run adds a rule.
func (c *ruleAddCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodPost, c.path("/rules"), client.NewRule{Kind: c.Kind, Value: c.Value},
		func(w io.Writer, r client.Rule) { listRules(w, []client.Rule{r}) })
}

type ruleDropCmd struct{ idArg }

// Run removes a rule.
func (c *ruleDropCmd) Run(ctx context.Context, t *terminal) error {
	return act(ctx, t, c.remoteFlags, http.MethodDelete, c.path("/rules/%d", c.ID), nil, "The rule is removed.")
}

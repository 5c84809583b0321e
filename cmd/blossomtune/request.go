//go:build !participant

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"

	"blossomtune/internal/client"
)

type requestCmd struct {
	List      requestListCmd      `cmd:"" op:"list-requests" help:"List requests to join a federation."`
	Ask       requestAskCmd       `cmd:"" op:"ask" help:"Ask to join a federation. Needs no token."`
	Verify    requestVerifyCmd    `cmd:"" op:"verify" help:"Enter the code that was mailed; it is read from standard input. Needs no token."`
	Resend    requestResendCmd    `cmd:"" op:"resend" help:"Mail a new code. Needs no token."`
	Approve   requestApproveCmd   `cmd:"" op:"approve" help:"Approve requests with the next free partitions, or one with a given one."`
	Reject    requestRejectCmd    `cmd:"" op:"reject" help:"Reject a request."`
	Revoke    requestRevokeCmd    `cmd:"" op:"revoke" help:"Revoke an approved participant's access."`
	Remind    requestRemindCmd    `cmd:"" op:"remind" help:"Remind people by mail who were approved and have never connected, at most once a day."`
	Mine      requestMineCmd      `cmd:"" op:"my-requests" help:"List your own requests."`
	Withdraw  requestWithdrawCmd  `cmd:"" op:"withdraw" help:"Withdraw your own request, if it is not decided."`
	Token     requestTokenCmd     `cmd:"" op:"make-join-command" help:"Print a join command for your own approved request. Its token is shown only here."`
	Challenge requestChallengeCmd `cmd:"" op:"make-challenge" help:"Print a text to sign, which proves that a key is yours."`
	Key       requestKeyCmd       `cmd:"" op:"upload-key" help:"Enrol a key that you made by hand, for plain Flower."`
}

// refArg names a request.
type refArg struct {
	Ref string `arg:"" help:"The request's id."`
	remoteFlags
}

func listRequests(w io.Writer, all []client.Request) {
	var rows [][]any
	for _, r := range all {
		rows = append(rows, []any{r.Ref, r.Federation, r.State, r.Partition, r.Name, r.Organisation, r.Email, r.CreatedAt})
	}
	table(w, "REQUEST FEDERATION STATE PARTITION NAME ORGANISATION EMAIL CREATED", rows)
}

func showRequest(w io.Writer, r client.Request) { listRequests(w, []client.Request{r}) }

type requestListCmd struct {
	fedArg
	State  []string `help:"Only these states." enum:"unverified,pending,approved,rejected,revoked,withdrawn,expired"`
	Search string   `help:"Part of a name, organisation or address."`
	Sort   string   `help:"The order." enum:"newest,oldest,name,organisation,partition,decided" default:"newest"`
	Limit  int      `help:"How many at most." default:"1000"`
}

// Run lists requests.
func (c *requestListCmd) Run(ctx context.Context, t *terminal) error {
	q := url.Values{"state": c.State, "search": {c.Search}, "sort": {c.Sort}}
	return pages(ctx, t, c.remoteFlags, c.path("/requests"), q, c.Limit, 500,
		func(r client.Request) (string, string) { return "after", r.Ref }, listRequests)
}

// pages prints a list that the server gives out in parts: each part begins after the last entry of the one before, whose cursor is that
// parameter's value.
func pages[T any](ctx context.Context, t *terminal, f remoteFlags, path string, q url.Values, limit, page int,
	cursor func(T) (name, value string),
	text func(io.Writer, []T)) error {
	r, err := f.open(ctx, t)
	if err != nil {
		return err
	}
	all := []T{}
	for len(all) < limit {
		most := min(page, limit-len(all))
		if q.Get("limit") != "none" {
			q.Set("limit", strconv.Itoa(most))
		}
		var part []T
		if err := r.do(ctx, http.MethodGet, path+"?"+given0(q).Encode(), nil, &part); err != nil {
			return err
		}
		all = append(all, part...)
		if len(part) < most {
			break
		}
		name, value := cursor(part[len(part)-1])
		q.Set(name, value)
	}
	return r.show(all, func(w io.Writer) { text(w, all) })
}

// given0 leaves out parameters without a value.
func given0(q url.Values) url.Values {
	out := url.Values{}
	for k, vs := range q {
		for _, v := range vs {
			if v != "" && v != "none" {
				out.Add(k, v)
			}
		}
	}
	return out
}

type requestAskCmd struct {
	fedArg
	Email        string `help:"Your address; a code is mailed to it." required:""`
	Name         string `help:"Your name." required:""`
	Organisation string `help:"Your organisation."`
	Message      string `help:"A message to the managers."`
	Invitation   string `help:"The last part of an invitation's link."`
}

// Run asks to join.
func (c *requestAskCmd) Run(ctx context.Context, t *terminal) error {
	in := client.Ask{Email: c.Email, Name: c.Name, Organisation: c.Organisation, Message: c.Message, Invitation: c.Invitation}
	return call(ctx, t, c.remoteFlags, http.MethodPost, c.path("/requests"), in, func(w io.Writer, a client.Asked) {
		fmt.Fprintf(w, "Your request is %s. Enter the mailed code with: blossomtune request verify %s\n", plain(a.Ref), plain(a.Ref))
	})
}

type requestVerifyCmd struct{ refArg }

// Run enters a code.
func (c *requestVerifyCmd) Run(ctx context.Context, t *terminal) error {
	code, err := readSecret(t, "Code: ", 100)
	if err != nil {
		return err
	}
	return call(ctx, t, c.remoteFlags, http.MethodPost, client.Path("/requests/%s/verify", c.Ref), client.Verify{Code: code}, showRequest)
}

type requestResendCmd struct{ refArg }

// Run has a new code mailed.
func (c *requestResendCmd) Run(ctx context.Context, t *terminal) error {
	return act(ctx, t, c.remoteFlags, http.MethodPost, client.Path("/requests/%s/resend", c.Ref), nil, "A new code is mailed.")
}

type requestApproveCmd struct {
	fedArg
	Refs      []string `arg:"" help:"The requests' ids."`
	Partition *int     `help:"The partition, for one request. Default: the next free ones."`
}

// Run approves requests.
func (c *requestApproveCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodPost, c.path("/requests/approve"), client.Approve{Refs: c.Refs, Partition: c.Partition},
		listRequests)
}

// reasonArg is why a request is decided as it is.
type reasonArg struct {
	refArg
	Reason string `help:"The reason; it is mailed to the person." required:""`
}

type requestRejectCmd struct{ reasonArg }

// Run rejects a request.
func (c *requestRejectCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodPost, client.Path("/requests/%s/reject", c.Ref), client.Reason{Reason: c.Reason},
		showRequest)
}

type requestRevokeCmd struct{ reasonArg }

// Run revokes a participant's access.
func (c *requestRevokeCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodPost, client.Path("/requests/%s/revoke", c.Ref), client.Reason{Reason: c.Reason},
		showRequest)
}

type requestMineCmd struct{ remoteFlags }

// Run lists the caller's requests.
func (c *requestMineCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodGet, "/me/requests", nil, listRequests)
}

type requestWithdrawCmd struct{ refArg }

// Run withdraws a request.
func (c *requestWithdrawCmd) Run(ctx context.Context, t *terminal) error {
	return act(ctx, t, c.remoteFlags, http.MethodPost, client.Path("/me/requests/%s/withdraw", c.Ref), nil, "The request %s is withdrawn.",
		c.Ref)
}

type requestTokenCmd struct{ refArg }

// Run prints a join command.
func (c *requestTokenCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodPost, client.Path("/me/requests/%s/token", c.Ref), nil,
		func(w io.Writer, j client.JoinCommand) {
			fmt.Fprintln(w, plain(j.Command))
		})
}

type requestChallengeCmd struct{ refArg }

// Run prints a text to sign.
func (c *requestChallengeCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodPost, client.Path("/me/requests/%s/challenge", c.Ref), nil,
		func(w io.Writer, v client.Challenge) {
			fmt.Fprint(w, v.Challenge)
		})
}

type requestKeyCmd struct {
	refArg
	Key       string `help:"File with the public key (PEM)." required:"" type:"existingfile"`
	Challenge string `help:"File with the text of request challenge." required:"" type:"existingfile"`
	Signature string `help:"File with its signature, as ssh-keygen -Y sign -n blossomtune wrote it." required:"" type:"existingfile"`
}

// Run enrols a key.
func (c *requestKeyCmd) Run(ctx context.Context, t *terminal) error {
	var in client.UploadKey
	for file, to := range map[string]*string{c.Key: &in.PublicKey, c.Challenge: &in.Challenge, c.Signature: &in.Signature} {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		*to = string(text)
	}
	return call(ctx, t, c.remoteFlags, http.MethodPost, client.Path("/me/requests/%s/key", c.Ref), in,
		func(w io.Writer, k client.UploadedKey) {
			facts(w, "key", k.Fingerprint, "partition", k.Partition)
		})
}

//go:build !participant

package main

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"net/url"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
)

type federationCmd struct {
	List      federationListCmd      `cmd:"" op:"list-federations" help:"List the federations that you are in."`
	Show      federationShowCmd      `cmd:"" op:"get-federation" help:"Show one federation."`
	Create    federationCreateCmd    `cmd:"" op:"create-federation" help:"Create a federation."`
	Configure federationConfigureCmd `cmd:"" op:"configure-federation" help:"Change a federation's texts, and how people ask to join. Flags that are not given change nothing."`
	Resize    federationResizeCmd    `cmd:"" op:"resize-federation" help:"Change the total number of partitions."`
	Start     federationStartCmd     `cmd:"" op:"set-superlink" help:"Start the SuperLink."`
	Stop      federationStopCmd      `cmd:"" op:"set-superlink" help:"Stop the SuperLink."`
	Policy    federationPolicyCmd    `cmd:"" op:"get-run-policy,set-run-policy" help:"Show how a federation runs its apps; with flags, change it."`
}

// fedArg names a federation.
type fedArg struct {
	Federation string `arg:"" help:"The federation's part of an address."`
	remoteFlags
}

func (f fedArg) path(format string, args ...any) string {
	return client.Path("/federations/%s", f.Federation) + client.Path(format, args...)
}

func showFederation(w io.Writer, f client.Federation) {
	facts(w, "federation", f.Slug, "name", f.Name, "description", f.Description, "partitions", f.Partitions, "role", f.Role,
		"superlink", superLinkWords(f.SuperLink), "created", f.CreatedAt)
	if a := f.Asking; a != nil {
		facts(w, "proof", a.Proof, "question", a.Question, "answer needed", a.AnswerNeeded, "invitations only", a.InvitationsOnly)
	}
}

func superLinkWords(s client.SuperLink) string {
	words := s.State
	if s.Reason != "" {
		words += ": " + s.Reason
	}
	return words + " (" + s.Engine + ")"
}

type federationListCmd struct {
	Limit int `help:"How many at most." default:"500"`
	remoteFlags
}

// Run lists federations.
func (c *federationListCmd) Run(ctx context.Context, t *terminal) error {
	after := func(f client.Federation) (string, string) { return "after", f.Slug }
	return pages(ctx, t, c.remoteFlags, "/federations", url.Values{}, c.Limit, 500, after, func(w io.Writer, all []client.Federation) {
		var rows [][]any
		for _, f := range all {
			rows = append(rows, []any{f.Slug, f.Name, f.Partitions, f.Role, superLinkWords(f.SuperLink)})
		}
		table(w, "FEDERATION NAME PARTITIONS ROLE SUPERLINK", rows)
	})
}

type federationShowCmd struct{ fedArg }

// Run shows a federation.
func (c *federationShowCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodGet, c.path(""), nil, showFederation)
}

type federationCreateCmd struct {
	fedArg
	Name        string `help:"Its name. Default: FEDERATION."`
	Description string `help:"What it is for."`
	Partitions  int    `help:"Total number of partitions." required:""`
	Engine      string `help:"Its SuperLink: part of this program, Flower's own, or the server's default." enum:"default,builtin,flower" default:"default"`
}

// Run creates a federation.
func (c *federationCreateCmd) Run(ctx context.Context, t *terminal) error {
	in := client.NewFederation{Slug: c.Federation, Name: cmp.Or(c.Name, c.Federation), Description: c.Description, Partitions: c.Partitions,
		Engine: c.Engine}
	return call(ctx, t, c.remoteFlags, http.MethodPost, "/federations", in, showFederation)
}

type federationConfigureCmd struct {
	fedArg
	Name            *string `help:"Its name."`
	Description     *string `help:"What it is for."`
	Proof           *string `help:"What people prove who ask to join: both an account at a sign-in provider and their address, or either." enum:"both,either" placeholder:"both|either"`
	Question        *string `help:"A question to people who ask to join."`
	AnswerNeeded    *bool   `help:"They must answer it." negatable:""`
	InvitationsOnly *bool   `help:"Only people with an invitation can ask." negatable:""`
}

// Run changes a federation's settings.
func (c *federationConfigureCmd) Run(ctx context.Context, t *terminal) error {
	r, err := c.open(ctx, t)
	if err != nil {
		return err
	}
	var f client.Federation
	if err := r.do(ctx, http.MethodGet, c.path(""), nil, &f); err != nil {
		return err
	}
	if f.Asking == nil {
		return domain.Errorf(domain.Forbidden, "This needs the role of a manager.").Fix("Ask a manager of %s.", f.Name)
	}
	in := client.FederationSettings{Name: f.Name, Description: f.Description, Asking: *f.Asking}
	set(&in.Name, c.Name)
	set(&in.Description, c.Description)
	set(&in.Proof, c.Proof)
	set(&in.Question, c.Question)
	set(&in.AnswerNeeded, c.AnswerNeeded)
	set(&in.InvitationsOnly, c.InvitationsOnly)
	if err := r.do(ctx, http.MethodPut, c.path("/settings"), in, &f); err != nil {
		return err
	}
	return r.show(f, func(w io.Writer) { showFederation(w, f) })
}

// set takes a flag that was given.
func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

type federationResizeCmd struct {
	fedArg
	Partitions int `arg:"" help:"The new total."`
}

// Run changes the total of partitions.
func (c *federationResizeCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodPatch, c.path(""), client.Resize{Partitions: c.Partitions}, showFederation)
}

type federationStartCmd struct{ fedArg }

// Run starts a SuperLink.
func (c *federationStartCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodPut, c.path("/superlink"), client.SuperLinkChange{State: "up"}, showFederation)
}

type federationStopCmd struct{ fedArg }

// Run stops a SuperLink.
func (c *federationStopCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodPut, c.path("/superlink"), client.SuperLinkChange{State: "stopped"}, showFederation)
}

type federationPolicyCmd struct {
	fedArg
	Parallel       *int     `help:"Runs at once."`
	IdleStop       *int     `help:"Minutes without a run after which the SuperLink stops until the next run; 0: never." placeholder:"MINUTES"`
	Web            *bool    `help:"ServerApps can reach web servers." negatable:""`
	Engine         string   `help:"The SuperLink. It changes only while no run is in progress." enum:",default,builtin,flower" default:"" placeholder:"default|builtin|flower"`
	Wall           *float64 `help:"End a run after this many seconds; 0: no limit." placeholder:"SECONDS"`
	Round          *float64 `help:"End a run whose round takes longer than this." placeholder:"SECONDS"`
	NoProgress     *float64 `help:"End a run that makes no progress for this long." placeholder:"SECONDS"`
	FirstHeartbeat *float64 `help:"End a run whose ServerApp does not report within this time." placeholder:"SECONDS"`
}

// Run shows or changes how a federation runs.
func (c *federationPolicyCmd) Run(ctx context.Context, t *terminal) error {
	in := client.RunPolicyChange{Parallel: c.Parallel, IdleStop: c.IdleStop, Web: c.Web, Engine: c.Engine,
		LimitChanges: client.LimitChanges{Wall: c.Wall, Round: c.Round, NoProgress: c.NoProgress, FirstHeartbeat: c.FirstHeartbeat}}
	method := http.MethodPatch
	var body any = in
	if in == (client.RunPolicyChange{}) {
		method, body = http.MethodGet, nil
	}
	return call(ctx, t, c.remoteFlags, method, c.path("/run-policy"), body, func(w io.Writer, p client.RunPolicy) {
		facts(w, "runs at once", p.Parallel, "idle stop (minutes)", p.IdleStop, "web access", p.Web, "engine", p.Engine, "wall (s)", p.Wall,
			"round (s)", p.Round, "no progress (s)", p.NoProgress, "first heartbeat (s)", p.FirstHeartbeat)
	})
}

package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"blossomtune/internal/account"
	"blossomtune/internal/domain"
	"blossomtune/internal/portmux"
	"blossomtune/internal/safely/safehttp"

	"github.com/danielgtaylor/huma/v2"
)

type ctxKey int

const (
	clientKey ctxKey = iota
	callerKey
	nodeKey
)

// peer is what is known of the other side before anybody is authenticated.
type peer struct {
	address, agent string
	secure         bool
	header         http.Header

	signature NodeSignature // of calls below agentPath
	signError error
}

func (a *api) withClient(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if err := checkAddress(r); err != nil {
			writeError(w, err)
			return
		}
		c := peer{address: a.Address(r), agent: r.UserAgent(), secure: a.Secure(r), header: r.Header}
		if strings.HasPrefix(r.URL.Path, agentPath) {
			c.signature, c.signError = a.signature(w, r)
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), clientKey, c)))
	})
}

func clientOf(ctx context.Context) peer {
	c, _ := ctx.Value(clientKey).(peer)
	return c
}

// caller is who calls a signed-in operation.
type caller struct {
	person domain.Person
	actor  domain.Actor
}

func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey).(caller)
	return c
}

// fail answers a call that its operation does not get.
func (a *api) fail(ctx huma.Context, err error) {
	if domain.CodeOf(err) == domain.Internal && ctx.Context().Err() == nil {
		a.Log.Error("api", "request", safehttp.ID(ctx.Context()), "operation", ctx.Operation().OperationID, "err", err)
	}
	p := problemOf(err)
	ctx.SetHeader("Content-Type", p.ContentType(""))
	ctx.SetStatus(p.Status)
	_ = json.NewEncoder(ctx.BodyWriter()).Encode(p) // who has gone away has nobody to tell
}

// authenticate lets only those through whom the operation's description names.
func (a *api) authenticate(ctx huma.Context, next func(huma.Context)) {
	security := ctx.Operation().Security
	switch {
	case len(security) == 0:
		next(ctx)
	case security[0]["node"] != nil:
		c := clientOf(ctx.Context())
		if err := a.maySign(ctx.Operation().OperationID, c); err != nil {
			a.fail(ctx, err)
			return
		}
		next(huma.WithValue(ctx, nodeKey, c.signature))
	default:
		c, err := a.caller(ctx)
		if err != nil {
			a.fail(ctx, err)
			return
		}
		portmux.Trust(ctx.Context())
		next(huma.WithValue(ctx, callerKey, c))
	}
}

func (a *api) caller(ctx huma.Context) (caller, error) {
	if token, ok := strings.CutPrefix(ctx.Header("Authorization"), "Bearer "); ok {
		p, t, err := a.Accounts.ByToken(ctx.Context(), token)
		actor := account.ActorOf(p)
		actor.Kind, actor.Name = "token", actor.Name+" (token "+t.Name+")"
		if err == nil && t.Scope == domain.ScopeRead && ctx.Method() != http.MethodGet {
			err = domain.Errorf(domain.Forbidden, "This API token may look, not change anything.").Fix("Use one with the scope %s.", domain.ScopeAll)
		}
		return caller{person: p, actor: actor}, err
	}
	cookie, err := huma.ReadCookie(ctx, account.SessionCookie)
	if err != nil {
		return caller{}, domain.Errorf(domain.Unauthenticated, "This needs an API token or a signed-in browser.").Fix("Send Authorization: Bearer with a token from `blossomtune token create`.")
	}
	p, _, err := a.Accounts.Authenticate(ctx.Context(), cookie.Value)
	return caller{person: p, actor: account.ActorOf(p)}, err
}

// federation returns a federation in which the caller has at least a role. One that the caller is not in does not exist for them.
func (a *api) federation(ctx context.Context, slug string, least domain.Role) (domain.Federation, domain.Role, error) {
	missing := domain.Errorf(domain.NotFound, "There is no such federation.")
	fed, err := a.Onboarding.FederationBySlug(ctx, slug)
	if err != nil {
		if domain.CodeOf(err) == domain.NotFound {
			err = missing
		}
		return fed, domain.RoleNone, err
	}
	role, err := a.Accounts.Role(ctx, callerOf(ctx).person, fed.ID)
	switch {
	case err != nil:
		return fed, role, err
	case role == domain.RoleNone:
		return fed, role, missing
	case !role.AtLeast(least):
		return fed, role, domain.Errorf(domain.Forbidden, "This needs the role of a %s.", least).Fix("Ask a manager of %s.", fed.Name)
	}
	return fed, role, nil
}

func (a *api) admin(ctx context.Context) error {
	if !callerOf(ctx).person.Admin {
		return domain.Errorf(domain.Forbidden, "This needs an instance admin.")
	}
	return nil
}

// visitor is who calls an operation that is open to everyone, by their session or token; nobody (ID 0) without a good one.
func (a *api) visitor(ctx context.Context) domain.Person {
	header := clientOf(ctx).header
	if token, ok := strings.CutPrefix(header.Get("Authorization"), "Bearer "); ok {
		if p, t, err := a.Accounts.ByToken(ctx, token); err == nil && t.Scope == domain.ScopeAll && !p.Host() {
			return p
		}
		return domain.Person{}
	}
	if c, err := (&http.Request{Header: header}).Cookie(account.SessionCookie); err == nil {
		if p, _, err := a.Accounts.Authenticate(ctx, c.Value); err == nil && !p.Host() {
			return p
		}
	}
	return domain.Person{}
}

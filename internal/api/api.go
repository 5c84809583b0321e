// Package api is /api/v1: a thin JSON surface over the rules, described by OpenAPI 3.1 at /api/openapi.json.
// One file per resource; errors are translated in error.go and nowhere else.
package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"reflect"
	"strings"

	"blossomtune/internal/account"
	"blossomtune/internal/audit"
	"blossomtune/internal/catalog"
	"blossomtune/internal/client"
	"blossomtune/internal/domain"
	"blossomtune/internal/idempotency"
	"blossomtune/internal/mail"
	"blossomtune/internal/notify"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/program"
	"blossomtune/internal/runs"
	"blossomtune/internal/safely/safehttp"
	"blossomtune/internal/site"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Engines starts and stops SuperLinks.
type Engines interface {
	Start(ctx context.Context, actor domain.Actor, fedID int64) error
	Stop(ctx context.Context, actor domain.Actor, fedID int64) error
	Status(fedID int64) domain.SuperLink
}

// NodeSigner checks how a SuperNode's key signed a call. It may read the body, and leaves it to be read again.
type NodeSigner func(r *http.Request) (NodeSignature, error)

// Options are the parts the API works with.
type Options struct {
	Accounts    *account.Service
	Onboarding  *onboarding.Service
	Catalog     *catalog.Service
	Runs        *runs.Service
	Mail        *mail.Service
	Notify      *notify.Service
	Audit       *audit.Service
	Backups     Backups
	Idempotency *idempotency.Service
	Site        *site.Service
	Engines     Engines
	Programs    *program.Shelf
	NodeSigner  NodeSigner
	Contained   func() domain.Containment // of ServerApps on this machine
	Reported    func(ctx context.Context, key domain.NodeKey, versions domain.NodeSeen) error
	NodeLog     func(key domain.NodeKey, part domain.NodeLog) error // keeps what an agent sends of its logs
	Connection  func() domain.Connection
	Address     func(*http.Request) string // of the client
	Secure      func(*http.Request) bool   // whether the browser speaks TLS
	Version     string
	Clock       domain.Clock
	Log         *slog.Logger
}

type api struct {
	Options
	huma  huma.API
	calls *calls // of SuperNodes
}

// maxBody bounds every JSON body; uploads have their own limit.
const maxBody = 1 << 20

// API answers the requests below /api/.
type API struct {
	http.Handler
	description *huma.OpenAPI
}

// Description returns the OpenAPI 3.1 description of all operations, as JSON.
func (a *API) Description() ([]byte, error) { return json.Marshal(a.description) }

// New returns the API.
func New(o Options) *API {
	mux := http.NewServeMux()
	config := huma.DefaultConfig("BlossomTune", o.Version)
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "/api/openapi", "", "/api/schemas"
	config.CreateHooks = nil // no $schema links in answers
	config.Transformers = append(config.Transformers, nameRequest)
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token":   {Type: "http", Scheme: "bearer", Description: "An API token, made by `blossomtune token create`."},
		"session": {Type: "apiKey", In: "cookie", Name: account.SessionCookie, Description: "A signed-in browser."},
		"node": {Type: "apiKey", In: "header", Name: "Blossomtune-Signature",
			Description: "A SuperNode's key: Blossomtune-Key, Blossomtune-Time and Blossomtune-Signature sign method, path, time and body, and count once. docs/architecture.md has the form."},
	}
	config.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[client.DecimalID](), reflect.TypeFor[decimalID]())
	config.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[client.ConfigValue](), reflect.TypeFor[configValue]())
	a := &api{Options: o, calls: newCalls(o.Clock()), huma: humago.New(mux, config)}
	a.huma.UseMiddleware(a.authenticate)
	a.federations()
	a.requests()
	a.invitations()
	a.me()
	a.agent()
	a.programs()
	a.apps()
	a.runs()
	a.describeCauses()
	a.runTable()
	a.artifactOps()
	a.outbox()
	a.notifications()
	a.webhooks()
	a.settings()
	a.people()
	a.auditOps()
	a.backupOps()
	mux.HandleFunc("/api/", func(w http.ResponseWriter, _ *http.Request) {
		writeError(w, domain.Errorf(domain.NotFound, "There is no such operation."))
	})
	return &API{safehttp.Requests(o.Log, "api", a.withClient(mux), panicked), a.huma.OpenAPI()}
}

// Who may call an operation; what they may do in a federation is checked by its handler.
var (
	anyone   = []map[string][]string{}
	signedIn = []map[string][]string{{"token": {}}, {"session": {}}}
	aNode    = []map[string][]string{{"node": {}}}
)

// op describes one operation.
func op(id, method, path, summary string, security []map[string][]string) huma.Operation {
	return huma.Operation{OperationID: id, Method: method, Path: "/api/v1" + path, Summary: summary, Security: security, MaxBodyBytes: maxBody,
		Tags: []string{strings.Split(strings.TrimPrefix(path, "/"), "/")[0]}}
}

// add registers an operation whose errors are translated.
func add[I, O any](a *api, o huma.Operation, h func(context.Context, *I) (*O, error)) {
	a.repeatable(&o)
	huma.Register(a.huma, o, func(ctx context.Context, in *I) (*O, error) {
		var out *O
		err := checkTexts(in)
		if err == nil {
			out, err = h(ctx, in)
		}
		if err != nil {
			if domain.CodeOf(err) == domain.Internal && ctx.Err() == nil {
				a.Log.Error("api", "request", safehttp.ID(ctx), "operation", o.OperationID, "err", err)
			}
			return nil, problemOf(err)
		}
		return out, nil
	})
}

// body is an answer with a JSON body.
type body[T any] struct{ Body T }

func answer[T any](v T) *body[T] { return &body[T]{Body: v} }

type none struct{}

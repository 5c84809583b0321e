// Package visit is one request to the pages: who asks, what they may see, and how they are answered: a page, an error, a form with its
// errors, a question whether they mean it. What a page shows belongs to its area, how it looks to ui.
package visit

import (
	"log/slog"
	"net/http"

	"blossomtune/internal/account"
	"blossomtune/internal/domain"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/runs"
	"blossomtune/internal/site"
	"blossomtune/internal/web/assets"
)

// Host receives visitors and answers them. All pages have one in common.
type Host struct {
	Accounts   *account.Service
	Onboarding *onboarding.Service
	Runs       *runs.Service
	Site       *site.Service

	Assets        *assets.Set
	Clock         domain.Clock
	Log           *slog.Logger
	Version       string
	Secure        func(*http.Request) bool   // whether the browser speaks TLS, here or to the declared proxy
	ClientAddress func(*http.Request) string // whom limits count
}

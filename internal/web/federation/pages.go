// Package federation is the pages of one federation that are not an area of their own: overview, logs of its SuperLink, settings. The head
// and
// the tabs that all pages of a federation have are in fedpage.
package federation

import (
	"blossomtune/internal/account"
	"blossomtune/internal/engines"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/runs"
	"blossomtune/internal/web/fedpage"
	"blossomtune/internal/web/live"
	"blossomtune/internal/web/logview"
	"blossomtune/internal/web/visit"
)

// Pages answers the requests of this area.
type Pages struct {
	*visit.Host
	Fed        *fedpage.Reader
	Live       *live.Streams
	Logs       *logview.Logs
	Accounts   *account.Service
	Onboarding *onboarding.Service
	Engines    *engines.Service
	Runs       *runs.Service
}

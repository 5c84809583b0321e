// Package requests is a federation's page of requests to join, where managers decide on them.
package requests

import (
	"blossomtune/internal/onboarding"
	"blossomtune/internal/web/fedpage"
	"blossomtune/internal/web/live"
	"blossomtune/internal/web/visit"
)

// Pages answers the requests of this area.
type Pages struct {
	*visit.Host
	Fed        *fedpage.Reader
	Live       *live.Streams
	Onboarding *onboarding.Service
}

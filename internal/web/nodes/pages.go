// Package nodes is a federation's page of SuperNodes for its managers. What a participant sees of their own is in participant.
package nodes

import (
	"blossomtune/internal/domain"
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
	Connection func() domain.Connection
}

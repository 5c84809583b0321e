// Package home is the pages over all federations: the front door of strangers, the overview, the list of federations, the search.
package home

import (
	"blossomtune/internal/account"
	"blossomtune/internal/catalog"
	"blossomtune/internal/domain"
	"blossomtune/internal/engines"
	"blossomtune/internal/mail"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/overview"
	"blossomtune/internal/runs"
	"blossomtune/internal/web/fedpage"
	"blossomtune/internal/web/live"
	"blossomtune/internal/web/visit"
)

// Pages answers the requests of this area.
type Pages struct {
	*visit.Host
	Fed        *fedpage.Reader
	Live       *live.Streams
	Accounts   *account.Service
	Onboarding *onboarding.Service
	Catalog    *catalog.Service
	Engines    *engines.Service
	Runs       *runs.Service
	Overview   *overview.Service
	Outbox     *mail.Service

	finds *domain.Limiter // what people look for, by person
}

// New returns the pages, with the limits of this area.
func New(p Pages) *Pages {
	p.finds = newFinds()
	return &p
}

// Package admin is the pages of the instance's admins: people, mail, audit, system, settings of the site.
package admin

import (
	"context"

	"blossomtune/internal/account"
	"blossomtune/internal/audit"
	"blossomtune/internal/catalog"
	"blossomtune/internal/mail"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/sysinfo"
	"blossomtune/internal/web/live"
	"blossomtune/internal/web/visit"
)

// Pages answers the requests of this area.
type Pages struct {
	*visit.Host
	Live       *live.Streams
	Accounts   *account.Service
	Onboarding *onboarding.Service
	Catalog    *catalog.Service
	Audit      *audit.Service
	Backups    Backups
	Outbox     *mail.Service
	System     func(context.Context) (sysinfo.Info, error)
}

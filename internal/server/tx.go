package server

import (
	"blossomtune/internal/account"
	"blossomtune/internal/audit"
	"blossomtune/internal/catalog"
	"blossomtune/internal/idempotency"
	"blossomtune/internal/mail"
	"blossomtune/internal/nodes"
	"blossomtune/internal/notify"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/overview"
	"blossomtune/internal/runs"
	"blossomtune/internal/runs/drive"
	branding "blossomtune/internal/site"
	"blossomtune/internal/store"
	"blossomtune/internal/sysinfo"
)

// The store has what each package of rules needs: [store.Adapt] relies on it and cannot check it.
var (
	_ account.Tx     = (*store.Tx)(nil)
	_ audit.Tx       = (*store.Tx)(nil)
	_ catalog.Tx     = (*store.Tx)(nil)
	_ mail.Tx        = (*store.Tx)(nil)
	_ nodes.Tx       = (*store.Tx)(nil)
	_ notify.Tx      = (*store.Tx)(nil)
	_ onboarding.Tx  = (*store.Tx)(nil)
	_ overview.Tx    = (*store.Tx)(nil)
	_ idempotency.Tx = (*store.Tx)(nil)
	_ drive.Tx       = (*store.Tx)(nil)
	_ runs.Tx        = (*store.Tx)(nil) // and so those of the packages below it
	_ branding.Tx    = (*store.Tx)(nil)
	_ sysinfo.Tx     = (*store.Tx)(nil)
)

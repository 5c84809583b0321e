package api_test

import (
	"testing"

	"blossomtune/internal/config"
	"blossomtune/internal/servertest"
)

// site is a running server with two federations and a person of every kind.
type site struct{ *servertest.Site }

func newSite(t testing.TB) *site { return &site{servertest.New(t)} }

// newSiteWith starts a site whose configuration a test changes.
func newSiteWith(t testing.TB, change func(*config.Config)) *site {
	return &site{servertest.NewWith(t, change)}
}

package server

import (
	"testing"

	"blossomtune/internal/config"
)

// Each provider is there when, and only when, it is configured.
func TestProvidersAreShownOnlyWhenConfigured(t *testing.T) {
	var c config.SignIn
	c.GitHubURL, c.GitLabURL, c.HuggingFaceURL = "https://github.com", "https://gitlab.com", "https://huggingface.co" // the defaults
	if got := providers(c); len(got) != 0 {
		t.Fatalf("%d without a client id", len(got))
	}
	for id, set := range map[string]func(*config.SignIn){
		"huggingface": func(c *config.SignIn) { c.HuggingFaceClientID = "x" },
		"github":      func(c *config.SignIn) { c.GitHubClientID = "x" },
		"google":      func(c *config.SignIn) { c.GoogleClientID = "x" },
		"gitlab":      func(c *config.SignIn) { c.GitLabClientID = "x" },
		"microsoft":   func(c *config.SignIn) { c.MicrosoftClientID, c.MicrosoftTenant = "x", "t" },
		"oidc":        func(c *config.SignIn) { c.OIDCClientID, c.OIDCIssuer = "x", "https://id.example" },
	} {
		one := c
		set(&one)
		if got := providers(one); len(got) != 1 || got[0].ID() != id {
			t.Errorf("%s alone is configured: %v", id, got)
		}
	}
}

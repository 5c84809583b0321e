package server

import (
	"net/http"
	"time"

	"blossomtune/internal/account/provider"
	"blossomtune/internal/config"
)

// providers are the configured sign-in providers, in the order of the sign-in page.
func providers(c config.SignIn) (out []*provider.Provider) {
	client := &http.Client{Timeout: 15 * time.Second}
	for _, s := range []provider.Settings{
		{ID: "huggingface", Label: "Hugging Face", Issuer: c.HuggingFaceURL, ClientID: c.HuggingFaceClientID,
			ClientSecret: c.HuggingFaceClientSecret, Scopes: c.HuggingFaceScopes},
		{ID: "github", Label: "GitHub", GitHub: c.GitHubURL, ClientID: c.GitHubClientID, ClientSecret: c.GitHubClientSecret},
		{ID: "google", Label: "Google", Issuer: "https://accounts.google.com", ClientID: c.GoogleClientID, ClientSecret: c.GoogleClientSecret},
		{ID: "gitlab", Label: "GitLab", Issuer: c.GitLabURL, ClientID: c.GitLabClientID, ClientSecret: c.GitLabClientSecret},
		{ID: "microsoft", Label: "Microsoft", Issuer: "https://login.microsoftonline.com/" + c.MicrosoftTenant + "/v2.0",
			ClientID: c.MicrosoftClientID, ClientSecret: c.MicrosoftClientSecret},
		{ID: "oidc", Label: c.OIDCLabel, Issuer: c.OIDCIssuer, ClientID: c.OIDCClientID, ClientSecret: c.OIDCClientSecret},
	} {
		if s.ClientID != "" && (s.Issuer != "" || s.GitHub != "") {
			out = append(out, provider.New(s, client))
		}
	}
	return out
}

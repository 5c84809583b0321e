package config

import "strings"

// SignIn is with which accounts elsewhere people can sign in. A provider without a client id is not shown; e-mail always works.
// Each provider is told the callback address PUBLIC-URL/signin/callback/PROVIDER.
type SignIn struct {
	GitHubClientID     string `help:"GitHub: client id of the OAuth app." env:"GITHUB_CLIENT_ID" name:"github-client-id"`
	GitHubClientSecret string `help:"GitHub: its secret." env:"GITHUB_CLIENT_SECRET" name:"github-client-secret" secret:"all"`
	GitHubURL          string `help:"GitHub, or a GitHub Enterprise server." default:"https://github.com" env:"GITHUB_URL" name:"github-url"`

	GoogleClientID     string `help:"Google: client id." env:"GOOGLE_CLIENT_ID" name:"google-client-id"`
	GoogleClientSecret string `help:"Google: its secret." env:"GOOGLE_CLIENT_SECRET" name:"google-client-secret" secret:"all"`

	GitLabClientID     string `help:"GitLab: client id." env:"GITLAB_CLIENT_ID" name:"gitlab-client-id"`
	GitLabClientSecret string `help:"GitLab: its secret." env:"GITLAB_CLIENT_SECRET" name:"gitlab-client-secret" secret:"all"`
	GitLabURL          string `help:"GitLab, or one's own GitLab." default:"https://gitlab.com" env:"GITLAB_URL" name:"gitlab-url"`

	MicrosoftClientID     string `help:"Microsoft Entra: client id." env:"MICROSOFT_CLIENT_ID" name:"microsoft-client-id"`
	MicrosoftClientSecret string `help:"Microsoft Entra: its secret." env:"MICROSOFT_CLIENT_SECRET" name:"microsoft-client-secret" secret:"all"`
	MicrosoftTenant       string `help:"Microsoft Entra: id of the tenant whose accounts may sign in." env:"MICROSOFT_TENANT" name:"microsoft-tenant"`

	HuggingFaceClientID     string   `help:"Hugging Face: client id. Inside a Space what the Space injects is used." env:"HUGGINGFACE_CLIENT_ID" name:"huggingface-client-id"`
	HuggingFaceClientSecret string   `help:"Hugging Face: its secret." env:"HUGGINGFACE_CLIENT_SECRET" name:"huggingface-client-secret" secret:"all"`
	HuggingFaceURL          string   `help:"Hugging Face." default:"https://huggingface.co" env:"HUGGINGFACE_URL" name:"huggingface-url"`
	HuggingFaceScopes       []string `help:"What is asked of Hugging Face." default:"openid,profile,email" env:"HUGGINGFACE_SCOPES" name:"huggingface-scopes"`

	OIDCIssuer       string `help:"Any other OpenID Connect issuer, such as an organisation's own: where its discovery document is." env:"OIDC_ISSUER" name:"oidc-issuer"`
	OIDCClientID     string `help:"Its client id." env:"OIDC_CLIENT_ID" name:"oidc-client-id"`
	OIDCClientSecret string `help:"Its secret." env:"OIDC_CLIENT_SECRET" name:"oidc-client-secret" secret:"all"`
	OIDCLabel        string `help:"Its name on the sign-in page." default:"your organisation" env:"OIDC_LABEL" name:"oidc-label"`
}

// InSpace fills what a Hugging Face Space injects (its documentation, "Spaces OAuth" and "Spaces environment variables") where
// nothing else was configured.
func (c *Config) InSpace(env func(string) string) {
	host := env("SPACE_HOST")
	if host == "" {
		return
	}
	host, _, _ = strings.Cut(host, ",")
	if c.PublicURL == "" {
		c.PublicURL, c.BehindProxy = "https://"+host, true
	}
	if c.SignIn.HuggingFaceClientID == "" {
		c.SignIn.HuggingFaceClientID, c.SignIn.HuggingFaceClientSecret = env("OAUTH_CLIENT_ID"), env("OAUTH_CLIENT_SECRET")
		if url := env("OPENID_PROVIDER_URL"); url != "" {
			c.SignIn.HuggingFaceURL = strings.TrimSuffix(url, "/")
		}
		if scopes := strings.Fields(env("OAUTH_SCOPES")); len(scopes) > 0 {
			c.SignIn.HuggingFaceScopes = scopes
		}
	}
}

package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"blossomtune/internal/domain"

	"golang.org/x/oauth2"
)

// github is GitHub's OAuth, which is no OpenID Connect: who somebody is comes from its REST API.
type github struct {
	s      Settings
	client *http.Client
}

func (g *github) config(context.Context) (*oauth2.Config, error) {
	base := strings.TrimRight(g.s.GitHub, "/")
	return &oauth2.Config{ClientID: g.s.ClientID, ClientSecret: g.s.ClientSecret, Scopes: []string{"read:user", "user:email", "read:org"},
		Endpoint: oauth2.Endpoint{AuthURL: base + "/login/oauth/authorize", TokenURL: base + "/login/oauth/access_token",
			AuthStyle: oauth2.AuthStyleInParams}}, nil
}

// api is where the REST API is: a host of its own at github.com, a path on a GitHub Enterprise server.
func (g *github) api() string {
	base := strings.TrimRight(g.s.GitHub, "/")
	if base == "https://github.com" {
		return "https://api.github.com"
	}
	return base + "/api/v3"
}

func (g *github) identity(ctx context.Context, _ *oauth2.Config, t *oauth2.Token, _ string) (domain.Identity, error) {
	var user struct {
		ID          int64
		Login, Name string
	}
	var emails []struct {
		Email             string
		Primary, Verified bool
	}
	var orgs []struct{ Login string }
	// An app without the right to read addresses or organisations signs people in all the same.
	err := errors.Join(g.get(ctx, t, "/user", &user), optional(g.get(ctx, t, "/user/emails", &emails)),
		optional(g.get(ctx, t, "/user/orgs", &orgs)))
	if err != nil {
		return domain.Identity{}, err
	}
	if user.ID == 0 {
		return domain.Identity{}, errors.New("GitHub names no account")
	}
	out := domain.Identity{Subject: strconv.FormatInt(user.ID, 10), Login: user.Login, Name: user.Name}
	for _, e := range emails {
		if e.Primary {
			out.Email, out.EmailVerified = e.Email, e.Verified
		}
	}
	for _, o := range orgs {
		out.Organisations = append(out.Organisations, o.Login)
	}
	return out, nil
}

func (g *github) get(ctx context.Context, t *oauth2.Token, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.api()+path, nil)
	if err != nil {
		return err
	}
	t.SetAuthHeader(req)
	req.Header.Set("Accept", "application/vnd.github+json")
	res, err := g.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, answerSize))
	if err != nil {
		return err
	}
	if res.StatusCode == http.StatusForbidden || res.StatusCode == http.StatusNotFound {
		return fmt.Errorf("GitHub answers %s with %d: %w", path, res.StatusCode, errNoRight)
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("GitHub answers %s with %d", path, res.StatusCode)
	}
	return json.Unmarshal(body, into)
}

// errNoRight is the answer to a question that the app's scopes do not cover.
var errNoRight = errors.New("the app may not read this")

func optional(err error) error {
	if errors.Is(err, errNoRight) {
		return nil
	}
	return err
}

package provider_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"blossomtune/internal/account/provider"
	"blossomtune/internal/domain"
)

// said signs in at an issuer whose userinfo is given.
func said(t *testing.T, info string) (domain.Identity, error) {
	t.Helper()
	i := imitateHuggingFace(t)
	p := provider.New(provider.Settings{ID: "oidc", Label: "Test", Issuer: i.url, ClientID: "c", ClientSecret: "s"}, nil)
	to, a := begin(t, p)
	i.idToken = map[string]any{"iss": i.url, "sub": "6", "aud": "c", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(), "nonce": must(url.Parse(to)).Query().Get("nonce"), "email": "token@example.org", "email_verified": true}
	if err := json.Unmarshal([]byte(info), &i.userinfo); err != nil {
		t.Fatal(err)
	}
	return p.Finish(t.Context(), a, "code")
}

// Claims of unexpected types refuse nobody, and prove nothing that they do not say.
func TestClaimsOfAnyTypeRefuseNobody(t *testing.T) {
	for info, want := range map[string]domain.Identity{
		`{"sub":"6","email":"a@example.org","email_verified":true}`:                                    {Email: "a@example.org", EmailVerified: true},
		`{"sub":"6","email":"a@example.org","email_verified":"true"}`:                                  {Email: "a@example.org", EmailVerified: true},
		`{"sub":"6","email":"a@example.org","email_verified":"True"}`:                                  {Email: "a@example.org", EmailVerified: true},
		`{"sub":"6","email":"a@example.org","email_verified":1}`:                                       {Email: "a@example.org", EmailVerified: true},
		`{"sub":"6","email":"a@example.org","email_verified":"1"}`:                                     {Email: "a@example.org", EmailVerified: true},
		`{"sub":"6","email":"a@example.org","email_verified":null}`:                                    {Email: "a@example.org"},
		`{"sub":"6","email":"a@example.org","email_verified":"false"}`:                                 {Email: "a@example.org"},
		`{"sub":"6","email":"a@example.org","email_verified":0}`:                                       {Email: "a@example.org"},
		`{"sub":"6","email":"a@example.org","email_verified":{"x":true}}`:                              {Email: "a@example.org"},
		`{"sub":"6","email":"a@example.org"}`:                                                          {Email: "a@example.org"}, // only the other address was proven
		`{"sub":6,"name":42}`:                                                                          {Email: "token@example.org", EmailVerified: true, Name: "42"},
		`{"sub":"6","name":["x"],"preferred_username":null,"nickname":7,"email":["x"]}`:                {Login: "7"},
		`{"sub":"6","groups":"Staff"}`:                                                                 {Email: "token@example.org", EmailVerified: true, Organisations: []string{"staff"}},
		`{"sub":"6","groups":["A",7,null,["x"]]}`:                                                      {Email: "token@example.org", EmailVerified: true, Organisations: []string{"a", "7"}},
		`{"sub":"6","groups":[{"name":"A","id":1},{"path":"b","id":2},{"id":3},{"x":1}]}`:              {Email: "token@example.org", EmailVerified: true, Organisations: []string{"a", "b", "3"}},
		`{"sub":"6","groups":{"name":"A"},"orgs":[{"preferred_username":"O","name":"Long Name"},"p"]}`: {Email: "token@example.org", EmailVerified: true, Organisations: []string{"a", "o", "p"}},
		`{"sub":"6","groups":true,"orgs":3.5}`:                                                         {Email: "token@example.org", EmailVerified: true, Organisations: []string{"3.5"}},
		`{"sub":"6","email":"not an address","email_verified":true}`:                                   {},
	} {
		got, err := said(t, info)
		if err != nil {
			t.Errorf("%s: %v", info, err)
			continue
		}
		if got.Subject != "6" || got.Email != want.Email || got.EmailVerified != want.EmailVerified || got.Name != want.Name || got.Login != want.Login || !slices.Equal(got.Organisations, want.Organisations) {
			t.Errorf("%s: %+v", info, got)
		}
	}
}

func TestAnAnswerThatIsNoObjectIsRefused(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusInternalServerError} {
		i := imitateHuggingFace(t)
		i.status = status
		p := provider.New(provider.Settings{ID: "oidc", Label: "Test", Issuer: i.url, ClientID: "c", ClientSecret: "s"}, nil)
		to, a := begin(t, p)
		i.idToken = map[string]any{"iss": i.url, "sub": "6", "aud": "c", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(), "nonce": must(url.Parse(to)).Query().Get("nonce")}
		_, err := p.Finish(t.Context(), a, "code")
		refusedBy(t, err, "userinfo without a subject")
	}
}

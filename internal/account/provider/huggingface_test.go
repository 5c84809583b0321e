package provider_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	"blossomtune/internal/account/provider"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// imitated stands in for Hugging Face, which cannot run here: the same discovery, ID token and userinfo fields as its documentation
// of "Sign in with Hugging Face" names them. A test changes what it says.
type imitated struct {
	url      string
	key      *rsa.PrivateKey
	idToken  map[string]any
	userinfo map[string]any
	status   int // of userinfo; 0: 200
}

func imitateHuggingFace(t *testing.T) *imitated {
	t.Helper()
	i := &imitated{key: must(rsa.GenerateKey(rand.Reader, 2048))}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	i.url = server.URL
	say := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		say(w, map[string]any{"issuer": i.url, "authorization_endpoint": i.url + "/oauth/authorize", "token_endpoint": i.url + "/oauth/token", "userinfo_endpoint": i.url + "/oauth/userinfo", "jwks_uri": i.url + "/oauth/jwks",
			"id_token_signing_alg_values_supported": []string{"RS256"}, "response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}})
	})
	mux.HandleFunc("GET /oauth/jwks", func(w http.ResponseWriter, _ *http.Request) {
		say(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.key.Public(), KeyID: "k", Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("POST /oauth/token", func(w http.ResponseWriter, _ *http.Request) {
		signer := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: i.key}, (&jose.SignerOptions{}).WithHeader("kid", "k")))
		say(w, map[string]any{"access_token": "hf_oauth_x", "token_type": "bearer", "expires_in": 3600, "id_token": must(jwt.Signed(signer).Claims(i.idToken).Serialize())})
	})
	mux.HandleFunc("GET /oauth/userinfo", func(w http.ResponseWriter, _ *http.Request) {
		if i.status != 0 {
			w.WriteHeader(i.status)
		}
		say(w, i.userinfo)
	})
	return i
}

func TestHuggingFaceNamesItsOrganisations(t *testing.T) {
	for name, c := range map[string]struct {
		token, info map[string]any // what differs from a good answer
		good        bool
	}{
		"all is well":             {good: true},
		"another issuer":          {token: map[string]any{"iss": "https://evil.example"}},
		"for another client":      {token: map[string]any{"aud": "somebody-else"}},
		"another nonce":           {token: map[string]any{"nonce": "other"}},
		"expired":                 {token: map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}},
		"userinfo of another one": {info: map[string]any{"sub": "another"}},
	} {
		t.Run(name, func(t *testing.T) {
			i := imitateHuggingFace(t)
			p := provider.New(provider.Settings{ID: "huggingface", Label: "Hugging Face", Issuer: i.url, ClientID: "c", ClientSecret: "s"}, nil)
			to, a := begin(t, p)
			i.idToken = map[string]any{"iss": i.url, "sub": "62264cff", "aud": "c", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(), "nonce": must(url.Parse(to)).Query().Get("nonce"), "name": "N", "preferred_username": "hf-user"}
			i.userinfo = map[string]any{"sub": "62264cff", "name": "N", "preferred_username": "hf-user", "profile": i.url + "/hf-user", "picture": i.url + "/p.png", "website": "", "email": "n@example.org", "email_verified": true, "isPro": false,
				"canPay": false, "orgs": []map[string]any{{"sub": "5e67bd5b", "name": "Some Lab", "picture": "", "preferred_username": "Some-Lab", "isEnterprise": false, "plan": "team", "roleInOrg": "admin"}}}
			maps.Copy(i.idToken, c.token)
			maps.Copy(i.userinfo, c.info)
			who, err := p.Finish(t.Context(), a, "code")
			if !c.good {
				refusedBy(t, err, name)
				return
			}
			if err != nil || who.Subject != "62264cff" || who.Login != "hf-user" || !who.EmailVerified || !slices.Equal(who.Organisations, []string{"some-lab"}) {
				t.Errorf("%+v, %v", who, err)
			}
		})
	}
}

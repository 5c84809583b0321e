// Package providertest gives tests a real OpenID Connect provider: zitadel/oidc, in the test's own process.
package providertest

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
)

// Client is the relying party that the provider knows.
const (
	ClientID     = "blossomtune"
	ClientSecret = "not-a-secret"
	Password     = "open sesame"
)

// Issuer is a running OpenID Connect provider.
type Issuer struct {
	URL string
}

// users are the provider's accounts.
type users map[string]*storage.User

func (u users) GetUserByID(id string) *storage.User { return u[id] }
func (u users) GetUserByUsername(name string) *storage.User {
	for _, user := range u {
		if user.Username == name {
			return user
		}
	}
	return nil
}
func (users) ExampleClientID() string { return "service" }

// Start starts a provider that sends browsers back to redirect. Its accounts are "ada", whose address it has proven, and "eve",
// who only claims to have the address of "ada".
func Start(t testing.TB, redirect string) *Issuer {
	t.Helper()
	client := storage.WebClient(ClientID, ClientSecret, redirect)
	accounts := users{
		"id-ada": {ID: "id-ada", Username: "ada", Password: Password, FirstName: "Ada", LastName: "L", Email: "Ada@Example.org",
			EmailVerified: true},
		"id-eve": {ID: "id-eve", Username: "eve", Password: Password, FirstName: "Eve", LastName: "E", Email: "ada@example.org",
			EmailVerified: false},
	}
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	handler = exampleop.SetupServer(server.URL, storage.NewStorageWithClients(accounts, map[string]*storage.Client{ClientID: client}), nil,
		false)
	return &Issuer{URL: server.URL}
}

var hidden = regexp.MustCompile(`name="id" value="([^"]+)"`)

// SignIn does at the provider what a person does in a browser, beginning at the address that the relying party sent them to. It
// returns where the provider sends the browser back to.
func (i *Issuer) SignIn(t testing.TB, at, user string) *url.URL {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	var back *url.URL
	browser := &http.Client{Jar: jar, CheckRedirect: func(req *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(req.URL.String(), i.URL) {
			back = req.URL
			return http.ErrUseLastResponse
		}
		return nil
	}}
	page := body(t, browser, at)
	found := hidden.FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("the provider shows no form: %s", page)
	}
	res, err := browser.PostForm(i.URL+"/login/username", url.Values{"id": {found[1]}, "username": {user}, "password": {Password}})
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if back == nil {
		t.Fatalf("the provider does not send the browser back: %s", res.Status)
	}
	return back
}

func body(t testing.TB, browser *http.Client, at string) string {
	t.Helper()
	res, err := browser.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
